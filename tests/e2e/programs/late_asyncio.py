"""Imports asyncio, or uvloop, only once it is watched: its layout has to be completed."""

import json
import os
import sys
import time

assert "asyncio" not in sys.modules
print(json.dumps({"ready": True, "pid": os.getpid()}), flush=True)
os.read(0, 4096)

import truth  # noqa: E402, it imports asyncio

if "LOOPHOUND_TEST_UVLOOP" in os.environ:
    import uvloop

    uvloop.install()


async def handler():
    with truth.planted("late_asyncio", "sleep"):
        time.sleep(0.06)


async def plant():
    truth.note_loop()
    # The end of this wait is what tells that there is a loop: the first stall follows at once.
    await truth.asyncio.sleep(0.1)
    await truth.repeat(4, handler)
    truth.emit_done()
    await truth.wait_for_input()


truth.asyncio.run(plant())
