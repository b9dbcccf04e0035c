"""Another thread collects garbage and stops the loop's, which computes: where there is no GIL."""

import asyncio
import gc
import threading
import time

from truth import emit, run

gc.disable()
heap = [[number] for number in range(400_000)]
begin = threading.Semaphore(0)
is_done = is_over = False


def work():
    global is_done
    while begin.acquire() and not is_over:
        start_ns = time.monotonic_ns()
        gc.collect()
        emit(truth="world_stopped", start_ns=start_ns, end_ns=time.monotonic_ns(), tid=threading.get_native_id())
        is_done = True


def compute():
    x = 1
    while not is_done:
        x = (x * 3 + 1) % 7919
    return x


async def handler():
    global is_done
    is_done = False
    begin.release()
    compute()


async def plant():
    global is_over
    worker = threading.Thread(target=work, name="collects")
    worker.start()
    for _ in range(4):
        await handler()
        await asyncio.sleep(0.05)
    is_over = True
    begin.release()
    await asyncio.to_thread(worker.join)


run(plant)
