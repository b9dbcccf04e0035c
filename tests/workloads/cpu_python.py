"""Plants pure Python work that keeps the CPU."""

from truth import calibrate, planted, repeat, run


def count(n):
    total = 0
    with planted("cpu_python", "python", rule="cpu-bound", lines=3):
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


async def handler():
    count(amount)


async def plant():
    await repeat(5, handler)


run(plant)
