"""Plants recv() on a socket with a timeout: O_NONBLOCK is set, yet the call blocks, in poll."""

import socket

from peer import Peer
from truth import planted, repeat, run

peer = Peer("late-echo", 0.12)
connection = socket.create_connection(peer.address())
connection.settimeout(30)


def ask():
    connection.sendall(b"?")
    with planted("socket_recv_timeout", "network", target=peer.greeting):
        return connection.recv(16)


async def handler():
    ask()


async def plant():
    await repeat(5, handler)


run(plant)
