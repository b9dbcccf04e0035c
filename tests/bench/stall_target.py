"""Stalls its loop again and again: stall_target.py STALL_MS PAUSE_MS [behind | asked]. Says when each stall ended.

behind: right after each stall it sleeps a moment more, on a line that was never seen before.
asked: once for each line on its standard input, and ends with it.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time


def doze(number: int) -> None:
    exec(compile(f"def doze_{number}(): time.sleep(50e-6)\ndoze_{number}()", f"doze_{number}.py", "exec"), {"time": time})


async def main(stall: float, pause: float, is_behind: bool, is_asked: bool) -> None:
    print("ready", flush=True)
    for number in itertools.count():
        if is_asked and not await asyncio.to_thread(sys.stdin.readline):
            return
        start_ns = time.monotonic_ns()
        time.sleep(stall)
        end_ns = time.monotonic_ns()
        if is_behind:
            doze(number)
        print(start_ns, end_ns, flush=True)
        await asyncio.sleep(pause)


asyncio.run(main(float(sys.argv[1]) / 1e3, float(sys.argv[2]) / 1e3, "behind" in sys.argv[3:], "asked" in sys.argv[3:]))
