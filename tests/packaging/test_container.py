"""The Debian package and its service in a container of Debian, where systemd is process 1."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest

from boot import DROP_INS, ROOT, SYS_ADMIN, OWN_USER, Container, capabilities, user_of

VERSION = (ROOT / "VERSION").read_text().strip()
# As an administrator would, but that no mirror is reached: what it depends on was fetched when the container was made.
INSTALL = "apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold /run/machine/"
DROP_IN = "/etc/systemd/system/loophound.service.d/test.conf"
PROGRAM = """
[Service]
ExecStart=/usr/bin/python3 /run/machine/workloads/time_sleep.py
Environment=PYTHONDONTWRITEBYTECODE=1
StandardInput=file:/run/machine/go
StandardOutput=file:/run/machine/said
"""


@contextlib.contextmanager
def booted(directory: Path, packages: Path):
    with Container(directory) as container:
        for each in ("this.deb", "next.deb"):
            shutil.copy(packages / each, container.shared)
        yield container


@pytest.fixture(scope="module")
def installed(packages, tmp_path_factory):
    """With the package in it. Each test puts the unit back to what it was."""
    with booted(tmp_path_factory.mktemp("container"), packages) as container:
        container.script(INSTALL + "this.deb")
        yield container


@contextlib.contextmanager
def drop_in(container: Container, text: str):
    """The service, started anew with that; without it, not running, at the end."""
    container.script(f"mkdir -p {Path(DROP_IN).parent}; cat > {DROP_IN} <<'END'\n{text}\nEND\nsystemctl daemon-reload")
    container.systemctl("restart", "loophound")
    yield
    container.script(f"systemctl stop loophound; rm -r {Path(DROP_IN).parent}; systemctl daemon-reload")


class Program:
    """time_sleep.py as a service of the container's systemd: pid in there, what it planted."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.said = container.shared / "said"

    def __enter__(self) -> "Program":
        shutil.copytree(ROOT / "tests/workloads", self.container.shared / "workloads", dirs_exist_ok=True)
        self.said.write_text("")
        os.mkfifo(self.container.shared / "go")
        self.go = os.open(self.container.shared / "go", os.O_RDWR)
        self.container.script(f"cat > /run/systemd/system/program.service <<'END'{PROGRAM}END\nsystemctl daemon-reload")
        self.container.systemctl("start", "program")
        self.container.wait_for(lambda: self.lines("ready"), "the program's ready line")
        self.pid = int(self.container.show("MainPID", "program"))
        return self

    def __exit__(self, *what) -> None:
        self.container.systemctl("stop", "program")
        os.close(self.go)
        (self.container.shared / "go").unlink()

    def lines(self, key: str) -> list[dict]:
        return [line for line in map(json.loads, self.said.read_text().splitlines()) if key in line]

    def plant(self) -> list[dict]:
        os.write(self.go, b"go\n")
        self.container.wait_for(lambda: self.lines("done"), "the program's done line")
        return self.lines("truth")


def test_what_was_installed_runs_and_is_what_it_says(installed):
    installed.wait_active()
    assert installed.show("Type") == "notify" and "0 records lost" in installed.show("StatusText")
    assert installed.show("UnitFileState") == "enabled"
    said = installed.script("loophound --version; systemd-analyze verify --man=no loophound.service 2>&1; dpkg --verify loophound")
    assert said.splitlines()[0].startswith(f"loophound {VERSION}") and len(said.splitlines()) == 1
    assert installed.script("systemctl list-units --failed --plain --no-legend") == ""


@pytest.mark.parametrize("text", DROP_INS.values(), ids=DROP_INS)
def test_it_watches_a_service_confined(installed, text):
    with drop_in(installed, text), Program(installed) as program:
        installed.wait_knows(program.pid)
        entry = installed.check_entries(program.pid, program.plant(), text)
        assert entry.get("OBJECT_SYSTEMD_UNIT") == (None if text == OWN_USER else "program.service")
        assert json.loads(entry["LOOPHOUND_JSON"])["unit"] == "program.service"
        assert installed.script("systemd-analyze security --threshold=30 loophound.service")
        check_sandbox(installed, text)
        refused = [each["MESSAGE"] for each in installed.journal("_COMM=loophound") if ": error:" in each["MESSAGE"]]
        assert not refused
        main = installed.show("MainPID")
        installed.systemctl("reload", "loophound")
        installed.wait_for(lambda: any(each["MESSAGE"].endswith("reload: done") for each in installed.journal(f"_PID={main}")), "reloaded")
        installed.systemctl("stop", "loophound")
        assert (installed.show("ActiveState"), installed.show("Result")) == ("inactive", "success")
        begun, done = (int(installed.show(f"{each}TimestampMonotonic")) for each in ("ActiveExit", "InactiveEnter"))
        assert done - begun < 1_000_000, "microseconds to stop"


