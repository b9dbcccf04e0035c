"""Healthy twin of subprocess.run(): the loop's own way."""

import truth
from truth import repeat, run


async def handler():
    await truth.kind_of_loop.run_process("sleep", "0.15")


async def plant():
    await repeat(5, handler)


run(plant)
