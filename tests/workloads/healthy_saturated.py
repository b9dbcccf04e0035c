"""Healthy: a loop that never idles, yet no iteration is long."""

import asyncio
import time

from truth import run


async def handler(until):
    while time.monotonic() < until:
        sum(range(200))
        await asyncio.sleep(0)


async def plant():
    until = time.monotonic() + 1.5
    await asyncio.gather(*(handler(until) for _ in range(50)))


run(plant)
