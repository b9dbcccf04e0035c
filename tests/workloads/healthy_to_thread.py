"""Healthy twin of the sleeps, locks and files: the same calls in threads."""

import os
import tempfile
import threading
import time

from truth import gather, repeat, run, to_thread

event = threading.Event()


def save():
    with tempfile.NamedTemporaryFile(prefix="loophound-") as file:
        file.write(b"x" * (1 << 20))
        file.flush()
        os.fsync(file.fileno())


async def handler():
    await gather(
        to_thread(time.sleep, 0.12),
        to_thread(event.wait, 0.12),
        to_thread(save),
    )


async def plant():
    await repeat(5, handler)


run(plant)
