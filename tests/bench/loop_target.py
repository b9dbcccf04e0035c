"""A loop that talks to itself: each iteration is woken by a message, receives it and sends the next.

loop_target.py asyncio|uvloop.  Reads lines "MILLISECONDS" from standard input, does so in batches for so
long, and answers each with the lower quartile of the batches, in ns an iteration: see meter.c.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time

ITERATIONS = 10  # of one batch: some 0.3 ms
MESSAGE = b"x" * 200


async def batches(near: socket.socket, far: socket.socket, seconds: float) -> list[int]:
    """ns of each."""
    done = asyncio.get_running_loop().create_future()
    took: list[int] = []
    left, began_ns, end_ns = ITERATIONS, time.perf_counter_ns(), time.perf_counter_ns() + int(seconds * 1e9)

    def on_message() -> None:
        nonlocal left, began_ns
        far.recv(4096)
        left -= 1
        if not left:
            now_ns = time.perf_counter_ns()
            took.append(now_ns - began_ns)
            left, began_ns = ITERATIONS, now_ns
            if now_ns >= end_ns:
                done.set_result(None)
                return
        near.send(MESSAGE)

    asyncio.get_running_loop().add_reader(far, on_message)
    near.send(MESSAGE)
    await done
    asyncio.get_running_loop().remove_reader(far)
    return took


async def main() -> None:
    near, far = socket.socketpair()
    far.setblocking(False)
    print("ready", flush=True)
    asked = asyncio.Queue()
    asyncio.get_running_loop().add_reader(0, lambda: asked.put_nowait(sys.stdin.readline()))
    while line := await asked.get():
        took = sorted(await batches(near, far, int(line) / 1e3))
        print(took[len(took) // 4] / ITERATIONS, flush=True)


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main())
