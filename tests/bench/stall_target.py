"""Stalls its loop again and again: stall_target.py STALL_MS PAUSE_MS. Says when each stall ended."""

from __future__ import annotations

import asyncio
import sys
import time


async def main(stall: float, pause: float) -> None:
    print("ready", flush=True)
    while True:
        start_ns = time.monotonic_ns()
        time.sleep(stall)
        print(start_ns, time.monotonic_ns(), flush=True)
        await asyncio.sleep(pause)


asyncio.run(main(float(sys.argv[1]) / 1e3, float(sys.argv[2]) / 1e3))
