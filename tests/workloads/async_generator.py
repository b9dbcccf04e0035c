"""Plants time.sleep() in an asynchronous generator, which is the innermost coroutine."""

import time

from truth import planted, repeat, run


async def rows():
    with planted("async_generator", "sleep"):
        time.sleep(0.12)
    yield 1


async def handler():
    async for _ in rows():
        pass


async def plant():
    await repeat(3, handler)


run(plant)
