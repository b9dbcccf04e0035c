"""Healthy: short handlers on a machine whose CPUs are taken twice over, by the nice and by equals."""

import os
import time

from peer import Peer
from truth import gather, run, sleep

crowd = [Peer("spin", nice) for nice in (19, 0) for _ in range(os.cpu_count())]


async def handler(until):
    while time.monotonic() < until:
        sum(range(2000))
        await sleep(0.005)


async def plant():
    until = time.monotonic() + 2
    await gather(*(handler(until) for _ in range(5)))


run(plant)
