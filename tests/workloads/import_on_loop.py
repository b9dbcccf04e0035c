"""Plants first requests that import: one statement, a package of 40 modules; by its name, and relatively."""

from package import Packages
from truth import planted, repeat, run

VIEWS = """
from truth import planted


async def view():
    with planted("import_relative", "import", rule="import-on-loop", target="shop.größen"):
        from . import größen  # noqa: F401
"""

packages = Packages()
packages.make("shop.reports")
packages.make("shop.größen")
(packages.path / "shop" / "views.py").write_text(VIEWS, encoding="utf-8")


async def handler():
    with planted("import_on_loop", "import", rule="import-on-loop", target="shop.reports"):
        import shop.reports  # noqa: F401


async def plant():
    from shop.views import view

    await repeat(3, handler)  # only the first one reads anything
    await repeat(1, view)


with packages:
    run(plant)
