"""Plants time.sleep() as the first act of asyncio.run(); waits for nobody, for `loophound run`."""

import asyncio
import time

from truth import emit_done, note_loop, planted


async def handler():
    with planted("short_lived", "sleep"):
        time.sleep(0.12)
    note_loop()


asyncio.run(handler())
emit_done()
