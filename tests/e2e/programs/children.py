"""Has a child, made the way the argument names, whose loop stalls.  With "child" it is that child."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import time

from truth import emit, emit_done, note_loop, planted, wait_for_go, wait_for_input


async def stall():
    note_loop()
    await asyncio.sleep(0.02)
    with planted("in_a_child", "sleep"):
        time.sleep(0.12)
    await asyncio.sleep(0.02)


def child():
    emit(child=os.getpid())
    asyncio.run(stall())


def fork():
    pid = os.fork()
    if not pid:
        child()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def multiprocess():
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == 0


def spawn():
    subprocess.Popen([sys.executable, __file__, "child"]).wait()


def main():
    asyncio.run(wait_for_go())
    {"fork": fork, "multiprocessing": multiprocess, "popen": spawn}[sys.argv[1]]()
    emit_done()
    asyncio.run(wait_for_input())


if __name__ == "__main__":
    child() if sys.argv[1] == "child" else main()
