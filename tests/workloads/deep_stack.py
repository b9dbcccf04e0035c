"""Plants time.sleep() a hundred synchronous frames below a coroutine."""

import time

from truth import planted, repeat, run


def descend(levels):
    if levels:
        descend(levels - 1)
    else:
        with planted("deep_stack", "sleep"):
            time.sleep(0.12)


async def handler():
    descend(99)


async def plant():
    await repeat(3, handler)


run(plant)
