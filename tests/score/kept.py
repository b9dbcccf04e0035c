"""Runs that add up: a file with one line of JSON for each, so that a score can be taken in pieces.

Kept is what both sides said, not what was made of it: a score that counts otherwise counts old runs likewise.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from interpreters import Interpreter
from watch import Outcome, run_delays_of

READ = ("breach", "summary")  # of what loophound says, that anything is made of


@dataclass(frozen=True)
class Run:
    workload: str
    column: str
    build: str  # hash of the binary
    outcome: Outcome


class Kept:
    """Path None: kept in memory only."""

    def __init__(self, path: Path | None, build: str) -> None:
        self.path, self.build = path, build
        self.runs: list[Run] = []
        self.lock = Lock()
        if path and path.exists():
            # The last line may be the half of one whose writer was ended.
            self.runs = [_parse(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
            with path.open("r+b") as file:
                file.truncate(path.read_bytes().rfind(b"\n") + 1)

    def count(self) -> Counter:
        return Counter((run.workload, run.column) for run in self.runs)

    def add(self, workload: str, column: str, outcome: Outcome) -> None:
        run = Run(workload, column, self.build, outcome)
        with self.lock:
            self.runs.append(run)
            if self.path:
                with self.path.open("a") as file:
                    file.write(_line(run))


def _line(run: Run) -> str:
    outcome, python = run.outcome, run.outcome.interpreter
    said = {
        "workload": run.workload,
        "column": run.column,
        "build": run.build,
        "python": [list(python.version), python.usdt],
        "pid": outcome.pid,
        "truths": outcome.truths,
        "loop_tids": sorted(outcome.loop_tids),
        "run_delays": outcome.run_delays,
        "records": [record for record in outcome.records if record["type"] in READ],
    }
    return json.dumps(said) + "\n"


def _parse(line: str) -> Run:
    said = json.loads(line)
    version, usdt = said["python"]
    outcome = Outcome(
        interpreter=Interpreter("", tuple(version), usdt),
        pid=said["pid"],
        truths=said["truths"],
        loop_tids=set(said["loop_tids"]),
        run_delays=run_delays_of(said),
        records=said["records"],
        output="",
    )
    return Run(said["workload"], said["column"], said["build"], outcome)
