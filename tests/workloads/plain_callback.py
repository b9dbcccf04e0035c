"""Plants time.sleep() in a plain callback: no coroutine is to blame."""

import asyncio
import time

from truth import planted, repeat, run


def refresh(done):
    with planted("plain_callback", "sleep"):
        time.sleep(0.12)
    done.set_result(None)


async def handler():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(refresh, done)
    await done


async def plant():
    await repeat(5, handler)


run(plant)
