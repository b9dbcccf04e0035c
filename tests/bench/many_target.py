"""Loops that turn at a rate each, in processes of their own and in the threads of one more.

many_target.py PROCESSES THREADS HERTZ. Says its children's pids; ends them with its standard input.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading

processes, threads, hertz = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])


async def turn() -> None:
    while True:
        await asyncio.sleep(1 / hertz)


def run_child(nr_loops: int, ready: int) -> None:
    for _ in range(nr_loops - 1):
        threading.Thread(target=asyncio.run, args=(turn(),), daemon=True).start()
    os.write(ready, b".")
    asyncio.run(turn())


wait, ready = os.pipe()
children = []
for nr_loops in [1] * processes + [threads] * bool(threads):
    pid = os.fork()
    if not pid:
        run_child(nr_loops, ready)
    children.append(pid)
left = len(children)
while left:
    left -= len(os.read(wait, left))
print(*children, flush=True)
sys.stdin.read()
for pid in children:
    os.kill(pid, signal.SIGKILL)
