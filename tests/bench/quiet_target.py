"""Quiet loops, each in a thread of its own: quiet_target.py LOOPS. Ends with its standard input."""

from __future__ import annotations

import asyncio
import sys
import threading


async def quiet() -> None:
    while True:
        await asyncio.sleep(0.1)


for _ in range(int(sys.argv[1])):
    threading.Thread(target=asyncio.run, args=(quiet(),), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
