"""Plants pure Python work in a plain callback, which uvloop runs without a Python frame of its own."""

import asyncio

from truth import calibrate, planted, run


def count(n):
    total = 0
    with planted("cpu_callback", "python", rule="cpu-bound", lines=3):
        for value in range(n):
            total += value * value
            total ^= value
    return total


def rehearse(n):
    total = 0
    for value in range(n):
        total += value * value
        total ^= value
    return total


amount = calibrate(rehearse, 0.15)


async def plant():
    for _ in range(3):
        asyncio.get_running_loop().call_soon(count, amount)
        await asyncio.sleep(0.05)


run(plant)
