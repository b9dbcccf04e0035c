"""Plants fifty short sleeps of one line in one callback: one occurrence, their sum."""

import time

from truth import planted, repeat, run


def poll_device():
    with planted("many_small_sleeps", "sleep", line=2):
        for _ in range(50):
            time.sleep(0.002)


async def handler():
    poll_device()


async def plant():
    await repeat(3, handler)


run(plant)
