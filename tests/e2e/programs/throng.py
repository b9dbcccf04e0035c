"""Many processes at once, by the arguments: `forks N` of them one after the other, `loops N` side by side.

With `loops` each runs an event loop until the parent, told to go, kills all of them in one go.  `stalls N`: sixteen
loops that are blocked N times each, for a moment, once the parent is told to go.
"""

import asyncio
import os
import signal
import sys
import time

from truth import emit, emit_done

PER_SECOND = 500
STALLED = 16


def forks(number):
    for index in range(number):
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        begin = start + (index + 1) / PER_SECOND
        time.sleep(max(0, begin - time.monotonic()))


async def turn(ready):
    os.write(ready, b"x")
    while True:
        await asyncio.sleep(0.02)


def loops(number):
    can_read, ready = os.pipe()
    group = []
    for _ in range(number):
        pid = os.fork()
        if not pid:
            asyncio.run(turn(ready))
        group.append(pid)
    seen = 0
    while seen < number:
        seen += len(os.read(can_read, number))
    return group


async def stall(number):
    for _ in range(number):
        time.sleep(0.0012)
        await asyncio.sleep(0)


def stalls(number):
    can_start, start_all = os.pipe()
    for _ in range(STALLED):
        if not os.fork():
            os.close(start_all)
            os.read(can_start, 1)  # its end
            asyncio.run(stall(number))
            os._exit(0)
    return start_all


what, count = sys.argv[1], int(sys.argv[2])
members = loops(count) if what == "loops" else []
start_all = stalls(count) if what == "stalls" else -1
emit(ready=True)
sys.stdin.buffer.readline()
start = time.monotonic()
if what == "forks":
    forks(count)
if what == "stalls":
    os.close(start_all)
    for _ in range(STALLED):
        os.wait()
for each in members:
    os.kill(each, signal.SIGKILL)
for each in members:
    os.waitpid(each, 0)
emit_done()
sys.stdin.buffer.read()
