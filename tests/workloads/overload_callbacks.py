"""Plants iterations in which 600 callbacks of three kinds take a millisecond each; of one kind each leaves another."""

import random

from crowd import MILLISECOND, Crowd, compute
from truth import call_soon, run, sleep


def on_price(crowd):
    began_ns = crowd.begin()
    compute(MILLISECOND)
    crowd.end(on_price, began_ns)


def on_order(crowd):
    began_ns = crowd.begin()
    compute(MILLISECOND)
    crowd.more()
    crowd.end(on_order, began_ns)


def on_news(crowd):
    began_ns = crowd.begin()
    compute(MILLISECOND)
    crowd.end(on_news, began_ns)


async def plant():
    kinds = [on_price] * 330 + [on_order] * 190 + [on_news] * 80
    random.Random(1).shuffle(kinds)
    for _ in range(2):
        crowd = Crowd("overload_callbacks", len(kinds))
        await sleep(0.05)
        for kind in kinds:
            call_soon(kind, crowd)
        await crowd.tell()


run(plant)
