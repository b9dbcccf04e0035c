"""Somebody sets the clock on the wall: what is measured stays, what is said has the new time."""

from __future__ import annotations

import datetime
import json
import os

import pytest

from clocks import Clocks
from service import Service
from test_serve_keeps_going import watches

HOUR = 3600


def test_the_clock_jumps(python, tmp_path):
    clocks = Clocks(tmp_path)
    with Service("--breaches.to", "none", env=clocks.environment) as service:
        service.wait_serving()
        for jump in (0, HOUR, -240 * HOUR):
            clocks.put(wall_s=jump)
            pid = watches(service, python)  # its stalls are as long as ever
            now = datetime.datetime.now(datetime.timezone.utc).timestamp() + jump
            mine = [each for each in json.loads(service.ask("/api/v1/breaches").body) if each["pid"] == pid]
            assert mine
            for each in mine:
                said = datetime.datetime.fromisoformat(each["time"].replace("Z", "+00:00")).timestamp()
                assert now - 60 < said <= now + 1, (jump, each["time"])
        assert service.value("loophound_web_process_restarts_total") == 0
        assert service.value("loophound_read_watchdog_kills_total") == 0


@pytest.mark.parametrize("offset_s", [100_000, -5])
def test_a_time_namespace(python, offset_s):
    """Where its own clocks are not the host's, which the kernel half's times are of."""
    prefix = ("unshare", "--time", "--monotonic", str(offset_s), "--boottime", str(offset_s))
    with Service("--breaches.to", "none", prefix=prefix) as service:
        service.wait_serving()
        assert os.readlink(f"/proc/{service.pid}/ns/time") != os.readlink("/proc/self/ns/time")
        pid = watches(service, python)
        breaches = json.loads(service.ask("/api/v1/breaches").body)
        assert any(each["pid"] == pid for each in breaches)
        now = datetime.datetime.now(datetime.timezone.utc).timestamp()
        for each in breaches:  # also of iterations that were under way
            assert each["duration_ns"] < 60e9, each
            said = datetime.datetime.fromisoformat(each["time"].replace("Z", "+00:00")).timestamp()
            assert now - 60 < said <= now + 1, each
