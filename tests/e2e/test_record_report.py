"""A recording answers as the watch did, later, elsewhere and without privileges."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from conftest import NOBODY
from process import poll
from recording import records, report, watch_recording
from terminal import columns, on_a_terminal
from watch import BINARY, INTERRUPTED, Loophound
from workload import Workload


@pytest.mark.parametrize("workload", ["two_sites", "cpu_python", "unicode_names", "deep_stack"])
def test_report_prints_what_watch_printed(python, tmp_path, workload):
    recording = tmp_path / "recording"
    watch = watch_recording(python, recording, workload=workload)
    command = report(recording)

    assert command.process.returncode == 0, command.dump()
    assert any(record["type"] == "breach" for record in watch.records()), watch.dump()
    assert command.out.text() == watch.out.text()


def test_report_is_the_same_every_time_and_in_text(python, tmp_path):
    recording = tmp_path / "recording"
    watch_recording(python, recording)
    with Loophound("report", str(recording)) as one, Loophound("report", str(recording)) as other:
        assert one.wait() == 0 and other.wait() == 0, one.dump()

    assert "two_sites.py" in one.out.text()
    assert one.out.text() == other.out.text()


@pytest.mark.parametrize("width", [80, 120])
def test_a_breach_fits_a_terminal(recorded, tmp_path, width):
    (tmp_path / "recording").write_bytes(recorded)
    lines = on_a_terminal(BINARY, "report", str(tmp_path / "recording"), width=width, TERM="xterm", NO_COLOR="1")

    assert any("blocking-call" in line for line in lines) and any("advice" in line for line in lines), "\n".join(lines)
    assert max(map(columns, lines)) <= width, "\n".join(lines)


@pytest.mark.parametrize(
    ("variables", "is_coloured"), [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals_that_want_it(recorded, tmp_path, variables, is_coloured):
    (tmp_path / "recording").write_bytes(recorded)
    lines = on_a_terminal(BINARY, "report", str(tmp_path / "recording"), **variables)

    assert any("\33[" in line for line in lines) == is_coloured, lines
    assert "\33" not in report(tmp_path / "recording", "--format", "text").out.text()


def test_report_needs_no_privileges(python, open_dir, public_binary):
    recording = open_dir / "recording"
    watch = watch_recording(python, recording)
    recording.chmod(0o644)
    command = report(recording, prefix=NOBODY, binary=public_binary)

    assert command.process.returncode == 0, command.dump()
    assert command.out.text() == watch.out.text()


def test_a_recording_is_not_for_everyone_to_read(python, tmp_path):
    recording = tmp_path / "recording"
    watch_recording(python, recording)

    assert recording.stat().st_mode & 0o077 == 0, "it holds paths and names of a program"


def test_record_keeps_what_report_then_finds(python, tmp_path):
    recording = tmp_path / "recording"
    with Workload("time_sleep", python) as program:
        program.wait_ready()
        with Loophound("record", "-p", str(program.pid), "-o", str(recording)) as command:
            assert command.err.wait_for(bool), f"record says when it has begun{command.dump()}"
            program.go()
            program.wait_done()
            command.send(signal.SIGINT)
            assert command.wait() == INTERRUPTED, command.dump()
            assert command.out.text() == "", "results go to the file"
        program.end()

    lines = [record for record in report(recording).records() if record["type"] == "breach"]
    breaches = [line for line in lines if line["count"] and not line["ongoing"]]
    count = sum(breach["count"] for breach in breaches)
    # It may say that it has begun before the target is known well enough for the first stall.
    assert len(program.truths()) - 1 <= count <= len(program.truths()), command.dump()


def test_a_killed_record_keeps_what_it_saw(python, tmp_path):
    recording = tmp_path / "recording"

    def is_kept() -> bool:
        lines = [line for line in report(recording).records() if line["type"] == "breach"]
        return any(line["count"] and not line["ongoing"] for line in lines)

    with Workload("time_sleep", python) as program:
        program.wait_ready()
        with Loophound("record", "-p", str(program.pid), "-o", str(recording)) as command:
            assert command.err.wait_for(bool), f"record says when it has begun{command.dump()}"
            program.go()
            program.wait_done()
            poll("a breach in the file of a watch that goes on", is_kept, seconds=5)
            command.send(signal.SIGKILL)
            assert command.wait() == -signal.SIGKILL, command.dump()
        program.end()

    killed = report(recording)
    assert killed.process.returncode == 1, killed.dump()
    assert "the recording is cut at byte" in killed.err.text(), killed.dump()
    assert is_kept(), killed.dump()
    assert killed.records()[-1]["type"] == "summary", killed.dump()


def test_a_recording_without_its_end_is_cut(recorded, tmp_path):
    path = tmp_path / "endless"
    path.write_bytes(recorded)
    *_, (_, end) = records(path)
    path.write_bytes(recorded[: -len(end)])
    command = report(path)

    assert command.process.returncode == 1, command.dump()
    assert f"the recording is cut at byte {len(recorded) - len(end)}" in command.err.text(), command.dump()
    path.write_bytes(recorded)
    assert command.out.lines[:-1] == report(path).out.lines[:-1], "all but the summary's time"


@pytest.fixture(scope="module")
def recorded(python, tmp_path_factory) -> bytes:
    recording = tmp_path_factory.mktemp("recording") / "whole"
    watch_recording(python, recording)
    return recording.read_bytes()


def survives(data: bytes, path: Path) -> Loophound:
    """Report something that is no whole recording: a defined end, no signal, no half line."""
    path.write_bytes(data)
    command = report(path)
    assert command.process.returncode in (0, 1), command.dump()
    for line in command.out.lines:
        json.loads(line)
    return command


def test_a_truncated_recording_is_reported_as_far_as_it_goes(recorded, tmp_path):
    path = tmp_path / "cut"
    whole = len(recorded)
    for offset in (0, 1, 7, 8, 16, 64, *(whole * part // 23 for part in range(1, 23)), whole - 1):
        command = survives(recorded[:offset], path)
        assert command.process.returncode == 1, f"cut at {offset}{command.dump()}"
        assert str(path) in command.err.text(), f"cut at {offset}{command.dump()}"


def test_flipped_bytes_hurt_nobody(recorded, tmp_path):
    for part in range(61):
        offset = len(recorded) * part // 61
        data = bytearray(recorded)
        data[offset] ^= 0xFF
        survives(bytes(data), tmp_path / "flipped")


GARBAGE = {
    "empty": b"",
    "zeros": b"\0" * 4096,
    "json": b"{}\n" * 99,
    "elf": b"\x7fELF" + bytes(range(256)) * 16,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_recording(garbage, tmp_path):
    path = tmp_path / "garbage"
    command = survives(garbage, path)

    assert command.process.returncode == 1, command.dump()
    assert command.out.text() == ""
    assert str(path) in command.err.text() and "recording" in command.err.text(), command.dump()


def test_a_recording_that_is_not_there(tmp_path):
    command = report(tmp_path / "nowhere")

    assert command.process.returncode == 1, command.dump()
    assert "nowhere" in command.err.text() and "No such file" in command.err.text(), command.dump()
