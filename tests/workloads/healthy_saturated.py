"""Healthy: a loop that never idles, yet no iteration is long."""

import time

from truth import gather, run, sleep


async def handler(until):
    while time.monotonic() < until:
        sum(range(200))
        await sleep(0)


async def plant():
    until = time.monotonic() + 1.5
    await gather(*(handler(until) for _ in range(50)))


run(plant)
