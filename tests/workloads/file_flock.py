"""Plants fcntl.flock() of a file that another process has locked."""

import fcntl
import os
import tempfile

from peer import Peer
from truth import planted, repeat, run

path = os.path.join(tempfile.mkdtemp(prefix="loophound-"), "data.lock")
peer = Peer("flock", path, 0.12)
fd = os.open(path, os.O_RDWR)


def lock():
    with planted("file_flock", "file", target=path):
        fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.flock(fd, fcntl.LOCK_UN)


async def handler():
    peer.order()
    await peer.answer()
    lock()


async def plant():
    await repeat(5, handler)
    os.unlink(path)
    os.rmdir(os.path.dirname(path))


run(plant)
