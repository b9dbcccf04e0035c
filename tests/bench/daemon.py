"""`loophound watch`, from its start to its summary, `loophound serve`, and what they cost themselves."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request

from child import BUILD, PATIENCE, Child
from host import children, cpu_ns, rss_kib

LOOPHOUND = os.environ.get("LOOPHOUND") or str(BUILD / "loophound")


class Daemon(Child):
    def cpu_ns(self) -> int:
        """Of the daemon, its reader and its web process."""
        return sum(cpu_ns(pid) for pid in self.family())

    def rss_kib(self) -> int:
        """Of the same; pages that they share count twice."""
        return sum(rss_kib(pid) for pid in self.family())

    def family(self) -> list[int]:
        return [self.pid, *children(self.pid)]


class Serve(Daemon):
    """The service, told by a configuration whom to watch."""

    def __init__(self, config: str) -> None:
        super().__init__(
            LOOPHOUND, "serve", "--web.listen-address", "127.0.0.1:0", "--breaches.to", "none", "-c", config,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        while not (serving := re.search(r"serving on (http://127\.0\.0\.1:\d+)", self.line()[1])):
            pass
        self.url = serving[1]

    def scrape(self, **headers: str) -> bytes:
        request = urllib.request.Request(self.url + "/metrics", headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.read()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class Watch(Daemon):
    def __init__(self, *pids: int, arguments: tuple[str, ...] = (), **popen) -> None:
        targets = [word for pid in pids for word in ("-p", str(pid))]
        super().__init__(LOOPHOUND, "watch", *targets, "--format", "jsonl", *arguments, **popen)
        self.targets = set(pids)

    def record(self) -> tuple[int, dict]:
        arrived_ns, line = self.line()
        return arrived_ns, json.loads(line)

    def expect(self, kind: str, **members: object) -> tuple[int, dict]:
        """The next line of that type with those members."""
        wanted = {"type": kind, **members}
        while True:
            arrived_ns, record = self.record()
            if all(record.get(name) == value for name, value in wanted.items()):
                return arrived_ns, record

    def wait_attached(self) -> Watch:
        """Until the stacks of all targets can be read."""
        left = set(self.targets)
        while left:
            _, record = self.expect("target")
            if record["status"] != "ok":
                raise RuntimeError(f"loophound: a target is {record['status']}: {record['reason']}")
            left.discard(record["pid"])
        return self

    def stop(self) -> dict:
        """Ctrl-C; the summary."""
        os.kill(self.pid, signal.SIGINT)
        _, summary = self.expect("summary")
        self.process.wait()
        return summary


class SwitchedWatch(Watch):
    """One whose kernel half can be taken away and put back at once: see switch.c.  The daemon stands still meanwhile."""

    def __init__(self, *pids: int) -> None:
        self.switch, theirs = socket.socketpair()
        self.switch.settimeout(PATIENCE)
        fd = theirs.fileno()
        env = {**os.environ, "LD_PRELOAD": str(BUILD / "bench" / "switch.so"), "BENCH_SWITCH_FD": str(fd)}
        super().__init__(*pids, env=env, pass_fds=(fd,))
        theirs.close()
        self.is_on = True

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)
        super().__exit__(*exception)
        self.switch.close()

    def turn(self, is_on: bool) -> None:
        if is_on == self.is_on:
            return
        os.kill(self.pid, signal.SIGCONT)
        self.switch.sendall(b"1" if is_on else b"0")
        if (said := self.switch.recv(1000)) != b"ok\n":
            raise RuntimeError(f"loophound's programs cannot be switched: {said.decode() or 'it ended'}")
        if not is_on:
            os.kill(self.pid, signal.SIGSTOP)
        self.is_on = is_on


class Usage:
    """CPU share and memory of a daemon between two moments."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.since_ns, self.cpu_ns = time.monotonic_ns(), daemon.cpu_ns()

    def cores(self) -> float:
        return (self.daemon.cpu_ns() - self.cpu_ns) / (time.monotonic_ns() - self.since_ns)
