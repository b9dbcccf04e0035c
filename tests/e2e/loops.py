"""The loops that are not asyncio's own: which interpreter of this machine has them, and how a workload runs on one.

The distribution's packages are made for its interpreter; those that are all Python are lent to others by a
folder of links, where they can be imported there.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from interpreters import Interpreter, system_interpreter
from workload import WORKLOADS, script

# Loop, as programs/under.py has it -> the kind that is reported.
KINDS = {
    "uvloop": "uvloop",
    "tornado": "asyncio",
    "anyio-asyncio": "asyncio",
    "twisted-asyncio": "asyncio",
    "trio-guest": "asyncio",
    "trio": "trio",
    "anyio-trio": "trio",
    "twisted": "twisted",
    "gevent": "gevent",
}

DIST_PACKAGES = Path("/usr/lib/python3/dist-packages")
LENT = """anyio async_generator attr attrs automat constantly exceptiongroup hyperlink idna incremental outcome
    sniffio sortedcontainers trio twisted typing_extensions.py zope"""


@functools.lru_cache(maxsize=None)
def lent_packages() -> str:
    folder = tempfile.mkdtemp(prefix="loophound-packages-")
    atexit.register(shutil.rmtree, folder)
    for name in LENT.split():
        if (DIST_PACKAGES / name).exists():
            os.symlink(DIST_PACKAGES / name, Path(folder) / name)
    return folder


def environment_of(interpreter: Interpreter) -> dict[str, str]:
    """Beside workload.environment(): where the interpreter finds the packages."""
    if interpreter == system_interpreter() or interpreter.root:  # which has its own, of its time
        return {}
    return {"PYTHONPATH": f"{WORKLOADS}:{lent_packages()}"}


@functools.lru_cache(maxsize=None)
def has_loop(interpreter: Interpreter, loop: str) -> bool:
    command = interpreter.command(script("under"), loop, script("nothing"))
    env = {"PYTHONPATH": str(WORKLOADS), "PYTHONDONTWRITEBYTECODE": "1", **environment_of(interpreter)}
    return subprocess.run(command, env=env, capture_output=True, timeout=60).returncode == 0


def on_loop(interpreter: Interpreter, loop: str) -> dict:
    """What watch_workload() is given to run a workload on that loop."""
    return {"through": (script("under"), loop), "env": environment_of(interpreter)}


def runs_on_any_loop(workload: str) -> bool:
    """Whether it leaves all that loops differ in to truth.py."""
    text = Path(script(workload)).read_text()
    return "\nrun(plant)\n" in text and "asyncio" not in text
