"""Plants iterations in which 400 tasks take a millisecond each."""

import gc

import truth
from crowd import MILLISECOND, Crowd, compute
from truth import gather, run, sleep


async def request(crowd):
    await sleep(0)  # a first step may be its parent's
    began_ns = crowd.begin()
    compute(MILLISECOND)
    crowd.end(request, began_ns)
    await sleep(0.5)  # who waits for its end would be called in the next iteration, which is none of the truth's


async def plant():
    gc.disable()  # on some loops so many tasks are enough for a collection, which is a breach of its own
    truth.kind_of_loop.touch_loop()
    for _ in range(2):
        crowd = Crowd("overload_tasks", 400)
        await sleep(0.05)
        await gather(crowd.tell(), *(request(crowd) for _ in range(400)))


run(plant)
