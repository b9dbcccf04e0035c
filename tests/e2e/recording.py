"""Recordings: made, reported, and just enough of their format (bpf/events.h) to see what no report shows."""

from __future__ import annotations

import struct
from pathlib import Path

from watch import Loophound, Watch
from workload import Workload

EV_LOOP = 1


def records(path: Path):
    """Type and bytes of each record."""
    data = path.read_bytes()
    (offset,) = struct.unpack_from("<I", data, 12)  # the header's own size
    while offset < len(data):
        kind, size = struct.unpack_from("<II", data, offset)
        assert 24 <= size <= len(data) - offset, f"a record of {size} bytes at {offset}"
        yield kind, data[offset : offset + size]
        offset += -(-size // 8) * 8


def wait_syscalls(path: Path) -> list[int]:
    """The number of the system call that each loop of it waited in."""
    return [struct.unpack_from("<i", record, 40)[0] for kind, record in records(path) if kind == EV_LOOP]


def watch_recording(python, recording: Path, *arguments: str, workload: str = "two_sites") -> Watch:
    """A watch of one workload from start to end that also recorded."""
    with Workload(workload, python) as program:
        program.wait_ready()
        with Watch(program.pid, "--record", str(recording), *arguments) as watch:
            watch.wait_attached()
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()
    return watch


def report(recording: Path, *arguments: str, **how) -> Loophound:
    with Loophound("report", str(recording), "--format", "jsonl", *arguments, **how) as command:
        command.wait()
    return command
