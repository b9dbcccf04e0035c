"""Plants os.fsync() of a file so big that this disk takes its time."""

import os
import tempfile
import time

from truth import planted, repeat, run, to_thread

file = tempfile.TemporaryFile(dir="/var/tmp")  # /tmp may be in memory
name = os.readlink(f"/proc/self/fd/{file.fileno()}").split()[0]  # it is "deleted" from the beginning
megabyte = os.urandom(1 << 20)


def write(megabytes):
    file.seek(0)
    for _ in range(megabytes):
        file.write(megabyte)
    file.flush()


def big_enough():
    """Megabytes that take this disk 60 ms or more, within reason."""
    megabytes = 32
    while megabytes < 512:
        write(megabytes)
        started = time.monotonic()
        os.fsync(file.fileno())
        if time.monotonic() - started > 0.06:
            break
        megabytes *= 2
    return megabytes


size = big_enough()


def save():
    with planted("file_fsync", "file", target=name):
        os.fsync(file.fileno())


async def handler():
    await to_thread(write, size)  # may wait for the disk too
    save()


async def plant():
    await repeat(3, handler)


run(plant)
