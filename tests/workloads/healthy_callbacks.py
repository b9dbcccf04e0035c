"""The twin of overload_callbacks: as many callbacks, of 20 microseconds each."""

import asyncio

from crowd import compute
from truth import run


async def plant():
    loop = asyncio.get_running_loop()
    for _ in range(5):
        over = loop.create_future()
        for _ in range(600):
            loop.call_soon(compute, 20_000)
        loop.call_soon(over.set_result, None)
        await over
        await asyncio.sleep(0.05)


run(plant)
