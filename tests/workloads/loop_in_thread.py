"""Plants time.sleep() in a loop that runs in a thread; the main thread blocks, which is its right."""

import threading
import time

from truth import planted, repeat, run


async def handler():
    with planted("loop_in_thread", "sleep"):
        time.sleep(0.12)


async def plant():
    await repeat(5, handler)


worker = threading.Thread(target=run, args=(plant,), name="loop")
worker.start()
worker.join()
