"""Makes packages to import: of many modules, whose text is long and whose code does some work."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

MODULE = """
import os
from collections import namedtuple

{functions}

TABLE = {{str(number): number for number in range(3000)}}
"""
FUNCTION = """
def function_{number}(first, second):
    \"\"\"Nothing that anybody calls.\"\"\"
    for value in (first, second):
        if value > {number}:
            return [value, {{"value": value}}, value * {number}]
    return None
"""


class Packages:
    """A folder on sys.path, gone at the end."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="loophound-import-"))
        sys.path.insert(0, str(self.path))

    def __enter__(self) -> Packages:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self.path)

    def make(self, name: str, nr_modules: int = 40) -> None:
        """A package, within others as its dots say, that imports all its modules; their text is on the disk
        and not in memory."""
        folder = self.path.joinpath(*name.split("."))
        folder.mkdir(parents=True)
        functions = "".join(FUNCTION.format(number=number) for number in range(25))
        for number in range(nr_modules):
            (folder / f"module_{number}.py").write_text(MODULE.format(functions=functions))
        imports = "".join(f"from {name} import module_{number}\n" for number in range(nr_modules))
        (folder / "__init__.py").write_text(imports)
        for package in folder.parents:
            if package == self.path:
                break
            (package / "__init__.py").touch()
        for file in folder.iterdir():
            forget(file)


def forget(path: Path) -> None:
    """Let the kernel drop what it has cached of a file."""
    with open(path) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
