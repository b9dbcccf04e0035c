"""Plants os.read() of a pipe that another process fills late."""

import os

from peer import Peer
from truth import planted, repeat, run

peer = Peer("late-line", 1, 0.12)


def read_answer():
    with planted("pipe_read", "pipe"):
        return os.read(peer.output_fd, 16)


async def handler():
    peer.order()
    read_answer()


async def plant():
    await repeat(5, handler)


run(plant)
