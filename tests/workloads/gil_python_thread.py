"""Plants waits for the GIL that a thread of pure Python keeps for a whole switch interval."""

import asyncio
import sys
import threading

from truth import holds_gil, planted, repeat, run

begin = threading.Semaphore(0)
holder = {}
is_held = is_over = False
is_enough = True


def crunch():
    x = 1
    while not is_enough:
        x = (x * 3 + 1) % 7919 + (x ^ 5) - (x & 3) * (x | 1) % 13
    return x


def work():
    global is_held
    holder.update(holds_gil(crunch, native=False, first=2, lines=2))
    while begin.acquire() and not is_over:
        is_held = True
        crunch()


async def handler():
    global is_held, is_enough
    is_held = is_enough = False
    with planted("gil_python_thread", "gil", rule="gil-wait", lines=3, holder=holder):
        begin.release()
        while not is_held: pass  # fmt: skip  (gives the GIL up here, and gets it back when asked for)
        is_enough = True


async def plant():
    global is_over
    worker = threading.Thread(target=work, name="burner")
    worker.start()
    while not holder:
        await asyncio.sleep(0.01)
    sys.setswitchinterval(0.03)
    await repeat(5, handler)
    is_over = True
    begin.release()
    await asyncio.to_thread(worker.join)


run(plant)
