"""Plants subprocess.run() of a program that ends at once."""

import subprocess

from truth import planted, repeat, run


async def handler():
    with planted("latent_subprocess", "subprocess"):
        subprocess.run(["true"])


async def plant():
    await repeat(3, handler)


run(plant)
