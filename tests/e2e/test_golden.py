"""Recordings made once (scripts/golden.sh) are reported now as they were then, byte for byte."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from conftest import NOBODY
from watch import BINARY, Loophound

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
RECORDINGS = sorted(GOLDEN.glob("3.*.rec"))
VERSIONS = {f"3.{minor}" for minor in range(9, 16)}

# What an absolute path may begin with; all else would be of the machine that made the recording.
NEUTRAL = re.compile(rb"/(usr|srv/app|opt/python3\.\d+)(/|$)")
PATH = re.compile(rb"(?<![\w./])/[a-z][\w.-]+(?:/[\w.+-]+)*")
FOLDED = '"site":{"function":"handle","file":"/srv/app/app.py","line":114}'
CAUSES = {"sleep", "subprocess", "lock", "file", "pipe", "network", "dns", "python", "native"}

of_each = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)


def report(recording: Path, *arguments: str, **how) -> Loophound:
    with Loophound("report", str(recording), *arguments, **how) as command:
        command.wait()
    return command


def said(command: Loophound) -> str:
    return command.out.text() + "\n"


def test_there_is_one_of_each_version():
    assert {recording.stem for recording in RECORDINGS} == VERSIONS


@pytest.mark.parametrize("form, suffix", [("text", ".txt"), ("jsonl", ".jsonl")])
@of_each
def test_report(recording, form, suffix, open_dir, public_binary):
    """By root and by nobody, and twice by the same."""
    copy = shutil.copy(recording, open_dir / recording.name)
    golden = recording.with_suffix(suffix).read_text()
    root = dict(binary=BINARY)
    for how in (root, root, dict(prefix=NOBODY, binary=public_binary)):
        command = report(copy, "--format", form, **how)
        assert command.process.returncode == 0, command.dump()
        assert said(command) == golden, f"not as in {suffix}: right? then `make golden`{command.dump()}"


@of_each
def test_it_holds_one_of_each(recording):
    lines = [json.loads(line) for line in recording.with_suffix(".jsonl").read_text().splitlines()]
    breaches = [line for line in lines if line["type"] == "breach"]
    assert {line["cause"] for line in breaches} >= CAUSES
    assert not any(line["incomplete"] for line in breaches)
    assert {line["python"].rsplit(".", 1)[0] for line in breaches} == {recording.stem}
    folded = [line["site"] for line in breaches if line["count"] > 1]
    assert folded and all(site == json.loads(f"{{{FOLDED}}}")["site"] for site in folded), folded
    assert max(len(line) for line in recording.with_suffix(".txt").read_text().splitlines()) <= 100


def without_folded(lines: list[str]) -> list[str]:
    """Without the site that is counted after a while, or at the end, which in a cut one comes early."""
    return [line for line in lines if FOLDED not in line]


def without_early_ends(lines: list[str], whole: list[str]) -> list[str]:
    """Without the ends of stalls that were under way at the cut, which are given as they were known."""
    kept = [line for line in lines if line in whole]
    for line in map(json.loads, set(lines) - set(kept)):
        told = [json.loads(each) for each in kept if '"ongoing":true' in each]
        assert not line["ongoing"] and line["count"] == 1, line
        assert (line["rule"], line["start_ns"]) in {(each["rule"], each["start_ns"]) for each in told}, line
    return kept


@of_each
def test_cut_it_still_tells_what_came_before(recording, tmp_path):
    data = recording.read_bytes()
    golden = recording.with_suffix(".jsonl").read_text().splitlines()
    path = tmp_path / "cut"
    counts = []
    for part in (0.5, 0.7, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        command = report(path, "--format", "jsonl")
        assert command.process.returncode == 1 and "cut at byte" in command.err.text(), command.dump()
        *lines, summary = command.out.lines
        lines, whole = without_folded(lines), without_folded(golden)
        lines = without_early_ends(lines, whole)
        assert lines == whole[: len(lines)], command.dump()
        assert json.loads(summary)["type"] == "summary", command.dump()
        counts.append(json.loads(summary)["breaches"])
    assert 0 < counts[0] < counts[1] < counts[2], counts


@of_each
def test_it_tells_nothing_of_the_machine_that_made_it(recording):
    session = json.loads(recording.with_suffix(".jsonl").open().readline())
    assert session["host"] == "host"
    assert recording.stat().st_size < 200 * 1024
    for suffix in (".rec", ".txt", ".jsonl"):
        found = PATH.findall(recording.with_suffix(suffix).read_bytes())
        assert len(found) > 5, f"the pattern finds no path at all in {suffix}"
        foreign = {path for path in found if not NEUTRAL.match(path)}
        assert not foreign, f"{recording.stem}{suffix} holds {sorted(foreign)}"
