"""Many breaches: flood_target.py PER_SECOND SECONDS.

Waits for a line on its standard input, sleeps 50 us in each iteration of its loop, so often, for so
long; then says how often it slept, once in an iteration, and ends with its standard input.

A sleep is one in which the thread gave up the CPU by itself.  Now and then it is preempted between
setting its timer and giving up the CPU, for longer than the 50 us: it has then waited for a CPU, but
not slept, and loophound rightly says so.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import sys
import time

PR_SET_TIMERSLACK = 29
SLEEP = 50e-6


async def a_line() -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    loop.add_reader(0, lambda: (loop.remove_reader(0), os.read(0, 100), arrived.set_result(None)))
    await arrived


def voluntary_switches() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def sleep() -> bool:
    """Whether the thread did sleep."""
    before = voluntary_switches()
    time.sleep(SLEEP)
    return voluntary_switches() > before


async def flood(per_second: float, seconds: float) -> int:
    calls = slept = 0
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        if calls < elapsed * per_second:
            calls += 1
            slept += sleep()
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(0.0005)
    return slept


async def main(per_second: float, seconds: float) -> None:
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1)
    print("ready", flush=True)
    await a_line()
    print(await flood(per_second, seconds), flush=True)
    await a_line()


asyncio.run(main(float(sys.argv[1]), float(sys.argv[2])))
