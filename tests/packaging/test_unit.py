"""The unit as it is shipped, under a systemd and a journald of its own."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from interpreters import system_interpreter
from process import PATIENCE, Child
from watch import BINARY
from workload import Workload

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging/loophound.service"
MESSAGE_ID = "f1a1ff4d0e2c4f0d9b6c1e1d6d8a7c35"
DROP_IN = ROOT / "packaging/sys-admin.conf"
OWN_USER = ROOT / "packaging/sys-user.conf"


def test_security(tmp_path):
    """3.0 at most, with the drop-in too; test_deb.py verifies the unit where it is installed."""
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager"]
    check = subprocess.run([*security, UNIT], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    for drop_in in (DROP_IN, OWN_USER):
        unit = tmp_path / drop_in.stem / "loophound.service"
        unit.parent.mkdir()
        unit.write_text(UNIT.read_text() + drop_in.read_text())
        check = subprocess.run([*security, unit], capture_output=True, text=True)
        assert check.returncode == 0, check.stdout


def test_the_manual_is_well_formed():
    page = ROOT / "packaging/loophound.8"
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


class Boot(Child):
    """boot.sh with the unit and the configuration that are shipped."""

    def __init__(self, directory: Path, drop_in: str = "") -> None:
        upper = directory / "upper"
        units = upper / "etc/systemd/user"
        for path in (directory / "root", directory / "shared", units, upper / "usr/bin", upper / "etc/loophound"):
            path.mkdir(parents=True)
        shutil.copy(BINARY, upper / "usr/bin/loophound")
        shutil.copy(UNIT, units)
        shutil.copy(ROOT / "packaging/loophound.yaml", upper / "etc/loophound")
        if drop_in:
            (units / "loophound.service.d").mkdir()
            (units / "loophound.service.d/test.conf").write_text(drop_in)
        (units / "boot.target").write_text("[Unit]\nDescription=What the test starts\nWants=loophound.service\n")
        super().__init__([str(ROOT / "tests/packaging/boot.sh"), str(directory), "boot.target"])
        self.cgroup = None

    def __enter__(self) -> "Boot":
        super().__enter__()
        line = self.out.wait_for(lambda each: each.startswith("loophound-boot-"))
        assert line, f"no cgroup of its own{self.dump()}"
        self.cgroup = next(Path(where) / line for kind, where in mounts() if kind == "cgroup2")
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
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--ipc", "--cgroup", "env", "XDG_RUNTIME_DIR=/run/user/0"]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=PATIENCE)

    def show(self, name: str) -> str:
        return self.inside("systemctl", "--user", "show", "loophound", "-P", name).stdout.strip()

    def journal(self, *filters: str) -> list[dict]:
        out = self.inside("journalctl", "-o", "json", "--no-pager", *filters).stdout
        return [json.loads(line) for line in out.splitlines()]

    def wait_for(self, wanted, what: str) -> None:
        wait_until(wanted, what, lambda: self.inside("journalctl", "--no-pager", "-n", "40").stdout)


def mounts() -> list[tuple[str, str]]:
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [(fields[2], fields[1]) for fields in lines]


def wait_until(wanted, what: str, dump=lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline, f"never: {what}\n{dump()}"
        time.sleep(0.1)  # between two looks


@pytest.mark.parametrize(
    "drop_in", ["", DROP_IN.read_text(), OWN_USER.read_text()], ids=["as shipped", "with CAP_SYS_ADMIN", "as a user of its own"]
)
def test_it_watches_reloads_and_stops(tmp_path, drop_in):
    with Boot(tmp_path, drop_in) as boot, Workload("time_sleep", system_interpreter()) as program:
        boot.wait_for(lambda: boot.show("ActiveState") == "active", "active")
        program.wait_ready()
        found = f"process {program.pid} "
        boot.wait_for(lambda: any(found in entry["MESSAGE"] and ": ok" in entry["MESSAGE"] for entry in boot.journal()), "found")
        program.go()
        program.wait_done()
        truths = program.truths()

        mine = (f"MESSAGE_ID={MESSAGE_ID}", f"OBJECT_PID={program.pid}", "LOOPHOUND_CAUSE=sleep")
        # A stall that is told while it lasts has an entry of its own besides.
        boot.wait_for(lambda: len(ended(boot.journal(*mine))) == len(truths), "an entry for each stall")
        entry, truth = ended(boot.journal(*mine))[0], truths[0]
        assert entry["CODE_FILE"] == truth["file"]
        assert (int(entry["CODE_LINE"]), entry["CODE_FUNC"]) == (truth["line"], truth["qualname"])
        assert entry["LOOPHOUND_RULE"] == "blocking-call"
        if drop_in == OWN_USER.read_text():  # who is not root may say of no other process what it is
            assert "OBJECT_COMM" not in entry
        else:
            assert entry["OBJECT_COMM"] == Path(f"/proc/{program.pid}/comm").read_text().strip()
        assert json.loads(entry["LOOPHOUND_JSON"])["duration_ns"] == int(entry["LOOPHOUND_DURATION_NS"])
        assert entry["_SYSTEMD_UNIT"] == "loophound.service"

        wanted = "CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_CHECKPOINT_RESTORE"
        wanted += " CAP_SYS_ADMIN" if drop_in == DROP_IN.read_text() else ""
        assert set(capabilities(boot.show("MainPID"))) == set(wanted.split())
        assert (user_of(boot.show("MainPID")) == 0) == (drop_in != OWN_USER.read_text())
        assert boot.show("NRestarts") == "0"
        assert "records lost" in boot.show("StatusText")
        said = [each["MESSAGE"] for each in boot.journal("_COMM=loophound") if ": error:" in each["MESSAGE"]]
        assert not said, "no part of it is refused anything"

        assert boot.inside("systemctl", "--user", "reload", "loophound").returncode == 0
        boot.wait_for(lambda: any(each["MESSAGE"].endswith("reload: done") for each in boot.journal()), "reloaded")
        before = time.monotonic()
        assert boot.inside("systemctl", "--user", "stop", "loophound").returncode == 0
        took_s = time.monotonic() - before
        assert (boot.show("ActiveState"), boot.show("Result")) == ("inactive", "success"), took_s
        program.end()


def ended(entries: list[dict]) -> list[dict]:
    return [entry for entry in entries if entry["LOOPHOUND_ONGOING"] == "0"]


def user_of(pid: str) -> int:
    return int(re.search(r"^Uid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])


def capabilities(pid: str) -> list[str]:
    bound = re.search(r"^CapBnd:\t(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1]
    decoded = subprocess.run(["capsh", f"--decode={bound}"], capture_output=True, text=True, check=True).stdout
    return decoded.strip().split("=")[1].upper().split(",")


def test_the_watchdog_ends_one_that_stands_still(tmp_path):
    with Boot(tmp_path, "[Service]\nWatchdogSec=2\nRestartSec=100ms\n") as boot:
        boot.wait_for(lambda: boot.show("ActiveState") == "active", "active")
        with contextlib.suppress(ProcessLookupError):
            subprocess.run(["kill", "-STOP", boot.show("MainPID")], check=True)
        boot.wait_for(lambda: boot.show("NRestarts") == "1" and boot.show("ActiveState") == "active", "started again")
