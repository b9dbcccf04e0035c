"""Runs `loophound watch` beside a workload and keeps what both said."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from interpreters import Interpreter
from process import Child
from workload import HOSTS, Workload, environment, script

# Absolute: some tests start it where another directory is the current one.
BINARY = os.path.abspath(os.environ.get("LOOPHOUND") or Path(__file__).resolve().parents[2] / "build" / "loophound")

INTERRUPTED = 130


def parse(line: str) -> dict:
    try:
        record = json.loads(line)
    except ValueError:
        raise AssertionError(f"not JSON: {line!r}") from None
    assert record.get("schema") == "loophound/1", f"no schema in {line!r}"
    return record


class Loophound(Child):
    """Any loophound command."""

    def __init__(self, *arguments: str, prefix: tuple[str, ...] = (), binary: str = BINARY, **popen) -> None:
        super().__init__([*prefix, binary, *arguments], **popen)

    def records(self) -> list[dict]:
        return [parse(line) for line in self.out.lines]


class Watch(Loophound):
    """`loophound watch -p PID --format jsonl`, from its session line to its summary."""

    def __init__(self, pid: int, *arguments: str, by_name: str | None = None, **popen) -> None:
        which = ("--name", by_name) if by_name else ("-p", str(pid))
        super().__init__("watch", *which, "--format", "jsonl", *arguments, **popen)
        self.target = pid

    def wait_attached(self, pid: int | None = None) -> None:
        """Until the stacks of that target, else of its first, can be read."""
        target = pid or self.target

        def stacks_readable(line: str) -> bool:
            record = parse(line)
            return (record["type"], record.get("pid"), record.get("status")) == ("target", target, "ok")

        self.expect("the session line", lambda line: parse(line)["type"] == "session")
        self.expect(f"a target line for pid {target} with status ok", stacks_readable)

    def breaches(self) -> list[dict]:
        """Those that are over, and were not taken back."""
        return [line for line in self.records() if line["type"] == "breach" and line["count"] and not line["ongoing"]]

    def interrupt(self) -> None:
        """Ctrl-C: the summary comes, the exit code says so."""
        self.send(signal.SIGINT)
        code = self.wait()
        assert code == INTERRUPTED, f"exit code {code} on Ctrl-C, not {INTERRUPTED}{self.dump()}"


@dataclass
class Outcome:
    """What was planted and what was reported."""

    interpreter: Interpreter
    pid: int
    truths: list[dict]
    loop_tids: set[int]
    run_delays: dict[int, int]  # by thread, what the kernel says that it waited for a CPU since it began, in ns
    records: list[dict]
    output: str  # of both, for the reader of a failure

    @property
    def loops_delay_ns(self) -> int:
        return sum(ns for tid, ns in self.run_delays.items() if tid in self.loop_tids)

    @property
    def others_delay_ns(self) -> int:
        return sum(ns for tid, ns in self.run_delays.items() if tid not in self.loop_tids)

    def of_type(self, kind: str) -> list[dict]:
        return [record for record in self.records if record["type"] == kind]

    def summary(self) -> dict:
        assert self.records and self.records[-1]["type"] == "summary", f"no summary at the end{self.output}"
        return self.records[-1]


def run_delays_of(done: dict) -> dict[int, int]:
    return {int(tid): ns for tid, ns in done["run_delays"].items()}


def outcome_of(watch: Watch, interpreter: Interpreter, *workloads: Workload) -> Outcome:
    """What both sides said, once all are done; pid is that of the first."""
    done = [workload.done() for workload in workloads]
    return Outcome(
        interpreter=interpreter,
        pid=workloads[0].pid,
        truths=[truth for workload in workloads for truth in workload.truths()],
        loop_tids={tid for each in done for tid in each["loop_tids"]},
        run_delays={tid: ns for each in done for tid, ns in run_delays_of(each).items()},
        records=watch.records(),
        output=watch.dump() + "".join(workload.dump() for workload in workloads),
    )


def watch_workload(name: str, interpreter: Interpreter, *arguments: str, given: tuple[str, ...] = (), **how) -> Outcome:
    """One workload, given some arguments, from start to end under the eyes of one loophound; `how` is the Workload's."""
    with contextlib.ExitStack() as stack:
        workload = stack.enter_context(Workload(name, interpreter, *given, **how))
        workload.wait_ready()
        if name in HOSTS:
            stack.enter_context(HOSTS[name](workload.pid))
        watch = stack.enter_context(Watch(workload.pid, *arguments))
        try:
            watch.wait_attached()
            workload.go()
            workload.wait_done()
        except AssertionError as failure:
            raise AssertionError(f"{failure}\nbeside it:{watch.dump()}{workload.dump()}") from None
        if name.startswith("exits_"):  # the only target is gone: so is the watch
            assert watch.wait() == 0, f"a watch whose target ended is no failure{watch.dump()}"
        else:
            watch.interrupt()
        workload.end()
        return outcome_of(watch, interpreter, workload)
