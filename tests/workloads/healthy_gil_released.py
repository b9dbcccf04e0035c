"""Healthy: a thread that is as busy, in C code that releases the GIL."""

import hashlib
import threading
import zlib

from truth import run, sleep

data = bytes(range(256)) * 4096


def work():
    for _ in range(6):
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 40_000)
        zlib.compress(data)


async def plant():
    worker = threading.Thread(target=work, name="hashing")
    worker.start()
    while worker.is_alive():
        await sleep(0.005)


run(plant)
