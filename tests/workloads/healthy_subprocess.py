"""Healthy twin of subprocess.run(): asyncio.create_subprocess_exec()."""

import asyncio

from truth import repeat, run


async def handler():
    process = await asyncio.create_subprocess_exec(
        "sleep", "0.15", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    await process.communicate()


async def plant():
    await repeat(5, handler)


run(plant)
