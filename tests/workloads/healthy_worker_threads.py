"""Healthy: threads that block, beside a loop that does not."""

import queue
import threading
import time

from truth import gather, run, sleep, to_thread

jobs = queue.Queue()


def work():
    while jobs.get() is not None:
        time.sleep(0.12)


async def plant():
    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(15):
        jobs.put("job")
        await sleep(0.05)
    for _ in workers:
        jobs.put(None)
    await gather(*(to_thread(worker.join) for worker in workers))


run(plant)