def check_sandbox(container: Container, text: str) -> None:
    """What the unit asks for is in force: systemd leaves out what it cannot do."""
    main = container.show("MainPID")
    status = container.script(f"cat /proc/{main}/status")
    wanted = "CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_CHECKPOINT_RESTORE"
    assert capabilities(status) == {*wanted.split(), *(["CAP_SYS_ADMIN"] if text == SYS_ADMIN else [])}
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    host = container.here(main)
    assert (user_of(host) == 0) == (text != OWN_USER)
    mounts = [line.split() for line in Path(f"/proc/{host}/mounts").read_text().splitlines()]
    options = {where: each.split(",") for _, where, _, each, *_ in mounts}  # the last one there counts
    for where in ("/", "/proc/sys", "/sys/fs/cgroup", "/home", "/root", "/lib/modules"):
        assert "ro" in options.get(where, options["/"]), where
    assert "rw" in options["/var/log/private/loophound" if text == OWN_USER else "/var/log/loophound"]
    assert not (Path(f"/proc/{host}/root/dev") / "kmsg").exists()


def test_its_firewall_lets_nobody_in_who_is_not_named(installed):
    """A recipe of docs/OPERATIONS.md: from another address than loopback's."""
    container = installed
    address = "192.0.2.1"
    config = "web: {listen_address: '0.0.0.0:10911', allow_insecure: true}"
    run = f"[Service]\nExecStart=\nExecStart=/usr/bin/loophound serve -c {DROP_IN}.yaml\n"
    ask = f"python3 -c 'import urllib.request as u; print(u.urlopen(\"http://{address}:10911/-/healthy\", timeout=2).status)'"
    container.script(f"mkdir -p {Path(DROP_IN).parent}; echo \"{config}\" > {DROP_IN}.yaml")
    container.on_its_network("ip", "address", "add", f"{address}/32", "dev", "lo")
    with drop_in(container, run):
        container.wait_for(lambda: container.inside("sh", "-c", ask.replace(address, "127.0.0.1")).stdout == "200\n", "served")
        assert "timed out" in container.inside("sh", "-c", ask).stderr
        container.script(f"echo IPAddressAllow=192.0.2.0/24 >> {DROP_IN}; systemctl daemon-reload; systemctl restart loophound")
        container.wait_for(lambda: container.inside("sh", "-c", ask).stdout == "200\n", "who is named is let in")


def test_systemd_starts_it_again(installed):
    """Killed, and after it stood still: the watchdog. Pings go on after systemd has started itself anew."""
    with drop_in(installed, "[Service]\nWatchdogSec=2\nRestartSec=100ms\n"):
        for number in ("KILL", "STOP"):
            restarts, main = int(installed.show("NRestarts")), installed.show("MainPID")
            pinged = installed.show("WatchdogTimestampMonotonic")
            installed.wait_for(lambda: installed.show("WatchdogTimestampMonotonic") != pinged, "a ping")
            installed.script(f"kill -{number} {main}")
            installed.wait_for(lambda: int(installed.show("NRestarts")) == restarts + 1, "started again")
            installed.wait_active()
            assert installed.show("MainPID") != main
            if number == "KILL":
                installed.systemctl("daemon-reexec")
        assert "watchdog" in installed.said()


# All files but those that apt and dpkg keep for themselves, and what runs.
FILES = "find / -xdev '(' -path /proc -o -path /run -o -path /tmp -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log/apt ')' -prune -o -print | sort"


def test_upgrade_and_purge(packages, tmp_path):
    with booted(tmp_path, packages) as container:
        before = container.script(FILES)
        container.script(INSTALL + "this.deb")
        container.wait_active()
        main = container.show("MainPID")
        container.script(INSTALL + "next.deb")
        container.wait_active()
        assert container.show("MainPID") != main
        assert container.script(f"readlink /proc/{container.show('MainPID')}/exe") == "/usr/bin/loophound\n", "the new file"
        assert container.script("dpkg-query -W -f '${Version}' loophound") == f"{VERSION}+next"
        assert container.script("head -n 1 /etc/loophound/loophound.yaml") == "# next\n"

        container.script("systemctl disable --now loophound; apt-get reinstall -q -y /run/machine/next.deb")
        assert (container.show("ActiveState"), container.show("UnitFileState")) == ("inactive", "disabled"), "who stopped it wants it so"
        container.script("systemctl enable loophound; apt-get remove -q -y loophound")
        assert container.show("LoadState") in ("not-found", "masked")
        container.script(INSTALL + "next.deb")
        container.wait_active()

        with drop_in(container, OWN_USER):
            container.wait_active()
            assert "/var/log/private/loophound" in container.script(FILES)
        container.systemctl("start", "loophound")
        container.script("apt-get purge -q -y --autoremove loophound")
        assert container.show("LoadState") == "not-found"
        assert not (container.cgroup / "system.slice/loophound.service").exists(), "nothing of it runs"
        assert set(container.script(FILES).splitlines()) - set(before.splitlines()) == set()
