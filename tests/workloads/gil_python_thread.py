"""Plants waits for the GIL that a thread of pure Python keeps for a whole switch interval."""

import sys
import threading
import time

from truth import holds_gil, planted, repeat, run, sleep, to_thread

SLEEP = 0.001

begin = threading.Semaphore(0)
holder = {}
turns = nr_sleeps = 0
is_enough = is_over = False


def crunch():
    global turns
    x = 1
    while not is_enough:
        x = (x * 3 + 1) % 7919 + (x ^ 5) - (x & 3) * (x | 1) % 13
        turns += 1
    return x


def work():
    holder.update(holds_gil(crunch, native=False, first=3, lines=3))
    while begin.acquire() and not is_over:
        crunch()


def asleep():
    return {"syscall_ns": int(nr_sleeps * SLEEP * 1e9)}


async def handler():
    global is_enough, nr_sleeps
    is_enough = False
    nr_sleeps = 0
    before = turns
    with planted("gil_python_thread", "gil", rule="gil-wait", lines=5, holder=holder, split=asleep):
        begin.release()
        while turns == before:
            time.sleep(SLEEP)  # meanwhile the thread takes the GIL, and keeps it for 30 ms
            nr_sleeps += 1
        is_enough = True


async def plant():
    global is_over
    worker = threading.Thread(target=work, name="burner")
    worker.start()
    while not holder:
        await sleep(0.01)
    sys.setswitchinterval(0.03)
    await repeat(5, handler)
    is_over = True
    begin.release()
    await to_thread(worker.join)


run(plant)
