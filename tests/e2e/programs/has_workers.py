"""Starts children by the method of multiprocessing that it is told, one for each line of input."""

import asyncio
import multiprocessing
import os
import sys
import time


async def main():
    time.sleep(0.06)


def child():
    print(os.getpid(), flush=True)
    asyncio.run(main())


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    print("ready", flush=True)
    for _ in sys.stdin:
        process = context.Process(target=child)
        process.start()
        process.join()
        assert process.exitcode == 0
