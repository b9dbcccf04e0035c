"""Plants waits for the GIL that one C call of another thread keeps: sum() never lets go of it."""

import threading

from truth import calibrate, holds_gil, planted, repeat, run, sleep, to_thread

begin = threading.Semaphore(0)
holder = {}
is_held = is_over = False
numbers = calibrate(lambda n: sum(range(n)), 0.15)


def work():
    global is_held
    holder.update(holds_gil(work, native=True, first=5))
    while begin.acquire() and not is_over:
        is_held = True
        sum(range(numbers))


async def handler():
    global is_held
    is_held = False
    with planted("gil_native_thread", "gil", rule="gil-wait", lines=2, holder=holder):
        begin.release()
        while not is_held: pass  # fmt: skip  (gives the GIL up here, and gets it back after the call)


async def plant():
    global is_over
    worker = threading.Thread(target=work, name="summing")
    worker.start()
    while not holder:
        await sleep(0.01)
    await repeat(5, handler)
    is_over = True
    begin.release()
    await to_thread(worker.join)


run(plant)
