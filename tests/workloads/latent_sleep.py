"""Plants time.sleep() of a millisecond."""

import time

from truth import planted, repeat, run


async def handler():
    time.sleep(0)  # lets others run: none
    with planted("latent_sleep", "sleep"):
        time.sleep(0.001)


async def plant():
    await repeat(3, handler)


run(plant)
