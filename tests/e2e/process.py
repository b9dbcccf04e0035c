"""A child process whose output is kept and can be waited for, line by line, with a deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from typing import Callable

PATIENCE = 30.0  # seconds; generous: it is only ever used up by a failure

# A shell's background job ignores it, and so would all that it starts: no watch would end on Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Lines:
    """Lines of a pipe as they come; read by a thread so that the writer never waits for us."""

    def __init__(self, stream) -> None:
        self.lines: list[str] = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream) -> None:
        with stream:
            for line in stream:
                with self.changed:
                    self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, wanted: Callable[[str], bool], seconds: float = PATIENCE) -> str | None:
        """The first line that is wanted, or None if the output ended or the time is up without it."""
        deadline = time.monotonic() + seconds
        seen = 0
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    return None
                self.changed.wait(left)

    def text(self) -> str:
        with self.changed:
            return "\n".join(self.lines)


class Child:
    """A process started by a test; killed with its group, if still there, when its `with` ends."""

    def __init__(self, command: list[str], **popen) -> None:
        self.command = command
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            **popen,
        )
        self.pid = self.process.pid
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()

    def dump(self) -> str:
        state = self.process.poll()
        ended = "still runs" if state is None else f"ended with {state}"
        return (
            f"\n$ {' '.join(self.command)}   ({ended})"
            f"\n--- stdout\n{_shorten(self.out.text())}\n--- stderr\n{_shorten(self.err.text())}\n"
        )

    def expect(self, what: str, wanted: Callable[[str], bool], seconds: float = PATIENCE) -> str:
        line = self.out.wait_for(wanted, seconds)
        assert line is not None, f"waited in vain for {what}{self.dump()}"
        return line

    def wait(self, seconds: float = PATIENCE) -> int:
        """Exit code, once the process is gone and all its output is here."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {seconds} s{self.dump()}") from None
        for lines in (self.out, self.err):
            lines.thread.join(PATIENCE)
        return code

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def _shorten(text: str, limit: int = 8000) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2]}\n[...]\n{text[-limit // 2 :]}"


def poll(what: str, done: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for something outside that tells nobody when it happens."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
