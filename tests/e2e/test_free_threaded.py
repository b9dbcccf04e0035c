"""A free-threaded build has no GIL: whoever asks about one, or wants to watch it, is told so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from process import Child
from watch import Loophound

SOURCE = Path(__file__).with_name("free_threaded.c")
REASON = "CPython 3.13 is a free-threaded build: it has no GIL"


@pytest.fixture(scope="module")
def pid(tmp_path_factory):
    """Of a process that shows of itself what such a CPython does."""
    program = tmp_path_factory.mktemp("free-threaded") / "python3.13t"
    subprocess.run(["gcc", "-O1", "-o", program, SOURCE], check=True, timeout=60)
    with Child([str(program)]) as child:
        child.expect("its ready line", lambda line: line == "ready")
        yield child.pid


def told(*arguments: str) -> tuple[int, Loophound]:
    with Loophound(*arguments) as command:
        return command.wait(), command


def test_ps_says_so(pid):
    _, command = told("ps", "-p", str(pid))
    assert "free-threaded" in command.out.text().split(REASON)[0], command.dump()
    assert REASON in command.out.text(), command.dump()

    _, command = told("ps", "-p", str(pid), "--format", "jsonl")
    (process,) = command.records()
    assert process["free_threaded"] and not process["supported"], command.dump()
    assert REASON in process["reason"], command.dump()


def test_doctor_says_so(pid):
    code, command = told("doctor", "-p", str(pid))
    assert code == 4, command.dump()
    assert f"not supported: {REASON}" in command.out.text(), command.dump()


def test_a_watch_says_so(pid):
    code, command = told("watch", "-p", str(pid), "--format", "jsonl")
    assert code == 1, command.dump()
    assert REASON in command.err.text(), command.dump()
    (target,) = [record for record in command.records() if record["type"] == "target"]
    assert (target["status"], target["free_threaded"]) == ("unsupported", True), command.dump()
    assert REASON in target["reason"], command.dump()
