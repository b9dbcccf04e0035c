"""Plants queue.Queue.get() of an empty queue."""

import contextlib
import queue

from truth import planted, repeat, run

jobs = queue.Queue()


async def handler():
    with contextlib.suppress(queue.Empty), planted("queue_get", "lock"):
        jobs.get(timeout=0.12)


async def plant():
    await repeat(5, handler)


run(plant)
