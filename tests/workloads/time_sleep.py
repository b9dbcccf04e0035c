"""Plants time.sleep(), straight in a coroutine."""

import time

from truth import planted, repeat, run


async def handler():
    with planted("time_sleep", "sleep"):
        time.sleep(0.12)


async def plant():
    await repeat(5, handler)


run(plant)
