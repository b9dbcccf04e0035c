"""Plants pure Python work in a plain callback, which uvloop runs without a Python frame of its own."""

from truth import calibrate, call_soon, planted, run, sleep


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
        call_soon(count, amount)
        await sleep(0.05)


run(plant)
