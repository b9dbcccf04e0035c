"""Plants concurrent.futures.Future.result() of work that a pool has not finished."""

import time
from concurrent.futures import ThreadPoolExecutor

from truth import planted, repeat, run

pool = ThreadPoolExecutor(1)


def collect():
    future = pool.submit(time.sleep, 0.12)
    with planted("future_result", "lock"):
        return future.result()


async def handler():
    collect()


async def plant():
    await repeat(5, handler)


run(plant)
