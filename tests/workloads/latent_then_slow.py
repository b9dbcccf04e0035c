"""Plants subprocess.run() of a program that takes its time: its quick parts are no news beside that."""

import subprocess

from truth import planted, repeat, run


async def handler():
    with planted("latent_then_slow", "subprocess"):
        subprocess.run(["sleep", "0.15"])


async def plant():
    await repeat(3, handler)


run(plant)
