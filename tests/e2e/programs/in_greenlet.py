"""Work in a greenlet of a task, as database layers of asyncio do it that are written for threads: its stack has no frame of the loop."""

import time

import greenlet

from truth import planted, repeat, run, sleep


def sink(levels):
    """Steps of one task at stacks of all depths."""
    return levels and sink(levels - 1)


def compute():
    with planted("in_greenlet", "python", rule="cpu-bound", lines=3):
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            sink(20)


def work():
    with planted("in_greenlet", "sleep"):
        time.sleep(0.12)
    greenlet.getcurrent().parent.switch(sleep(0.02))
    compute()


async def handler():
    worker = greenlet.greenlet(work)
    awaited = worker.switch()
    while not worker.dead:
        awaited = worker.switch(await awaited)


async def plant():
    await repeat(5, handler)


run(plant)
