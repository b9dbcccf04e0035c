"""The twin of overload_callbacks: as many callbacks, of 20 microseconds each."""

from crowd import compute
from truth import call_soon, event, run, sleep


async def plant():
    for _ in range(5):
        over = event()
        for _ in range(600):
            call_soon(compute, 20_000)
        call_soon(over.set)
        await over.wait()
        await sleep(0.05)


run(plant)
