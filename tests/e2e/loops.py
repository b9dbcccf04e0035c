"""The loops that are not asyncio's own: which interpreter of this machine has them, and how a workload runs on one.

The distribution's packages are made for its interpreter; those that are all Python are lent to others as
copies without what is compiled, where they can be imported there.  From 3.12 on they are too old, and those of the first
root directory that has some (scripts/chroots.sh) are lent.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from interpreters import Interpreter, find_interpreters, system_interpreter
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
    packaging sniffio sortedcontainers trio twisted typing_extensions.py zope"""
LAST_MINOR_OF_DISTRIBUTION = 11


def dist_packages(interpreter: Interpreter) -> Path:
    return Path(f"{interpreter.root}{DIST_PACKAGES}")


def has_own_packages(interpreter: Interpreter) -> bool:
    is_of_debian = interpreter.root or interpreter == system_interpreter()
    return bool(is_of_debian) and (dist_packages(interpreter) / "trio").exists()


def _is_not_lent(folder: str, names: list[str]) -> list[str]:
    """Beside what is compiled: what makes a namespace of zope by a package that there need not be."""
    spared = ["__init__.py"] if folder.endswith("/zope") else []
    return [name for name in names if name.endswith(".so") or name in ("__pycache__", "test", "tests", *spared)]


@functools.lru_cache(maxsize=None)
def lent_packages(source: Path) -> str:
    """A folder in /tmp, which the root directories share."""
    top = tempfile.mkdtemp(prefix="loophound-lent-", dir="/tmp")
    atexit.register(shutil.rmtree, top)
    folder = Path(top) / "dist-packages"  # no application's, to loophound as well
    folder.mkdir()
    for name in LENT.split():
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=_is_not_lent)
        elif (source / name).exists():
            shutil.copy(source / name, folder)
    return str(folder)


def environment_of(interpreter: Interpreter) -> dict[str, str]:
    """Beside workload.environment(): where the interpreter finds the packages."""
    if has_own_packages(interpreter):
        return {}
    source = DIST_PACKAGES
    if interpreter.version[1] > LAST_MINOR_OF_DISTRIBUTION:
        source = next((dist_packages(each) for each in find_interpreters() if each.root and has_own_packages(each)), source)
    return {"PYTHONPATH": f"{WORKLOADS}:{lent_packages(source)}"}


@functools.lru_cache(maxsize=None)
def has_loop(interpreter: Interpreter, loop: str) -> bool:
    command = interpreter.command(script("under"), loop, script("nothing"))
    env = {"PYTHONPATH": str(WORKLOADS), **environment_of(interpreter)}  # what is lent is compiled once
    return subprocess.run(command, env=env, capture_output=True, timeout=60).returncode == 0


def on_loop(interpreter: Interpreter, loop: str) -> dict:
    """What watch_workload() is given to run a workload on that loop."""
    return {"through": (script("under"), loop), "env": environment_of(interpreter)}


# What a workload plants does not come about there: all is one step of one task or callback, which is cpu-bound; gevent looks
# at its descriptors again after some callbacks, if they took a switch interval (5 ms); a guest's timers end the wait of a
# thread of trio's, which waits for the GIL in the loop's stead.
NOT_ON = {
    "trio": {"overload_callbacks"},
    "anyio-trio": {"overload_callbacks"},
    "trio-guest": {"gil_at_wait", "overload_callbacks", "overload_tasks"},
    "twisted-asyncio": {"overload_callbacks", "overload_tasks"},
    "gevent": {"overload_callbacks", "overload_tasks"},
}


# Make loops of their own, of the policy that holds: uvloop's, if that is what they run on.
OWN_LOOPS = {"exits_at_once", "repeated_run", "run_until_complete_then_sync"}


def runs_on_loop(workload: str, loop: str) -> bool:
    """Whether it leaves all that loops differ in to truth.py, and there is something to plant."""
    text = Path(script(workload)).read_text()
    if loop == "uvloop" and workload in OWN_LOOPS:
        return True
    is_any = "asyncio" not in text or loop == "uvloop"  # which is one of asyncio's
    # A loop in a thread of its own ends it with its session.
    return ("    run(plant)\n" in text or "\nrun(plant)\n" in text or "target=run," in text) and is_any and workload not in NOT_ON.get(loop, ())
