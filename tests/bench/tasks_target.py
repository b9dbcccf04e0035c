"""A loop with so many tasks, that wait: tasks_target.py TASKS. Ends with its standard input."""

from __future__ import annotations

import asyncio
import sys


async def wait() -> None:
    await asyncio.get_running_loop().create_future()


async def main() -> None:
    loop = asyncio.get_running_loop()
    tasks = [asyncio.ensure_future(wait()) for _ in range(int(sys.argv[1]) - 1)]
    ended = loop.create_future()

    def on_end() -> None:
        loop.remove_reader(0)
        ended.set_result(None)

    loop.add_reader(0, on_end)
    print("ready", flush=True)
    while not ended.done():
        await asyncio.wait([ended], timeout=0.1)
    for task in tasks:
        task.cancel()


asyncio.run(main())
