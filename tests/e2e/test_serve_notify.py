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
