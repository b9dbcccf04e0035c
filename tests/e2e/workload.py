"""Runs the programs of tests/workloads/ and collects the truth they print."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
from pathlib import Path

from interpreters import Interpreter
from process import Child

WORKLOADS = Path(__file__).resolve().parent.parent / "workloads"
PROGRAMS = Path(__file__).resolve().parent / "programs"  # that speak as workloads do, for one test each
NOT_WORKLOADS = {"truth", "peer", "crowd", "package"}

_dns_number = itertools.count(1)


def find_workloads() -> list[str]:
    return sorted(path.stem for path in WORKLOADS.glob("*.py") if path.stem not in NOT_WORKLOADS)


def script(name: str) -> str:
    own = PROGRAMS / f"{name}.py"
    return str(own if own.exists() else WORKLOADS / f"{name}.py")


def environment() -> dict[str, str]:
    """Ours without what would change how Python starts or where HTTP goes."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("PYTHON") and not key.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(WORKLOADS)}


class Workload(Child):
    """One run of a workload: ready, go, done, end."""

    def __init__(
        self,
        name: str,
        interpreter: Interpreter,
        *arguments: str,
        through: tuple[str, ...] = (),  # a script that runs the workload, with its arguments
        env: dict[str, str] | None = None,
    ) -> None:
        command = interpreter.command(*through, script(name), *arguments)
        if name.startswith("dns_"):
            command = in_own_resolver(command)
        super().__init__(command, env={**environment(), **(env or {})})

    def wait_ready(self) -> None:
        self.expect("the workload's ready line", lambda line: '"ready"' in line)

    def go(self) -> None:
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def wait_done(self) -> None:
        self.expect("the workload's done line", lambda line: '"done"' in line)

    def end(self) -> None:
        self.process.stdin.close()
        code = self.wait()
        assert code == 0, f"the workload failed{self.dump()}"

    def truths(self) -> list[dict]:
        return [line for line in map(json.loads, self.out.lines) if "truth" in line]

    def done(self) -> dict:
        return json.loads(self.out.lines[-1])


def in_own_resolver(command: list[str]) -> list[str]:
    """The command in a mount namespace whose /etc/resolv.conf names a loopback address of its own.

    libc asks port 53 and nothing else, so that each run that may be under way needs another address.
    """
    high, low = divmod(os.getpid() * 61 + next(_dns_number), 250)
    with tempfile.NamedTemporaryFile("w", prefix="loophound-resolv-", delete=False) as resolv_conf:
        resolv_conf.write(f"nameserver 127.53.{high % 250}.{low + 1}\noptions attempts:1 timeout:10\n")
    bind = 'mount --bind "$0" /etc/resolv.conf && rm "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", bind, resolv_conf.name, *command]


@contextlib.contextmanager
def _in_cgroup(pid: int, controller: str, v1: dict[str, str], v2: dict[str, str]):
    """Put a process into a cgroup of its own, in the hierarchy that has the controller."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        root, settings = Path("/sys/fs/cgroup"), v2
        (root / "cgroup.subtree_control").write_text(f"+{controller}")
    else:
        root, settings = Path("/sys/fs/cgroup") / {"io": "blkio"}.get(controller, controller), v1
    group = root / f"loophound-test-{pid}"
    group.mkdir()
    try:
        for file, value in settings.items():
            (group / file).write_text(value)
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for member in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):  # it may be gone by now
                (root / "cgroup.procs").write_text(member)
        group.rmdir()


def throttled(pid: int):
    """10 ms of CPU time in 100 ms."""
    period_us, quota_us = 100_000, 10_000
    v1 = {"cpu.cfs_period_us": str(period_us), "cpu.cfs_quota_us": str(quota_us)}
    return _in_cgroup(pid, "cpu", v1, {"cpu.max": f"{quota_us} {period_us}"})


def slow_disk(pid: int):
    """50 reads a second from the disk that the workloads are on."""
    device = Path(f"/sys/dev/block/{os.major(WORKLOADS.stat().st_dev)}:{os.minor(WORKLOADS.stat().st_dev)}").resolve()
    if (device / "partition").exists():
        device = device.parent
    number = (device / "dev").read_text().strip()
    v1 = {"blkio.throttle.read_iops_device": f"{number} 50"}
    return _in_cgroup(pid, "io", v1, {"io.max": f"{number} riops=50"})


HOSTS = {"starved_throttle": throttled, "starved_page_fault": slow_disk}  # what a workload runs in
