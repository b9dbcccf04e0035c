"""Healthy: a loop that idles for seconds."""

import asyncio

from truth import run


async def plant():
    await asyncio.sleep(2.5)


run(plant)
