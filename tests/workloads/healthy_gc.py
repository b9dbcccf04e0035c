"""Healthy twin of the collector: a big heap that is frozen, and collections of what is young."""

import gc

from truth import repeat, run

gc.disable()
heap = [[number] for number in range(600_000)]
gc.collect()
gc.freeze()
gc.enable()


async def handler():
    young = [[] for _ in range(5000)]
    gc.collect()
    young.clear()


async def plant():
    await repeat(10, handler)


run(plant)
