"""A process that the bench starts, talks to line by line, and ends by its pid."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build"
PYTHON = "/usr/bin/python3"
PATIENCE = 30.0  # seconds; only ever used up by a failure


class Child:
    def __init__(self, *command: str, cpu: int | None = None, **popen) -> None:
        pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
        self.name = Path(command[0]).name
        self.spawned_ns = time.monotonic_ns()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=pin, **popen
        )
        self.pid = self.process.pid
        self.lines: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put((time.monotonic_ns(), line.decode().rstrip("\n")))
        self.lines.put((time.monotonic_ns(), None))

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends it: by the end of its standard input, or else by force."""
        self.process.stdin.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def say(self, line: str) -> None:
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, patience: float = PATIENCE) -> tuple[int, str]:
        """The next line, with the time at which it arrived."""
        try:
            arrived_ns, text = self.lines.get(timeout=patience)
        except queue.Empty:
            raise RuntimeError(f"{self.name}: silent for {patience} s") from None
        if text is None:
            raise RuntimeError(f"{self.name}: ended with {self.process.wait()}")
        return arrived_ns, text

    def ask(self, line: str, patience: float = PATIENCE) -> str:
        self.say(line)
        return self.line(patience)[1]


def target(script: str, *arguments: object, cpu: int | None = None) -> Child:
    """A Python program of this folder; it says one line when it is ready."""
    child = Child(PYTHON, str(HERE / script), *map(str, arguments), cpu=cpu)
    child.line()
    return child
