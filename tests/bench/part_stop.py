"""How soon the service ends, and is there again right behind its end, with as many tasks as its unit allows."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from child import HERE, Child, target
from daemon import LOOPHOUND
from host import children
from spread import spread
from table import Row, row

UNIT = HERE.parents[1] / "packaging/loophound.service"
TARGETS = 256  # as many as can have USDT probes
MOST_MS = 1000
STALL_MS = 300


@contextlib.contextmanager
def limited_tasks():
    """A cgroup that allows what the unit does."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    unified = [Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2"]
    roots = [Path(where) for _, where, _, options, *_ in mounts if "pids" in options.split(",")]
    roots += [root for root in unified if "pids" in (root / "cgroup.subtree_control").read_text().split()]
    if not roots:
        raise RuntimeError("no cgroup here can limit tasks")
    group = roots[0] / f"loophound-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / "pids.max").write_text(re.search(r"^TasksMax=(\d+)$", UNIT.read_text(), re.MULTILINE)[1])
        yield group
    finally:
        group.rmdir()


def _nr_links(pid: int) -> int:
    nr = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            nr += "bpf_link" in os.readlink(path)
    return nr


def _start_and_stop(group: Path, targets: int, stalls: Child | None) -> tuple[float, float, int]:
    """From the start to the line that says it serves, from SIGTERM to the end, in ms; attachments in between.

    Where there is who stalls, it does right before the end, and the reader hangs: a name is awaited that does not come.
    """
    begun_ns = time.monotonic_ns()
    command = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group), LOOPHOUND, "serve", "--breaches.to", "none"]
    service = subprocess.Popen([*command, "--web.listen-address", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    with service:
        known = ready_ns = 0
        while not ready_ns or known < targets:
            line = service.stderr.readline()
            if not line:
                raise RuntimeError(f"serve ended with {service.wait()}")
            if "serving on" in line:
                ready_ns = time.monotonic_ns() - begun_ns
            known += bool(re.search(r"process \d+ .*: ok\b", line))
        links, before = _nr_links(service.pid), -1
        while links != before:
            time.sleep(0.5)
            links, before = _nr_links(service.pid), links
        if stalls:
            os.kill(_reader(service.pid), signal.SIGSTOP)
            stalls.ask("now")
        told_ns = time.monotonic_ns()
        service.send_signal(signal.SIGTERM)
        if code := service.wait():
            raise RuntimeError(f"serve ended with {code}")
    return ready_ns / 1e6, (time.monotonic_ns() - told_ns) / 1e6, links


def _reader(pid: int) -> int:
    return next(each for each in children(pid) if b"reader" in Path(f"/proc/{each}/cmdline").read_bytes())


def _measure(targets: int, rounds: int, hangs: bool = False) -> list[Row]:
    """Each start but the first is right behind an end."""
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(limited_tasks())
        stalls = stack.enter_context(target("stall_target.py", STALL_MS, 0, "asked")) if hangs else None
        if targets:
            loops = targets - 1 - hangs  # in children of one that is a target, too
            stack.enter_context(target("many_target.py", loops, 0, 1))
        starts, stops, links = zip(*(_start_and_stop(group, targets, stalls) for _ in range(rounds)))
    start, stop = spread(list(starts[1:])), spread(list(stops))
    what = f"serve, {targets} targets, {max(links)} attachments"
    if hangs:
        what += ", its reader hangs"
    return [
        row(f"{what}: start to ready right behind an end, ms", f"{start.text('{:.0f}')}, max {start.max:.0f}"),
        row(f"{what}: SIGTERM to its end, ms", f"{stop.text('{:.0f}')}, max {stop.max:.0f}", f"<= {MOST_MS}", stop.max <= MOST_MS),
    ]  # fmt: skip


def run(is_quick: bool) -> list[Row]:
    many = 2 if is_quick else 21
    return _measure(0, 4 if is_quick else 31) + _measure(TARGETS, many) + _measure(TARGETS, many, hangs=True)
