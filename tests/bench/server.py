"""The aiohttp server of the bench, and the load on it: the server on one CPU, its customers on the other."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from child import BUILD, HERE, PYTHON, Child
from host import CPU_MEASURED, CPU_OTHER, queued_ns, stolen_ticks

CONNECTIONS = 32
WARM_UP_S = 1  # connections, and caches


@dataclass
class Work:
    """What the server did in some time, without what it spent on gauging the machine."""

    seconds: float
    requests: int
    cpu_ns: int
    gauge_ns: float  # how long a fixed piece of work took meanwhile: the machine's speed
    latencies: list[tuple[int, int]]  # as the customers have them: us, answers; from the quickest on
    disturbed_s: float  # of both CPUs: the hypervisor gave it to other machines, or others here had it

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

    def latency_us(self) -> list[tuple[float, int]]:
        return [(us, answers) for us, answers in self.latencies]

    def latency_gauges(self) -> list[tuple[float, int]]:
        """As latency_us()."""
        return [(us * 1e3 / self.gauge_ns, answers) for us, answers in self.latencies]


class Server(Child):
    def __init__(self, loop: str) -> None:
        super().__init__(PYTHON, str(HERE / "server_target.py"), loop, cpu=CPU_MEASURED)
        self.port = self.line()[1]

    def work(self, seconds: float) -> Work:
        self.load.ask("")
        disturbed_s = self._disturbed_s()
        before = self._numbers()
        time.sleep(seconds)
        after = self._numbers()
        latencies = [tuple(map(int, pair.split(":"))) for pair in self.load.ask("").split()]
        took_ns, requests, cpu_ns, gauging_ns, gauges = (b - a for a, b in zip(before, after))
        if not requests or not gauges:
            raise RuntimeError(f"{requests} requests answered in {seconds} s")
        return Work((took_ns - gauging_ns) / 1e9, requests, cpu_ns - gauging_ns, gauging_ns / gauges, latencies,
                    self._disturbed_s() - disturbed_s)  # fmt: skip

    def _numbers(self) -> list[int]:
        return [int(word) for word in self.ask("now").split()]

    def _disturbed_s(self) -> float:
        ticks = stolen_ticks()
        stolen_s = sum(ticks[cpu] for cpu in {CPU_MEASURED, CPU_OTHER}) / 100
        return stolen_s + (queued_ns(self.pid) + queued_ns(self.load.pid)) / 1e9

    @contextlib.contextmanager
    def saturated(self):
        """As long as this lasts."""
        command = (str(BUILD / "bench" / "load"), self.port, "/items?limit=10", str(CONNECTIONS))
        with Child(*command, cpu=CPU_OTHER) as self.load:
            self.load.line()
            time.sleep(WARM_UP_S)
            yield
