"""`loophound serve` and what is beside it in a test: an HTTP client, promtool, a real Prometheus."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.parse
from pathlib import Path

from process import PATIENCE, Child
from watch import Loophound
from workload import Workload

ROOT = Path(__file__).resolve().parents[2]
SERVING = re.compile(r"serving on (https?)://127\.0\.0\.1:(\d+)$")


class Service(Loophound):
    """`loophound serve` on a port of its own."""

    def __init__(self, *arguments: str, user: str | None = None, **popen) -> None:
        super().__init__("serve", "--web.listen-address", "127.0.0.1:0", *arguments, **popen)
        self.scheme, self.port = "http", 0
        self.headers = {}
        if user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()

    def wait_serving(self) -> "Service":
        line = self.err.wait_for(lambda each: bool(SERVING.search(each)))
        assert line, f"it never served{self.dump()}"
        self.scheme, port = SERVING.search(line).groups()
        self.port = int(port)
        return self

    def wait_knows(self, pid: int) -> None:
        """Until the stacks of that process can be read."""
        wanted = re.compile(rf"process {pid} .*: ok\b")
        assert self.err.wait_for(lambda line: bool(wanted.search(line))), f"{pid} was never found{self.dump()}"

    def run(self, program: Workload) -> None:
        """To its last line but its end, known to the service before it begins."""
        program.wait_ready()
        self.wait_knows(program.pid)
        program.go()
        program.wait_done()

    def connect(self) -> http.client.HTTPConnection:
        if self.scheme == "https":
            lenient = ssl._create_unverified_context()
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=lenient)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, path: str, method: str = "GET", **headers: str):
        """The response, read, with its body in .body."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, headers={**self.headers, **headers})
            response = connection.getresponse()
            response.body = response.read()
            return response

    def metrics(self) -> str:
        """Asked again when it was too often, or when a machine that is busy had no time for an answer."""
        return self.wait_metrics(lambda text: True)

    def wait_metrics(self, wanted) -> str:
        """The metrics once they are as wanted; asked again when it was too often."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            response = self.ask("/metrics")
            if response.status == 200 and wanted(response.body.decode()):
                return response.body.decode()
            time.sleep(0.1)  # between two looks
        raise AssertionError(f"not as wanted: {response.status} {response.body[-2000:]}{self.dump()}")

    def value(self, name: str, **labels: str) -> float | None:
        """Of the one series that has these labels."""
        for line in self.metrics().splitlines():
            found = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
            if found and labels.items() <= labels_of(found[1] or "").items():
                return float(found[2])
        return None

    def wait_value(self, wanted, name: str, **labels: str) -> float:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            value = self.value(name, **labels)
            if value is not None and wanted(value):
                return value
            time.sleep(0.1)  # between two looks; what ends the wait is the value
        raise AssertionError(f"{name} {labels} stayed {value}{self.dump()}")


def children(pid: int) -> dict[str, int]:
    """Its processes by what they call themselves."""
    found = {}
    for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
            found[Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")[0].decode()] = int(each)
    return found


@contextlib.contextmanager
def reader_stopped(interpreter, *arguments: str):
    """A service, a program it knows that has just begun to stall, and the service's reader, which is not going to say where."""
    with Service(*arguments) as service, Workload("time_sleep", interpreter) as program:
        service.wait_serving()
        program.wait_ready()
        service.wait_knows(program.pid)
        reader = children(service.pid)["loophound-reader"]
        os.kill(reader, signal.SIGSTOP)
        program.go()
        yield service, program, reader
        program.end()


def labels_of(text: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text))


def prometheus_tool(name: str) -> str:
    """promtool or prometheus, the distribution's, unpacked below build/."""
    run = subprocess.run(["sh", str(ROOT / "scripts" / "prometheus.sh")], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return str(ROOT / run.stdout.strip() / name)


class Prometheus(Child):
    """A real one that scrapes a service four times a second."""

    def __init__(self, service: Service, directory: Path) -> None:
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"},
            "scrape_configs": [
                {"job_name": "loophound", "static_configs": [{"targets": [f"127.0.0.1:{service.port}"]}]}
            ],
        }
        (directory / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        super().__init__(
            [
                prometheus_tool("prometheus"),
                f"--config.file={directory}/prometheus.yml",
                f"--storage.tsdb.path={directory}/data",
                "--web.listen-address=127.0.0.1:0",
                "--log.format=json",
            ]
        )
        line = self.err.wait_for(lambda each: '"msg":"Listening on"' in each or "Listening on" in each)
        assert line, f"it never listened{self.dump()}"
        self.port = int(json.loads(line)["address"].rsplit(":", 1)[1])
        assert self.err.wait_for(lambda each: "Server is ready to receive web requests" in each), self.dump()

    def query(self, promql: str) -> list[dict]:
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": promql})
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            answer = json.loads(connection.getresponse().read())
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def wait_value(self, promql: str, wanted) -> float:
        deadline = time.monotonic() + PATIENCE
        value = None
        while time.monotonic() < deadline:
            result = self.query(promql)
            value = float(result[0]["value"][1]) if result else None
            if value is not None and wanted(value):
                return value
            time.sleep(0.1)  # as above
        raise AssertionError(f"{promql} stayed {value}{self.dump()}")
