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


@dataclass
class Work:
    """What the server did in some time."""

    seconds: float
    requests: int
    cpu_ns: int

    def requests_per_s(self) -> float:
        return self.requests / self.seconds

    def cpu_us(self) -> float:
        """Per request."""
        return self.cpu_ns / 1e3 / self.requests


class Server(Child):
    def __init__(self, loop: str) -> None:
        super().__init__(PYTHON, str(HERE / "server_target.py"), loop, cpu=CPU_MEASURED)
        self.url = f"http://127.0.0.1:{self.line()[1]}/items?limit=10"

    def work(self, seconds: float) -> Work:
        before = self._numbers()
        time.sleep(seconds)
        took_ns, requests, cpu_ns = (b - a for a, b in zip(before, self._numbers()))
        if not requests:
            raise RuntimeError(f"no request answered in {seconds} s; wrk: {self.load.process.poll()}")
        return Work(took_ns / 1e9, requests, cpu_ns)

    def _numbers(self) -> list[int]:
        return [int(word) for word in self.ask("now").split()]

    @contextlib.contextmanager
    def saturated(self):
        """As long as this lasts."""
        with self._wrk(FOR_EVER_S) as self.load:
            time.sleep(1)  # connections, and caches
            yield
            self.load.process.send_signal(signal.SIGINT)

    def p99_us(self, seconds: int) -> float:
        """Under a load of its own."""
        with self._wrk(seconds) as wrk:
            line = ""
            while not line.startswith("{"):
                line = wrk.line(seconds + 10)[1]
        result = json.loads(line)
        if result["errors"]:
            raise RuntimeError(f"wrk: {result['errors']} errors")
        return result["p99_us"]

    def _wrk(self, seconds: int) -> Child:
        script = str(HERE / "wrk_result.lua")
        return Child("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, self.url, cpu=CPU_OTHER)
