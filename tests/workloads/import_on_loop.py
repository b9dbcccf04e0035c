"""Plants a first request that imports: one statement, a package of 40 modules."""

from package import Packages
from truth import planted, repeat, run

packages = Packages()
packages.make("reports")


async def handler():
    with planted("import_on_loop", "import", rule="import-on-loop", target="reports"):
        import reports  # noqa: F401


async def plant():
    await repeat(3, handler)  # only the first one reads anything


with packages:
    run(plant)
