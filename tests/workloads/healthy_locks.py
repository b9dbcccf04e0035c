"""Healthy twin of the locks: asyncio.Lock, Semaphore, Queue and Event, all contended."""

import asyncio

from truth import repeat, run


async def use(lock, semaphore, jobs):
    async with lock:
        await asyncio.sleep(0.02)
    async with semaphore:
        await asyncio.sleep(0.02)
    await jobs.put("job")


async def handler():
    lock, semaphore, jobs = asyncio.Lock(), asyncio.Semaphore(2), asyncio.Queue(1)
    users = asyncio.gather(*(use(lock, semaphore, jobs) for _ in range(5)))
    for _ in range(5):
        await jobs.get()
        await asyncio.sleep(0.02)
    await users


async def plant():
    await repeat(3, handler)


run(plant)
