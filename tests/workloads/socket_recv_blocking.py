"""Plants recv() on a blocking socket whose peer answers late."""

import socket

from peer import Peer
from truth import planted, repeat, run

peer = Peer("late-echo", 0.12)
connection = socket.create_connection(peer.address())


def ask():
    connection.sendall(b"?")
    with planted("socket_recv_blocking", "network", target=peer.greeting):
        return connection.recv(16)


async def handler():
    ask()


async def plant():
    await repeat(5, handler)


run(plant)
