"""Runs a workload that waits for nobody: `loophound run` starts it and watches from its first instruction."""

from __future__ import annotations

import json
from pathlib import Path

from interpreters import Interpreter
from watch import Loophound, Outcome, parse, run_delays_of
from workload import environment, script

BREACH = 3  # exit code of --fail-on


def run_workload(name: str, interpreter: Interpreter, output: Path) -> Outcome:
    """What both sides said; loophound says it to the file."""
    options = ("--fail-on", "any", "--format", "jsonl", "-o", str(output))
    with Loophound("run", *options, "--", *interpreter.command(script(name)), env=environment()) as command:
        code = command.wait()
    assert code == BREACH, f"exit code {code}, not {BREACH}{command.dump()}"
    said = [json.loads(line) for line in command.out.lines]
    return Outcome(
        interpreter=interpreter,
        pid=said[-1]["pid"],
        truths=[line for line in said if "truth" in line],
        loop_tids=set(said[-1]["loop_tids"]),
        run_delays=run_delays_of(said[-1]),
        records=[parse(line) for line in output.read_text().splitlines()],
        output=command.dump() + output.read_text(),
    )
