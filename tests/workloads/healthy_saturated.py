"""Healthy: a loop that never idles, yet no iteration is long."""

import gc
import time

from truth import gather, run, sleep

gc.freeze()  # or collections of what was imported, 25 ms with all of Twisted, are pauses that nobody planted


async def handler(until):
    while time.monotonic() < until:
        sum(range(200))
        await sleep(0)


async def plant():
    until = time.monotonic() + 1.5
    await gather(*(handler(until) for _ in range(50)))


run(plant)
