"""Plants iterations in which 400 tasks take a millisecond each."""

import asyncio

from crowd import MILLISECOND, Crowd, compute
from truth import run


async def request(crowd):
    began_ns = crowd.begin()
    compute(MILLISECOND)
    crowd.end(request, began_ns)


async def plant():
    vars(asyncio.get_running_loop())  # from 3.11 on a loop has a dict only if somebody looks at it
    for _ in range(2):
        crowd = Crowd("overload_tasks", 400)
        await asyncio.sleep(0.05)
        tasks = [asyncio.ensure_future(request(crowd)) for _ in range(400)]
        await crowd.tell()
        await asyncio.gather(*tasks)


run(plant)
