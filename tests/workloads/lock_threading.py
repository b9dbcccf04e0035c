"""Plants threading.Lock.acquire() while a worker thread holds the lock."""

import os
import threading
import time

from truth import planted, repeat, run, to_thread, wait_readable

lock = threading.Lock()
is_held, tell_held = os.pipe()


def work():
    with lock:
        os.write(tell_held, b"!")
        time.sleep(0.12)


async def handler():
    worker = threading.Thread(target=work)
    worker.start()
    await wait_readable(is_held)
    os.read(is_held, 1)
    with planted("lock_threading", "lock"):
        lock.acquire()
    lock.release()
    await to_thread(worker.join)


async def plant():
    await repeat(5, handler)


run(plant)
