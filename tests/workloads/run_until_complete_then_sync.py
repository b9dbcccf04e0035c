"""Plants time.sleep() in a loop, and blocks as long outside of it, which is no fault."""

import asyncio
import time

from truth import emit_done, planted, wait_for_go, wait_for_input


async def handler():
    await asyncio.sleep(0.01)
    with planted("run_until_complete_then_sync", "sleep"):
        time.sleep(0.11)
    await asyncio.sleep(0.01)


loop = asyncio.new_event_loop()
loop.run_until_complete(wait_for_go())
for _ in range(3):
    time.sleep(0.12)
    loop.run_until_complete(handler())
    time.sleep(0.12)
emit_done()
loop.run_until_complete(wait_for_input())
loop.close()
