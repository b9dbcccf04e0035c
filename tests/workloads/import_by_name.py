"""Plants importlib.import_module(), as frameworks load what their settings name: it hits no probe itself."""

import importlib

from package import Packages
from truth import planted, repeat, run

packages = Packages()
packages.make("plugins.pdf")


async def handler():
    with planted("import_by_name", "import", rule="import-on-loop", target="plugins.pdf"):
        importlib.import_module(".pdf", "plugins")


async def plant():
    importlib.import_module("plugins")
    await repeat(1, handler)


with packages:
    run(plant)
