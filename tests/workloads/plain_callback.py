"""Plants time.sleep() in a plain callback: no coroutine is to blame."""

import time

from truth import call_soon, event, planted, repeat, run


def refresh(done):
    with planted("plain_callback", "sleep"):
        time.sleep(0.12)
    done.set()


async def handler():
    done = event()
    call_soon(refresh, done)
    await done.wait()


async def plant():
    await repeat(5, handler)


run(plant)
