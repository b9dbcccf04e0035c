"""Plants gc.collect() beside a big heap that is all alive."""

import gc

from truth import planted, repeat, run

gc.disable()
heap = [[number] for number in range(600_000)]
gc.collect()
gc.enable()


async def handler():
    with planted("gc_explicit", "explicit", rule="gc-pause"):
        gc.collect()


async def plant():
    await repeat(4, handler)


run(plant)
