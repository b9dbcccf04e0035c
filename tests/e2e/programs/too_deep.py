"""time.sleep() below a coroutine by more frames than a stack keeps."""

import time

from truth import planted, repeat, run


def descend(levels):
    if levels:
        descend(levels - 1)
    else:
        with planted("too_deep", "sleep"):
            time.sleep(0.12)


async def handler():
    descend(200)


async def plant():
    await repeat(3, handler)


run(plant)
