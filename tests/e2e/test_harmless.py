"""However loophound ends, the kernel is as before and the target never noticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from process import poll
from watch import Watch
from workload import Workload

UPROBE_EVENTS = Path("/sys/kernel/tracing/uprobe_events")


def bpf_objects() -> set[tuple[str, int]]:
    """Every program, map and link in the kernel."""
    found = set()
    for kind in ("prog", "map", "link"):
        listing = subprocess.run(["bpftool", kind, "list", "-j"], capture_output=True, check=True, timeout=30)
        found |= {(kind, entry["id"]) for entry in json.loads(listing.stdout or "[]")}
    return found


def uprobe_events() -> str:
    return UPROBE_EVENTS.read_text() if UPROBE_EVENTS.exists() else ""


def readers_of(pid: int) -> list[int]:
    """Children of a process, such as loophound's reader."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind(python, number):
    before, events = bpf_objects(), uprobe_events()
    with Workload("time_sleep", python) as program:
        program.wait_ready()
        with Watch(program.pid) as watch:
            watch.wait_attached()
            loaded = bpf_objects() - before
            assert {kind for kind, _ in loaded} >= {"prog", "map"}, f"nothing loaded?{watch.dump()}"
            readers = readers_of(watch.pid)
            program.go()
            watch.expect("a breach", lambda line: '"breach"' in line)
            watch.send(number)  # in the middle of things
            watch.wait()
        poll("its BPF objects to go away", lambda: not bpf_objects() & loaded)
        poll("its reader to go away", lambda: not any(Path(f"/proc/{reader}").exists() for reader in readers))
        assert uprobe_events() == events
        program.wait_done()
        program.end()
    assert len(program.truths()) == 5, program.dump()


def test_the_target_is_never_traced_nor_stopped(python):
    with Workload("healthy_saturated", python) as program:
        program.wait_ready()
        with Watch(program.pid) as watch:
            watch.wait_attached()
            status = Path(f"/proc/{program.pid}/status").read_text()
            assert "TracerPid:\t0\n" in status and "\nState:\tT" not in status, status
            mapped = Path(f"/proc/{program.pid}/maps").read_text()
            assert "loophound" not in mapped, "nothing is injected"
            assert "[uprobes]" not in mapped, "no breakpoint that would return through the kernel"
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()


def test_a_reader_that_dies_is_replaced(python):
    """Names come from a process of its own; its death costs names at most."""
    with Workload("time_sleep", python) as program:
        program.wait_ready()
        with Watch(program.pid) as watch:
            watch.wait_attached()
            readers = readers_of(watch.pid)
            assert readers, f"no reader process{watch.dump()}"
            for reader in readers:
                os.kill(reader, signal.SIGKILL)
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()
    summary = watch.records()[-1]
    assert summary["breaches"] == len(program.truths()), watch.dump()
    assert summary["lost"]["reader_restarts"] == len(readers), watch.dump()
