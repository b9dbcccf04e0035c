"""Plants a CPU quota that runs out within a callback; the test puts the process in such a cgroup.

32 ms of work stay below cpu-bound's limit, but need more than three periods' quota of 10 ms in 100 ms.
Between the stalls the loop idles for so long that nothing else is throttled.
"""

import asyncio
import time

from truth import planted, run


def work():
    end_ns = time.thread_time_ns() + 32_000_000
    while time.thread_time_ns() < end_ns:
        pass


async def handler():
    with planted("starved_throttle", "run-queue", rule="host-starved"):
        work()


async def plant():
    for _ in range(3):
        await asyncio.sleep(0.25)
        await handler()
    await asyncio.sleep(0.25)


run(plant)
