"""Healthy twin of imports: done before the loop runs, of what is loaded, or on a worker thread."""

import importlib

from package import Packages
from truth import repeat, run, to_thread

packages = Packages()
packages.make("early")
packages.make("late", nr_modules=10)

import early  # noqa: E402, F401


def load():
    import late  # noqa: F401


async def handler():
    for _ in range(100):
        import early  # noqa: F401
        import json.decoder  # noqa: F401

        importlib.import_module("early.module_1")
    await to_thread(load)


async def plant():
    await repeat(5, handler)


with packages:
    run(plant)
