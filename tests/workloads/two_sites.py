"""Plants two different stalls in one iteration: two breaches, not one."""

import threading
import time

from truth import planted, repeat, run

event = threading.Event()


def first():
    with planted("two_sites_first", "sleep"):
        time.sleep(0.08)


async def handler():
    first()
    with planted("two_sites_second", "lock"):
        event.wait(0.13)


async def plant():
    await repeat(3, handler)


run(plant)
