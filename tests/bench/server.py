"""The aiohttp server of the bench, and the load on it: the server on one CPU, wrk on the other."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from dataclasses import dataclass

from child import HERE, PYTHON, Child
from host import CPU_MEASURED, CPU_OTHER

CONNECTIONS = 32
FOR_EVER_S = 3600
LOAD_S = 1
SETTLE_S = 0.1  # its beginning and its end are not looked at


@dataclass
class Work:
    """What the server did in some time, without what it spent on gauging the machine."""

    seconds: float
    requests: int
    cpu_ns: int
    gauge_ns: float  # how long a fixed piece of work took meanwhile: the machine's speed

    def requests_per_s(self) -> float:
        return self.requests / self.seconds

    def cpu_us(self) -> float:
        """Per request."""
        return self.cpu_ns / 1e3 / self.requests

    def requests_per_gauge(self) -> float:
        """As requests_per_s(), in units of the machine's speed."""
        return self.requests_per_s() * self.gauge_ns / 1e9

    def cpu_gauges(self) -> float:
        """As cpu_us()."""
        return self.cpu_us() * 1e3 / self.gauge_ns


class Server(Child):
    def __init__(self, loop: str) -> None:
        super().__init__(PYTHON, str(HERE / "server_target.py"), loop, cpu=CPU_MEASURED)
        self.url = f"http://127.0.0.1:{self.line()[1]}/items?limit=10"

    def work(self, seconds: float) -> Work:
        before = self._numbers()
        time.sleep(seconds)
        after = self._numbers()
        took_ns, requests, cpu_ns, gauging_ns, gauges = (b - a for a, b in zip(before, after))
        if not requests or not gauges:
            raise RuntimeError(f"{requests} requests answered in {seconds} s; wrk: {self.load.process.poll()}")
        return Work((took_ns - gauging_ns) / 1e9, requests, cpu_ns - gauging_ns, gauging_ns / gauges)

    def _numbers(self) -> list[int]:
        return [int(word) for word in self.ask("now").split()]

    @contextlib.contextmanager
    def saturated(self):
        """As long as this lasts."""
        with self._wrk(FOR_EVER_S) as self.load:
            time.sleep(1)  # connections, and caches
            yield
            self.load.process.send_signal(signal.SIGINT)

    def work_and_p99_us(self) -> tuple[Work, float]:
        """Under a load of its own, of LOAD_S."""
        with self._wrk(LOAD_S) as self.load:
            time.sleep(SETTLE_S)
            work = self.work(LOAD_S - 2 * SETTLE_S)
            line = ""
            while not line.startswith("{"):
                line = self.load.line(LOAD_S + 10)[1]
        result = json.loads(line)
        if result["errors"]:
            raise RuntimeError(f"wrk: {result['errors']} errors")
        return work, result["p99_us"]

    def _wrk(self, seconds: int) -> Child:
        script = str(HERE / "wrk_result.lua")
        return Child("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, self.url, cpu=CPU_OTHER)
