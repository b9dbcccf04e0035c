"""Plants one time.sleep() and is gone right after it: the names must outlive the process."""

import asyncio
import os
import time

from truth import emit_done, planted, wait_for_go


async def handler():
    await wait_for_go()
    with planted("exits_at_once", "sleep"):
        time.sleep(0.15)
    emit_done()
    os._exit(0)


asyncio.run(handler())
