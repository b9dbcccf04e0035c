"""Plants more stalls of one line in a second than are told one by one."""

import time

from truth import planted, run, sleep

TIMES = 40


async def plant():
    for _ in range(TIMES):
        with planted("often", "sleep"):
            time.sleep(0.015)
        await sleep(0.001)


run(plant)
