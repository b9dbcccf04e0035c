"""Plants time.sleep() in tasks of all kinds of names: given, lazy, wide, long, empty, and in subclasses."""

import asyncio
import time

from truth import planted, run

LATIN, WIDE, ASTRAL = "Größe", "导入-42", "𠮷-import"


class Name(str):
    """A str whose characters are not behind its header."""


class Task(asyncio.Task):
    """The program's own kind of task."""


async def work():
    await asyncio.sleep(0.1)  # slow enough that no two are told as one
    with planted("task_names", "sleep"):
        time.sleep(0.03)


async def leave_and_come_back(pause=0.0):
    if pause:
        await asyncio.sleep(pause)
    with planted("task_names_first_step", "sleep"):
        time.sleep(0.03)
    await asyncio.sleep(0.05)
    await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0))
    with planted("task_names_later_step", "sleep"):
        time.sleep(0.03)


async def plant():
    loop = asyncio.get_running_loop()
    names = ["import-42", LATIN, WIDE, ASTRAL, Name("of-a-subclass-é"), "", "x" * 128]
    names += ["x" * 500, LATIN * 60, WIDE * 60, ASTRAL * 60]
    for name in names:
        await loop.create_task(work(), name=name)
    await loop.create_task(work())  # nobody gave it a name
    await Task(work(), name="import-43")
    await Task(work())
    await asyncio.wait_for(leave_and_come_back(), 5)
    await asyncio.gather(leave_and_come_back(), leave_and_come_back(0.2))
    task = loop.create_task(work(), name="before")
    task.set_name("after")
    await task


run(plant)
