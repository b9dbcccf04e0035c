"""A terminal of some width, and what a command prints on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import unicodedata


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line)


def on_a_terminal(*command: str, width: int = 80, **variables: str) -> list[str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM", "COLUMNS")}
    with subprocess.Popen(command, stdout=theirs, env={**kept, **variables}):
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError), os.fdopen(ours, "rb", buffering=0) as output:
            while data := output.read(65536):  # an error once nobody has the other end
                said += data
    return said.decode().splitlines()
