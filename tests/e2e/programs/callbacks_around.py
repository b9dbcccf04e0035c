"""Has callbacks block around which there is more than the loop: what times them, and the loop's own wait."""

import asyncio
import os
import signal
import threading
import time

from truth import planted, run, sleep

run_handle = asyncio.events.Handle._run


def timed(handle):
    began = time.monotonic()
    run_handle(handle)
    return time.monotonic() - began


def called():
    with planted("called", "sleep"):
        time.sleep(0.12)


def handle_signal(*_):
    with planted("handle_signal", "sleep"):
        time.sleep(0.12)


async def plant():
    asyncio.events.Handle._run = timed
    asyncio.get_running_loop().call_soon(called)
    await sleep(0.05)
    signal.signal(signal.SIGUSR1, handle_signal)
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    await sleep(0.3)


run(plant)
