"""Plants stalls in two loops of two threads at the same time."""

import asyncio
import threading
import time

from truth import note_loop, planted, repeat, run

second_loop = asyncio.new_event_loop()
threading.Thread(target=second_loop.run_forever, daemon=True).start()


async def handler():
    with planted("two_loops_main", "sleep"):
        time.sleep(0.12)


async def other_handler():
    note_loop()
    with planted("two_loops_second", "sleep"):
        time.sleep(0.09)


async def plant():
    second = asyncio.run_coroutine_threadsafe(repeat(7, other_handler), second_loop)
    await repeat(5, handler)
    await asyncio.wrap_future(second)


run(plant)
