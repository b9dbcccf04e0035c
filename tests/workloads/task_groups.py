"""Plants time.sleep() in children of a TaskGroup (3.11) and in eager tasks (3.12), which begin at once."""

import asyncio
import sys
import threading
import time

from truth import planted, repeat, run


async def child(pause):
    if pause:
        await asyncio.sleep(pause)
    with planted("task_groups", "sleep"):
        time.sleep(0.03)
    await asyncio.sleep(0.02)
    with planted("task_groups_later", "sleep"):
        time.sleep(0.03)


async def handler():
    if sys.version_info < (3, 11):
        await asyncio.gather(asyncio.create_task(child(0), name="one"), child(0.1))
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(child(0), name="one")
        group.create_task(child(0.1))


async def parent():
    """An eager child runs within a step of its parent, which then is the current one again."""
    task = asyncio.create_task(child(0), name="eager")
    with planted("task_groups_parent", "lock"):
        threading.Event().wait(0.03)
    await task


async def plant():
    await repeat(2, handler)
    if sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await asyncio.create_task(parent(), name="parent")
        await parent()


run(plant)
