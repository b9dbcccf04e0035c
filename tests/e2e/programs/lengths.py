"""Plants time.sleep() of five lengths, each within a bucket of the default histogram, so often each."""

import time

from truth import planted, run, sleep

LENGTHS_S = (0.04, 0.075, 0.16, 0.38, 0.7)
TIMES = 3


async def handler(seconds):
    with planted("lengths", "sleep"):
        time.sleep(seconds)


async def plant():
    for seconds in LENGTHS_S * TIMES:
        await handler(seconds)
        await sleep(0.05)


run(plant)
