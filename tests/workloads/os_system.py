"""Plants os.system()."""

import os

from truth import planted, repeat, run


async def handler():
    with planted("os_system", "subprocess"):
        os.system("sleep 0.15")


async def plant():
    await repeat(3, handler)


run(plant)
