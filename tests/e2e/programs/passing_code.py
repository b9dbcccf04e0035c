"""Runs bodies of modules and classes that block for a moment each; then texts.

Their code objects are freed as soon as they have run: before anybody could ask for their names.
"""

from truth import repeat, run

BODIES = 8

MODULE = """import time
time.sleep(0.0004)


class Body:
    value = 1
    time.sleep(0.0004)
"""

TEXT = "__import__('time').sleep(0.0004)"


async def execute_them():
    for number in range(BODIES):
        exec(compile(MODULE, f"/srv/passing_{number}.py", "exec"), {"__name__": f"passing_{number}"})
    for number in range(BODIES):  # each of them may get the memory of the one before
        exec(compile("\n" * number + TEXT, "texts.py", "exec"))


async def plant():
    await repeat(1, execute_them)


run(plant)
