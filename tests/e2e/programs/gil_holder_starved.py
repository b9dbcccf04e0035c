"""A thread of pure Python that holds the GIL and has no CPU most of the time: another process has that."""

import asyncio
import os
import subprocess
import sys
import threading
import time

from truth import holds_gil, planted, repeat, run

begin = threading.Semaphore(0)
holder = {}
turns = 0
is_enough = is_over = False
cpus = sorted(os.sched_getaffinity(0))


def crunch():
    global turns
    while not is_enough:
        turns += 1


def work():
    os.sched_setaffinity(0, cpus[:1])
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    holder.update(holds_gil(crunch, native=False, first=2, lines=2))
    while begin.acquire() and not is_over:
        crunch()


async def handler():
    global is_enough
    is_enough = False
    before = turns
    with planted("gil_holder_starved", "gil", rule="gil-wait", lines=4, holder=holder):
        begin.release()
        while turns < before + 100_000:
            time.sleep(0.001)
        is_enough = True


async def plant():
    global is_over
    worker = threading.Thread(target=work, name="burner")
    worker.start()
    while not holder:
        await asyncio.sleep(0.01)
    os.sched_setaffinity(0, cpus[1:] or cpus)
    hog = subprocess.Popen([sys.executable, "-c", f"import os; os.sched_setaffinity(0, {cpus[:1]})\nwhile True: pass"])
    await repeat(5, handler)
    hog.kill()
    hog.wait()
    is_over = True
    begin.release()
    await asyncio.to_thread(worker.join)


run(plant)
