"""Has a known number of tasks in each state, and says so: first while its loop is idle, then while it is blocked.

A second thread runs a loop of its own, and a third loop runs nowhere, but has a task.
"""

import asyncio
import os
import sys
import threading

import truth


class OwnTask(asyncio.Task):
    """A task all the same."""


async def wait_for(future):
    await future


async def do_nothing():
    pass


def keep_turning(loop):
    """A loop is found when its wait ends."""
    loop.call_later(0.05, keep_turning, loop)


class Beside(threading.Thread):
    """Runs a loop with five tasks that wait."""

    def __init__(self):
        super().__init__()
        self.is_ready = threading.Event()

    def run(self):
        asyncio.run(self.wait())

    async def wait(self):
        self.loop, self.end = asyncio.get_running_loop(), asyncio.Event()
        keep_turning(self.loop)
        tasks = [self.loop.create_task(wait_for(self.loop.create_future())) for _ in range(4)]
        self.is_ready.set()
        await self.end.wait()
        for task in tasks:
            task.cancel()


def own_task(coroutine):
    return OwnTask(coroutine, loop=asyncio.get_running_loop())


def eager_task(coroutine):
    """It has had its first step when this returns."""
    return asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)


async def plant():
    truth.note_loop()
    loop = asyncio.get_running_loop()
    keep_turning(loop)
    beside = Beside()
    beside.start()
    await truth.to_thread(beside.is_ready.wait)
    elsewhere = asyncio.new_event_loop()
    forgotten = elsewhere.create_task(do_nothing())

    kinds = [loop.create_task, own_task, eager_task if sys.version_info >= (3, 12) else loop.create_task]
    waiting = [make(wait_for(loop.create_future())) for make in kinds for _ in range(3)]
    futures = [loop.create_future() for _ in range(2)]
    to_be_woken = [loop.create_task(wait_for(future)) for future in futures]
    gathering = loop.create_task(wait_for(asyncio.gather(*to_be_woken)))
    done = [loop.create_task(do_nothing()) for _ in range(5)]
    await asyncio.gather(*done)

    # That which gathers waits, and this one.
    truth.emit(ready=True, pid=os.getpid(), states={"running": 0, "ready": 0, "waiting": len(waiting) + len(futures) + 2})
    await truth.wait_for_input()
    new = [loop.create_task(do_nothing()) for _ in range(6)]
    for future in futures:
        future.set_result(None)
    truth.emit(blocked=True, states={"running": 1, "ready": len(new) + len(futures), "waiting": len(waiting) + 1})
    os.set_blocking(0, True)  # uvloop has changed that
    os.read(0, 4096)
    truth.emit_done()
    await truth.wait_for_input()
    for task in waiting:
        task.cancel()
    await asyncio.gather(gathering, *new, *waiting, return_exceptions=True)
    beside.loop.call_soon_threadsafe(beside.end.set)
    await truth.to_thread(beside.join)
    await truth.to_thread(elsewhere.run_until_complete, forgotten)
    elsewhere.close()


truth.kind_of_loop.run(plant())
