"""Imports modules that block for a moment each, in their own body and in that of a class; then texts.

Their code objects are freed as soon as they have run: before anybody could ask for their names.
"""

import asyncio
import importlib
import sys
import tempfile
from pathlib import Path

from truth import emit, repeat, run

MODULES = 8

MODULE = """import time
time.sleep(0.0004)


class Body:
    value = 1
    time.sleep(0.0004)
"""


TEXT = "__import__('time').sleep(0.0004)"


async def import_them():
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        for number in range(MODULES):
            name = f"passing_{number}"
            (Path(folder) / f"{name}.py").write_text(MODULE)
            importlib.invalidate_caches()
            importlib.import_module(name)
        sys.path.remove(folder)
        for number in range(MODULES):  # each of them may get the memory of the one before
            exec(compile("\n" * number + TEXT, "texts.py", "exec"))
        emit(folder=folder, modules=MODULES)


async def plant():
    await repeat(1, import_them)


run(plant)
