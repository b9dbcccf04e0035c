"""Plants a connect on a blocking socket, to a server that accepts at once."""

import socket

from truth import planted, repeat, run

server = socket.create_server(("127.0.0.1", 0))


async def handler():
    with socket.socket() as client:
        with planted("latent_connect", "network"):
            client.connect(server.getsockname())
        server.settimeout(0)
        server.accept()[0].close()


async def plant():
    await repeat(3, handler)


run(plant)
