"""A thread holds the GIL and shares its CPU with a hog that is worth seventy times as much to the scheduler.

By the argument: "python", it runs Python; "together", the loop shares that CPU as well; "asleep", it sleeps in C and
keeps the GIL.  A truth's holder has what the kernel says of it meanwhile: how long it ran, and how long it waited for a CPU.
"""

import asyncio
import ctypes
import os
import subprocess
import sys
import threading
import time

from truth import holds_gil, planted, repeat, run

DOZE_US = 60_000

mode = sys.argv[1]
begin = threading.Semaphore(0)
holder = {}
turns = 0
is_enough = is_held = is_over = False
cpus = sorted(os.sched_getaffinity(0))
usleep = ctypes.PyDLL(None).usleep


def crunch():
    global turns
    while not is_enough:
        turns += 1


def doze():
    global is_held
    is_held = True
    usleep(DOZE_US)


def work():
    os.sched_setaffinity(0, cpus[:1])
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    if mode == "asleep":
        holder.update(holds_gil(doze, native=True, first=3))
    else:
        holder.update(holds_gil(crunch, native=False, first=2, lines=2))
    while begin.acquire() and not is_over:
        doze() if mode == "asleep" else crunch()


def account():
    """How long the holder ran, and waited for a CPU."""
    with open(f"/proc/self/task/{holder['tid']}/schedstat") as stat:
        return list(map(int, stat.read().split()[:2]))


async def handler():
    global is_enough, is_held
    is_enough = is_held = False
    before, first = turns, account()
    with planted("gil_holder_starved", "gil", rule="gil-wait", lines=7, holder=holder):
        begin.release()
        if mode == "asleep":
            while not is_held:
                pass
        while mode != "asleep" and turns < before + 100_000:
            time.sleep(0.001)
        is_enough = True
        holder["ran_ns"], holder["queued_ns"] = (now - then for now, then in zip(account(), first))


async def plant():
    global is_over
    worker = threading.Thread(target=work, name="burner")
    worker.start()
    while not holder:
        await asyncio.sleep(0.01)
    os.sched_setaffinity(0, cpus[:1] if mode == "together" else cpus[1:] or cpus)
    hog = subprocess.Popen([sys.executable, "-c", f"import os; os.sched_setaffinity(0, {cpus[:1]})\nwhile True: pass"])
    await repeat(5, handler)
    hog.kill()
    hog.wait()
    is_over = True
    begin.release()
    await asyncio.to_thread(worker.join)


run(plant)
