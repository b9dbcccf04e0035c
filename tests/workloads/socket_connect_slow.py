"""Plants connect() to a listener whose backlog is full: the kernel drops the SYN, the call times out."""

import contextlib
import socket

from truth import planted, repeat, run

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
address = listener.getsockname()
name = "%s:%d" % address
crowd = [socket.socket() for _ in range(8)]
for client in crowd:
    client.setblocking(False)
    client.connect_ex(address)


async def handler():
    with socket.socket() as client:
        client.settimeout(0.12)
        with contextlib.suppress(OSError), planted("socket_connect_slow", "network", target=name):
            client.connect(address)


async def plant():
    await repeat(3, handler)


run(plant)
