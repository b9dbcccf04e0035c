"""What systemd is told: what happened, and that it is alive as long as it gets on."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from fusetrap import FuseTrap, hangs
from growth import bpftool, map_ids
from process import PATIENCE, poll
from service import Service
from watch import Loophound
from workload import Workload

WATCHDOG_S = 0.6


class Manager:
    """Its end of the socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.environment = {**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
        self.told: list[str] = []

    def hear(self, patience: float) -> str | None:
        self.socket.settimeout(patience)
        try:
            self.told.append(self.socket.recv(4096).decode())
        except TimeoutError:
            return None
        return self.told[-1]

    def wait_for(self, wanted: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not re.fullmatch(wanted, self.hear(PATIENCE) or ""):
            assert time.monotonic() < deadline, (wanted, self.told)

    def hear_all(self) -> None:
        """What was said until now."""
        while self.hear(0.001):
            pass


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    with manager.socket:
        yield manager


def test_what_happened_is_told(python, manager):
    with Service("--breaches.to", "none", env=manager.environment) as service, Workload("time_sleep", python) as program:
        manager.wait_for("READY=1")
        service.wait_serving()
        assert service.ask("/-/ready").status == 200, "what is told is so"
        service.run(program)
        manager.wait_for(r"STATUS=[1-9]\d* loops? in [1-9]\d* workers?, .*")
        program.end()
        service.send(signal.SIGHUP)
        manager.wait_for(r"RELOADING=1\nMONOTONIC_USEC=\d+")
        manager.wait_for("READY=1")
        service.send(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert service.wait() == 0


def test_ready_is_told_when_it_watches(python, manager):
    """It stands still as soon as that is heard: its programs are attached, and who ran before is in their table."""
    with Workload("time_sleep", python) as program, Service("--breaches.to", "none", env=manager.environment) as service:
        program.wait_ready()
        manager.wait_for("READY=1")
        service.send(signal.SIGSTOP)
        poll("it to stand still", lambda: "\nState:\tT" in Path(f"/proc/{service.pid}/status").read_text())
        assert nr_links(service.pid) > 10
        assert program.pid in targets(service.pid)
        service.send(signal.SIGCONT)
        service.wait_knows(program.pid)
        program.go()
        program.wait_done()
        program.end()


def nr_links(pid: int) -> int:
    """Attachments of BPF programs that it holds."""
    return sum("link_type" in path.read_text() for path in Path(f"/proc/{pid}/fdinfo").iterdir())


def targets(pid: int) -> set[int]:
    """Processes that its kernel half has been told of."""
    held = map_ids(pid)
    (number,) = (each["id"] for each in bpftool("map", "show")[0] if each["id"] in held and each["name"] == "targets")
    return {entry["formatted"]["key"] for entry in bpftool("map", "dump", "id", str(number))[0]}


def test_who_does_not_get_on_gives_no_sign(manager, tmp_path):
    """It hangs in a read that is never answered, as any process may somewhere."""
    folder = tmp_path / "fuse"
    folder.mkdir()
    with FuseTrap(folder) as trap:
        (folder / "c.yaml").write_text("breaches: {to: none}\n")
        arguments = ("-c", f"{folder}/c.yaml", "--web.listen-address", "127.0.0.1:0")
        with Loophound("serve", *arguments, env=manager.environment) as service:
            manager.wait_for("READY=1")
            manager.wait_for("WATCHDOG=1")
            begin = time.monotonic()
            manager.wait_for("WATCHDOG=1")
            assert time.monotonic() - begin < WATCHDOG_S

            trap.arm()
            service.send(signal.SIGHUP)
            poll("it to hang", lambda: hangs(service.pid))
            manager.hear_all()
            assert manager.hear(2 * WATCHDOG_S) is None, "a sign of life of who hangs"
            trap.end()
            manager.wait_for("WATCHDOG=1")
