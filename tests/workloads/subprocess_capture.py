"""Plants subprocess.run(capture_output=True): it waits in a selector, as a loop does."""

import subprocess

from truth import planted, repeat, run


def convert():
    with planted("subprocess_capture", "subprocess"):
        subprocess.run(["sleep", "0.15"], capture_output=True)


async def handler():
    convert()


async def plant():
    await repeat(3, handler)


run(plant)
