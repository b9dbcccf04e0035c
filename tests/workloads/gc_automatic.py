"""Plants automatic collections: much cyclic garbage is there when the collector starts by itself."""

import gc

from truth import planted, run, sleep

CHUNKS, CYCLES = 80, 5000  # each chunk a few milliseconds of work

kept = []


def litter():
    for _ in range(CYCLES):
        cycle = []
        cycle.append(cycle)


async def handler():
    with planted("gc_automatic", "automatic", rule="gc-pause", lines=3):
        gc.enable()
        for _ in range(5000):
            kept.append([])


async def plant():
    for _ in range(3):
        gc.disable()
        for _ in range(CHUNKS):
            litter()
            await sleep(0.001)
        await handler()
        kept.clear()
        await sleep(0.05)


run(plant)
