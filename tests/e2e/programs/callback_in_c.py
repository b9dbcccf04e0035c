"""Has the loop itself call functions in C that block: no frame is theirs."""

import asyncio
import functools
import time

from truth import run


async def plant():
    loop = asyncio.get_running_loop()
    loop.call_soon(time.sleep, 0.03)
    await asyncio.sleep(0.1)
    loop.call_later(0.02, functools.partial(time.sleep, 0.06))
    await asyncio.sleep(0.2)
    loop.call_soon(sum, range(20_000_000))
    await asyncio.sleep(0.1)


run(plant)
