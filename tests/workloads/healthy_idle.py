"""Healthy: a loop that idles for seconds."""

from truth import run, sleep


async def plant():
    await sleep(2.5)


run(plant)
