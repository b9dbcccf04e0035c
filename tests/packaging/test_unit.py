"""The unit as it is shipped, under a systemd and a journald of its own, among this machine's processes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from boot import DROP_INS, OWN_USER, ROOT, SYS_ADMIN, UNIT, OnThisMachine, capabilities, user_of
from interpreters import system_interpreter
from workload import Workload


def test_security(tmp_path):
    """3.0 at most, with a drop-in too; test_container.py asks of the loaded unit, and verifies it."""
    for name, drop_in in DROP_INS.items():
        unit = tmp_path / name / "loophound.service"
        unit.parent.mkdir()
        unit.write_text(UNIT.read_text() + drop_in)
        security = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", unit]
        check = subprocess.run(security, capture_output=True, text=True)
        assert check.returncode == 0, check.stdout


def test_the_manual_is_well_formed():
    page = ROOT / "packaging/loophound.8"
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


@pytest.mark.parametrize("drop_in", DROP_INS.values(), ids=DROP_INS)
def test_it_watches_reloads_and_stops(tmp_path, drop_in):
    with OnThisMachine(tmp_path, drop_in) as boot, Workload("time_sleep", system_interpreter()) as program:
        boot.wait_active()
        program.wait_ready()
        boot.wait_knows(program.pid)
        program.go()
        program.wait_done()
        boot.check_entries(program.pid, program.truths(), drop_in)

        status = Path(f"/proc/{boot.show('MainPID')}/status").read_text()
        wanted = "CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_CHECKPOINT_RESTORE"
        wanted += " CAP_SYS_ADMIN" if drop_in == SYS_ADMIN else ""
        assert capabilities(status) == set(wanted.split())
        assert (user_of(boot.show("MainPID")) == 0) == (drop_in != OWN_USER)
        assert boot.show("NRestarts") == "0"
        assert "records lost" in boot.show("StatusText")
        said = [each["MESSAGE"] for each in boot.journal("_COMM=loophound") if ": error:" in each["MESSAGE"]]
        assert not said, "no part of it is refused anything"

        boot.systemctl("reload", "loophound")
        boot.wait_for(lambda: any(each["MESSAGE"].endswith("reload: done") for each in boot.journal()), "reloaded")
        boot.systemctl("stop", "loophound")
        assert (boot.show("ActiveState"), boot.show("Result")) == ("inactive", "success")
        program.end()
