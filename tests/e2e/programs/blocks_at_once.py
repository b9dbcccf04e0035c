"""Its loop's very first callback blocks; then, until its input ends, one in a while does."""

import asyncio
import os
import sys
import time


def block():
    time.sleep(0.06)


async def main():
    block()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(0, ended.set)
    while not ended.is_set():
        await asyncio.sleep(0.05)
        block()


if __name__ == "__main__":
    print(os.readlink("/proc/self"), flush=True)  # the host's number, in a PID namespace of its own too
    asyncio.run(main())
