"""Is in the middle of something, named by the argument, when it is ready; `go` ends that, then it plants.

The thread that notices `go` waits for input outside the interpreter: it takes no part in anything before.
"""

import asyncio
import os
import signal
import sys
import threading
import time

from truth import emit, emit_done, note_loop, planted, wait_for_input


class Woken(Exception):
    pass


def wake(*_):
    raise Woken


def in_thread_on_go(function):
    def wait():
        os.read(0, 4096)
        function()

    threading.Thread(target=wait, daemon=True).start()


async def idle():
    await wait_for_input()


async def sleep():
    """A signal ends it: nothing else can."""
    signal.signal(signal.SIGUSR1, wake)
    in_thread_on_go(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    try:
        with planted("under_way_sleep", "sleep"):
            time.sleep(1000)
    except Woken:
        pass


async def hog():
    over = []
    in_thread_on_go(lambda: over.append(True))
    count = 0
    with planted("under_way_hog", "python", rule="cpu-bound", lines=2):
        while not over:
            count += 1


def other_loop(began, may_end):
    """Another thread's: its loop is blocked until the main one goes on, then it plants as well."""

    async def main():
        note_loop()
        with planted("under_way_other", "pipe", line=2):
            began.set()
            os.read(may_end, 1)
        await asyncio.sleep(0.02)
        with planted("after_other", "sleep"):
            time.sleep(0.07)
        await asyncio.sleep(0.02)

    asyncio.run(main())


async def main():
    others = []
    note_loop()
    for _ in sys.argv[2:]:
        read_end, write_end = os.pipe()
        began = threading.Event()
        thread = threading.Thread(target=other_loop, args=(began, read_end))
        thread.start()
        began.wait()
        others.append((thread, write_end))
    emit(ready=True, pid=os.getpid())
    await {"idle": idle, "sleep": sleep, "hog": hog}[sys.argv[1]]()
    await asyncio.sleep(0.02)
    with planted("after", "sleep"):
        time.sleep(0.12)
    await asyncio.sleep(0.02)
    for thread, write_end in others:
        os.write(write_end, b"x")
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
    emit_done()
    await wait_for_input()


asyncio.run(main())
