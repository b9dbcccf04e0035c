"""Names come from a process of its own: what becomes of a watch when that dies, or hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from match import check_breaches
from process import poll
from watch import Watch, outcome_of
from workload import Workload


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def reader_of(watch: Watch) -> int | None:
    """The living child of loophound that calls itself its reader; None while one is being replaced."""
    for child in Path(f"/proc/{watch.pid}/task/{watch.pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            argv = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if argv[0] == b"loophound-reader" and state(int(child)) != "Z":
                return int(child)
    return None


@pytest.fixture
def watched(python):
    """Two programs under one watch, the first with one stall to come, the second with several."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Workload("under_way", python, "idle"))
        second = stack.enter_context(Workload("two_sites", python))
        for program in (first, second):
            program.wait_ready()
        watch = stack.enter_context(Watch(first.pid, "-p", str(second.pid)))
        watch.wait_attached(first.pid)
        watch.wait_attached(second.pid)
        yield watch, first, second


def plant(program: Workload) -> None:
    program.go()
    program.wait_done()
    program.end()  # with exit code 0: it never noticed


def breach_of(watch: Watch, program: Workload) -> str:
    start = f'"pid":{program.pid},'
    return watch.expect("its breach", lambda line: '"type":"breach"' in line and start in line)


def test_a_reader_that_is_killed(watched, python):
    watch, first, second = watched
    victim = reader_of(watch)
    assert victim, f"no reader{watch.dump()}"
    plant(first)
    breach_of(watch, first)
    os.kill(victim, signal.SIGKILL)
    poll("the reader to be replaced", lambda: reader_of(watch) not in (None, victim))
    plant(second)
    assert watch.wait() == 0, f"all its targets ended{watch.dump()}"

    outcome = outcome_of(watch, python, first, second)
    check_breaches(outcome)  # of both: also those whose names only the second reader could tell
    assert not any(breach["incomplete"] for breach in watch.breaches()), outcome.output
    assert outcome.summary()["lost"]["reader_restarts"] >= 1, outcome.output
    assert outcome.summary()["lost"]["breaches_incomplete"] == 0, outcome.output


def test_a_reader_that_hangs(watched, python):
    watch, first, second = watched
    victim = reader_of(watch)
    os.kill(victim, signal.SIGSTOP)
    poll("it to stop", lambda: state(victim) == "T")
    first.go()
    first.wait_done()
    breach_of(watch, first)
    late_ns = time.monotonic_ns() - first.truths()[0]["end_ns"]
    assert late_ns < 1_500_000_000, f"said {late_ns} ns after its end{watch.dump()}"
    assert state(first.pid) != "T", "what is stopped is the reader"
    first.end()
    poll("the reader to be replaced", lambda: reader_of(watch) not in (None, victim))
    assert not Path(f"/proc/{victim}").exists() or state(victim) == "Z"
    plant(second)
    assert watch.wait() == 0, f"all its targets ended{watch.dump()}"

    outcome = outcome_of(watch, python, first, second)
    lines_of_first = [line for line in outcome.of_type("breach") if line["pid"] == first.pid]
    # It may be told while it lasts.
    of_first = [breach for breach in lines_of_first if breach["count"] and not breach["ongoing"]]
    (breach,), (truth,) = of_first, first.truths()
    assert breach["incomplete"] and breach["site"]["file"] is None, outcome.output
    assert (breach["rule"], breach["cause"], breach["tid"]) == ("blocking-call", "sleep", truth["tid"])
    assert abs(breach["duration_ns"] - (truth["end_ns"] - truth["start_ns"])) < 20_000_000, outcome.output
    rest = [record for record in outcome.records if record not in lines_of_first]
    check_breaches(replace(outcome, records=rest, truths=second.truths()))
    assert not any(breach["incomplete"] for breach in watch.breaches() if breach["pid"] == second.pid)
    lost = outcome.summary()["lost"]
    assert lost["reader_restarts"] == 1 and lost["breaches_incomplete"] == 1, outcome.output
