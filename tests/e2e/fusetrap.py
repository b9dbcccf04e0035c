"""A file system whose process stops answering when it is told to."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "coverage"))
import slowfs  # noqa: E402

NEVER = 3600.0  # seconds: longer than any test
MNT_DETACH = 2


def hangs(pid: int) -> bool:
    """In the kernel, for what a file system does not answer."""
    return "request_wait_answer" in Path(f"/proc/{pid}/wchan").read_text()


class FuseTrap:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __enter__(self) -> "FuseTrap":
        slowfs.DELAY = NEVER
        self.is_ended = False
        self.file_system = slowfs.SlowFs(self.folder)
        return self

    def arm(self) -> None:
        self.file_system.slow(True)

    def end(self) -> None:
        """Everybody who waits for it gets an error, and goes on."""
        if self.is_ended:
            return
        self.is_ended = True
        os.kill(self.file_system.server, signal.SIGKILL)
        os.waitpid(self.file_system.server, 0)
        ctypes.CDLL(None).umount2(self.folder.encode(), MNT_DETACH)

    def __exit__(self, *exception: object) -> None:
        self.end()
