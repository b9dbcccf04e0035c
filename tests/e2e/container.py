"""Roots, namespaces and cgroups as a container has them, made of what this machine has: no image, no network."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

from interpreters import Interpreter
from process import Child, poll
from workload import environment

ID = "0123456789abcdef" * 4
POD = "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901"

# Waits for a line, then blocks its loop: on line 8.
APP = textwrap.dedent("""\
    import asyncio
    import sys
    import threading
    import time


    async def handler():
        time.sleep(0.12)


    async def main():
        loop = asyncio.get_running_loop()
        print("ready", flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            await handler()
            print("done", flush=True)


    asyncio.run(main())
    """)
STALL_NS, STALL_LINE = 120_000_000, 8

_numbers = itertools.count(1)


def _libraries(file: str) -> list[str]:
    """What the dynamic loader maps for a program, the loader itself too."""
    found = subprocess.run(["ldd", file], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", found)


def make_root(folder: Path, interpreter: Interpreter) -> Path:
    """A root directory with the interpreter, as much of its library as asyncio needs, and the program."""
    where = "import sysconfig; print(sysconfig.get_path('stdlib'), sysconfig.get_config_var('DESTSHARED'))"
    said = subprocess.run([interpreter.path, "-c", where], capture_output=True, text=True, check=True).stdout
    stdlib, modules = said.split()
    unused = ("__pycache__", "test", "tests", "idlelib", "tkinter", "lib2to3", "ensurepip", "config-*", "*-packages",
              "distutils", "pydoc_data", "turtledemo", "unittest", "lib-dynload")  # fmt: skip
    shutil.copytree(stdlib, folder / stdlib[1:], ignore=shutil.ignore_patterns(*unused))
    extensions = [str(path) for path in Path(modules).glob("*.so")]
    wanted = [path for path in extensions if not re.search("test|tk|curses|readline|dbm|crypt|ssl|sqlite", path)]
    files = {interpreter.path, *wanted}
    files |= {library for file in list(files) for library in _libraries(file)}
    for file in files:
        place = folder / file[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    (folder / "srv").mkdir()
    (folder / "srv/app.py").write_text(APP)
    (folder / "old").mkdir()
    return folder


class App(Child):
    """The program above, somewhere; `pid` is the host's number of the interpreter."""

    def __init__(self, *command: str, **popen) -> None:
        super().__init__(list(command), env={"PATH": environment()["PATH"], **popen.pop("env", {})}, **popen)
        self.started = self.pid

    def wait_ready(self) -> "App":
        self.expect("the program's ready line", lambda line: line == "ready")
        while True:  # unshare stays its parent
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            if not children:
                return self
            self.pid = int(children[0])

    def stall(self) -> None:
        nr = self.out.lines.count("done")
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        poll("the stall", lambda: self.out.lines.count("done") > nr)


def contained(root: Path, interpreter: Interpreter) -> list[str]:
    """The program in namespaces of its own, with another root, as container runtimes do it (the old one is left at /old)."""
    enter = 'mount --bind "$0" "$0" && cd "$0" && pivot_root . old && exec "$@"'
    return [
        *("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount", "--net", "--uts", "--ipc"),
        *("sh", "-c", enter, str(root), interpreter.path, "/srv/app.py"),
    ]


def hierarchies() -> dict[str, Path]:
    """Where cgroups can be made: of version 1 (any), of version 2."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, kind = line.split()[4], line.split(" - ")[1].split()[0]
        if kind == "cgroup2":
            found["v2"] = Path(fields)
        elif kind == "cgroup" and not line.split(" - ")[1].split()[2].endswith("cpuset"):
            found["v1"] = Path(fields)
    return found


@contextlib.contextmanager
def in_cgroup(pid: int, hierarchy: Path, path: str):
    """Put a process into a cgroup that is made for it, below one of ours that is no unit."""
    top = hierarchy / f"loophoundtest{os.getpid()}n{next(_numbers)}.slice"
    group = top / path
    group.mkdir(parents=True)
    try:
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for member in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):  # it may be gone by now
                (hierarchy / "cgroup.procs").write_text(member)
        while group != top:
            group.rmdir()
            group = group.parent
        top.rmdir()
