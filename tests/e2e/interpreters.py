"""Finds the CPythons of this machine that loophound claims to read."""

from __future__ import annotations

import functools
import glob
import json
import os
import shutil
import subprocess
from dataclasses import dataclass

MINORS = range(9, 14)

PROBE = """
import json, os, sys, sysconfig
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": list(sys.version_info[:3]),
    "cpython": sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "usdt": bool(sysconfig.get_config_var("WITH_DTRACE")),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    path: str
    version: tuple[int, int, int]
    usdt: bool

    def __str__(self) -> str:
        return ".".join(map(str, self.version)) + ("+usdt" if self.usdt else "")


def _candidates() -> list[str]:
    """Paths that may be an interpreter, the distribution's own first; version managers' shims among them."""
    names = [f"python3.{minor}" for minor in MINORS]
    paths = [f"/usr/bin/{name}" for name in names]
    paths += os.environ.get("LOOPHOUND_PYTHONS", "").split(":")
    root = os.environ.get("PYENV_ROOT")
    if not root and shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True).stdout.strip()
    if root:
        paths += sorted(glob.glob(os.path.join(glob.escape(root), "versions", "3.*", "bin", "python3")))
    paths += [path for path in map(shutil.which, names) if path]
    return [path for path in paths if path and os.access(path, os.X_OK)]


@functools.lru_cache(maxsize=None)
def find_interpreters() -> tuple[Interpreter, ...]:
    found: dict[str, Interpreter] = {}
    for path in _candidates():
        try:
            probe = subprocess.run([path, "-c", PROBE], capture_output=True, timeout=30)
            facts = json.loads(probe.stdout)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            continue  # a shim of a version that is not installed, or no Python at all
        major, minor, _ = version = tuple(facts["version"])
        if facts["cpython"] and major == 3 and minor in MINORS:
            found.setdefault(facts["executable"], Interpreter(facts["executable"], version, facts["usdt"]))
    return tuple(sorted(found.values(), key=lambda interpreter: interpreter.version))


def system_interpreter() -> Interpreter:
    """The one for tests that need any: the distribution's own if it is there."""
    found = find_interpreters()
    return next((each for each in found if each.path.startswith("/usr/bin/")), found[0])
