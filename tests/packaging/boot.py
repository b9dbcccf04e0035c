"""What boot.sh starts: a systemd and a journald of their own, over this machine's files or in a container."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

from process import PATIENCE, Child
from watch import BINARY

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging/loophound.service"
MESSAGE_ID = "f1a1ff4d0e2c4f0d9b6c1e1d6d8a7c35"
SYS_ADMIN = (ROOT / "packaging/sys-admin.conf").read_text()
OWN_USER = (ROOT / "packaging/sys-user.conf").read_text()
DROP_INS = {"as shipped": "", "with CAP_SYS_ADMIN": SYS_ADMIN, "as a user of its own": OWN_USER}


class Boot(Child):
    """All of it has ended, and its cgroup is gone, when its `with` ends."""

    def __init__(self, directory: Path, lower: str, unit: str, systemctl: list[str]) -> None:
        for each in ("root", "shared", "upper"):
            (directory / each).mkdir(exist_ok=True)
        self.shared = directory / "shared"
        self.systemctl_command = systemctl
        self.cgroup = None
        super().__init__([str(ROOT / "tests/packaging/boot.sh"), str(directory), lower, unit])

    def __enter__(self):
        super().__enter__()
        line = self.out.wait_for(lambda each: each.startswith("loophound-boot-"))
        assert line, f"no cgroup of its own{self.dump()}"
        mounts = [each.split() for each in Path("/proc/mounts").read_text().splitlines()]
        self.cgroup = next(Path(where) / line for _, where, kind, *_ in mounts if kind == "cgroup2")
        return self

    def __exit__(self, *what) -> None:
        if self.cgroup:
            (self.cgroup / "cgroup.kill").write_text("1")
            wait_until(lambda: "populated 0" in (self.cgroup / "cgroup.events").read_text(), "all of it ended")
            for path in sorted((each for each in self.cgroup.rglob("*") if each.is_dir()), reverse=True):
                path.rmdir()
            self.cgroup.rmdir()
        super().__exit__(*what)

    def inside(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.enter() + [*command], capture_output=True, text=True, timeout=2 * PATIENCE)

    def systemctl(self, *arguments: str) -> str:
        done = self.inside(*self.systemctl_command, *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}{self.said()}"
        return done.stdout.strip()

    def show(self, name: str, unit: str = "loophound") -> str:
        return self.inside(*self.systemctl_command, "show", unit, "-P", name).stdout.strip()

    def journal(self, *filters: str) -> list[dict]:
        out = self.inside("journalctl", "-o", "json", "--no-pager", *filters).stdout
        return [json.loads(line) for line in out.splitlines()]

    def said(self) -> str:
        return self.inside("journalctl", "--no-pager", "-n", "40").stdout

    def wait_for(self, wanted, what: str) -> None:
        wait_until(wanted, what, self.said)

    def wait_active(self) -> None:
        self.wait_for(lambda: self.show("ActiveState") == "active", "active")

    def wait_knows(self, pid: int) -> None:
        """Until the stacks of that process can be read."""
        found = re.compile(rf"process {pid} .*: ok\b")
        self.wait_for(lambda: any(found.search(each["MESSAGE"]) for each in self.journal("_COMM=loophound")), f"{pid} found")

    def stalls_of(self, pid: int) -> list[dict]:
        """Entries of blocking calls that have ended: one that is told while it lasts has an entry of its own besides."""
        entries = self.journal(f"MESSAGE_ID={MESSAGE_ID}", f"OBJECT_PID={pid}", "LOOPHOUND_CAUSE=sleep")
        return [entry for entry in entries if entry["LOOPHOUND_ONGOING"] == "0"]

    def check_entries(self, pid: int, truths: list[dict], drop_in: str) -> dict:
        """Each stall that time_sleep.py planted has its entry, with the fields that docs/OPERATIONS.md lists; the first of them."""
        self.wait_for(lambda: len(self.stalls_of(pid)) == len(truths), "an entry for each stall")
        entry, truth = self.stalls_of(pid)[0], truths[0]
        assert (entry["CODE_FILE"], int(entry["CODE_LINE"]), entry["CODE_FUNC"]) == (truth["file"], truth["line"], truth["qualname"])
        assert entry["LOOPHOUND_RULE"] == "blocking-call"
        assert entry["_SYSTEMD_UNIT"] == "loophound.service"
        # journald takes it from root alone to say of another process what it is.
        comm = self.inside("cat", f"/proc/{pid}/comm").stdout.strip()
        assert entry.get("OBJECT_COMM") == (None if drop_in == OWN_USER else comm)
        assert json.loads(entry["LOOPHOUND_JSON"])["duration_ns"] == int(entry["LOOPHOUND_DURATION_NS"])
        return entry


class OnThisMachine(Boot):
    """The service as a unit of a user's manager, of root, among this machine's processes."""

    def __init__(self, directory: Path, drop_in: str = "") -> None:
        upper = directory / "upper"
        units = upper / "etc/systemd/user"
        for path in (units, upper / "usr/bin", upper / "etc/loophound"):
            path.mkdir(parents=True)
        shutil.copy(BINARY, upper / "usr/bin/loophound")
        shutil.copy(UNIT, units)
        shutil.copy(ROOT / "packaging/loophound.yaml", upper / "etc/loophound")
        if drop_in:
            (units / "loophound.service.d").mkdir()
            (units / "loophound.service.d/test.conf").write_text(drop_in)
        (units / "boot.target").write_text("[Unit]\nDescription=What the test starts\nWants=loophound.service\n")
        super().__init__(directory, "/", "boot.target", ["systemctl", "--user"])

    def enter(self) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "--mount", "--ipc", "--cgroup", "env", "XDG_RUNTIME_DIR=/run/user/0"]


class Container(Boot):
    """A container of this release of Debian with systemd as its process 1, and nothing of loophound's."""

    def __init__(self, directory: Path) -> None:
        made = subprocess.run([ROOT / "scripts/systemd_root.sh"], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        units = directory / "upper/etc/systemd/system"
        units.mkdir(parents=True)
        (units / "console-getty.service").symlink_to("/dev/null")  # there is no console
        super().__init__(directory, made.stdout.strip(), "multi-user.target", ["systemctl"])
        self.init = 0  # its process 1, as this machine numbers it

    def __enter__(self) -> "Container":
        super().__enter__()
        wait_until(self.has_booted, "booted", self.dump)
        return self

    def has_booted(self) -> bool:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        self.init = int(children[0]) if children else 0
        return self.init != 0 and self.inside("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def enter(self) -> list[str]:
        spaces = ["--mount", "--ipc", "--cgroup", "--pid", "--net", "--uts"]
        return ["nsenter", "-t", str(self.init), *spaces, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"]

    def here(self, pid: str) -> int:
        """The number that this machine has for a process of the service."""
        for line in (self.cgroup / "system.slice/loophound.service/cgroup.procs").read_text().split():
            if re.search(rf"^NSpid:.*\t{pid}$", Path(f"/proc/{line}/status").read_text(), re.MULTILINE):
                return int(line)
        raise AssertionError(f"no process {pid} in there")

    def on_its_network(self, *command: str) -> None:
        """By a program of this machine."""
        subprocess.run(["nsenter", "-t", str(self.init), "--net", *command], check=True)

    def script(self, text: str) -> str:
        """What it prints, with set -e."""
        done = self.inside("sh", "-ec", text)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self.said()}"
        return done.stdout


def wait_until(wanted, what: str, dump=lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline, f"never: {what}\n{dump()}"
        time.sleep(0.1)  # between two looks


def user_of(pid: str | int) -> int:
    return int(re.search(r"^Uid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])


def capabilities(status: str) -> set[str]:
    """That a process whose /proc/PID/status this is can have at most."""
    bound = re.search(r"^CapBnd:\t(\w+)", status, re.MULTILINE)[1]
    decoded = subprocess.run(["capsh", f"--decode={bound}"], capture_output=True, text=True, check=True).stdout
    return set(decoded.strip().split("=")[1].upper().split(","))
