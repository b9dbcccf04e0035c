"""Plants threading.Lock.acquire() while a worker thread holds the lock."""

import asyncio
import threading
import time

from truth import planted, repeat, run

lock = threading.Lock()


def work(loop, held):
    with lock:
        loop.call_soon_threadsafe(held.set)
        time.sleep(0.12)


async def handler():
    held = asyncio.Event()
    worker = threading.Thread(target=work, args=(asyncio.get_running_loop(), held))
    worker.start()
    await held.wait()
    with planted("lock_threading", "lock"):
        lock.acquire()
    lock.release()
    await asyncio.to_thread(worker.join)


async def plant():
    await repeat(5, handler)


run(plant)
