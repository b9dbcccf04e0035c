"""Plants one stall each in the 7th and the 13th of twenty asyncio.run() in one process."""

import asyncio
import time

from truth import emit_done, planted, wait_for_go, wait_for_input

RUNS = 20


async def handler(number):
    await asyncio.sleep(0.01)
    if number in (7, 13):
        with planted("repeated_run", "sleep"):
            time.sleep(0.12)
    await asyncio.sleep(0.01)


asyncio.run(wait_for_go())
for number in range(1, RUNS + 1):
    asyncio.run(handler(number))
emit_done()
asyncio.run(wait_for_input())
