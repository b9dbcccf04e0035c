"""Plants subprocess.run()."""

import subprocess

from truth import planted, repeat, run


async def handler():
    with planted("subprocess_run", "subprocess"):
        subprocess.run(["sleep", "0.15"])


async def plant():
    await repeat(3, handler)


run(plant)
