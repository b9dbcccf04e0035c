"""A watch may begin at any moment, be one of several, cover several processes, and their children."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from match import check_breaches, check_summary, tolerance_ns
from process import Child
from watch import Loophound, Outcome, Watch, outcome_of
from workload import Workload, script


@contextlib.contextmanager
def context_of(*children):
    """What the others said goes into the failure as well."""
    try:
        yield
    except AssertionError as failure:
        raise AssertionError(f"{failure}{''.join(child.dump() for child in children)}") from None


def watch_under_way(python, *states: str) -> tuple[Outcome, int]:
    """The program is in those states when it is attached to; also returns when that was known."""
    with Workload("under_way", python, *states) as program:
        program.wait_ready()
        with Watch(program.pid) as watch, context_of(program):
            watch.wait_attached()
            attached_ns = time.monotonic_ns()
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()
        return outcome_of(watch, python, program), attached_ns


def take_under_way(outcome: Outcome) -> list[dict]:
    """Checks all but what was under way when the watch began; returns the lines about that."""
    old = [truth for truth in outcome.truths if truth["truth"].startswith("under_way")]
    ends = {truth["tid"]: truth["end_ns"] for truth in old}
    early = [
        line for line in outcome.of_type("breach") if line["start_ns"] < ends.get(line["tid"], 0)
    ]
    rest = [record for record in outcome.records if record not in early]
    new = [truth for truth in outcome.truths if truth not in old]
    check_breaches(replace(outcome, records=rest, truths=new))
    check_summary(outcome)
    for line in early:
        assert line["partial"], f"its beginning was not seen{outcome.output}"
    return early


TURNS = """
import asyncio
async def main():
    print("turns", flush=True)
    while True:
        await asyncio.sleep(0.01)
asyncio.run(main())
"""


def test_the_counters_of_a_loop_come_once_a_second(python):
    """The first ones, too."""
    with Child([python.path, "-c", TURNS]) as program:
        program.out.wait_for(lambda line: line == "turns")
        with Watch(program.pid) as watch, context_of(program):
            watch.wait_attached()
            watch.expect("a loop's line", lambda line: json.loads(line)["type"] == "loop")
            session, line = (next(each for each in watch.records() if each["type"] == kind) for kind in ("session", "loop"))
            assert line["ts_ns"] - session["start_ns"] > 900_000_000
            watch.interrupt()


def test_attached_in_an_idle_wait(python):
    """The lines about another process, one a second, tell that time has passed for the idle one."""
    with Workload("under_way", python, "idle") as idle, Workload("time_sleep", python) as other:
        idle.wait_ready()
        other.wait_ready()
        with Watch(idle.pid, "-p", str(other.pid)) as watch, context_of(idle, other):
            watch.wait_attached()
            watch.wait_attached(other.pid)
            attached_ns = time.monotonic_ns()
            other.go()
            other.wait_done()
            done_ns = json.loads(other.out.lines[-2])["end_ns"]

            def is_later(line: str) -> bool:
                record = json.loads(line)
                return record["type"] == "loop" and record["ts_ns"] > done_ns + 1_000_000_000

            watch.expect("a second with nothing in it", is_later)
            waited_ns = time.monotonic_ns() - attached_ns
            idle.go()
            idle.wait_done()
            watch.interrupt()
        idle.end()
        other.end()
    outcome = outcome_of(watch, python, idle, other)
    check_breaches(outcome)
    loops = {loop["tid"]: loop for loop in outcome.summary()["loops"]}
    assert set(loops) == outcome.loop_tids, outcome.output
    (loop,) = [loop for loop in loops.values() if loop["pid"] == idle.pid]
    watched_ns = outcome.summary()["watched_ns"]
    assert 1_000_000_000 < waited_ns <= loop["idle_ns"] < watched_ns, (waited_ns, session, outcome.output)
    assert loop["idle_ns"] + loop["busy_ns"] <= watched_ns, outcome.output


def test_attached_in_a_sleep(interpreter):
    outcome, _ = watch_under_way(interpreter, "sleep")
    assert [truth["truth"] for truth in outcome.truths] == ["under_way_sleep", "after"], outcome.output
    for line in take_under_way(outcome):
        assert line["rule"] == "blocking-call" and line["cause"] == "sleep", outcome.output


def test_attached_in_a_hog(interpreter):
    outcome, attached_ns = watch_under_way(interpreter, "hog")
    hog, _ = outcome.truths
    early = take_under_way(outcome)
    said = [line for line in early if line["rule"] == "cpu-bound"]
    on_cpu_ns = hog["end_ns"] - attached_ns - hog["run_delay_ns"]
    if on_cpu_ns > 60_000_000:
        assert said, f"a hog of {on_cpu_ns} ns was not seen{outcome.output}"
    for line in early:
        assert line in said or line["rule"] == "host-starved", outcome.output
    for line in said:
        assert line["cause"] == "python", outcome.output
        assert line["site"]["file"] == hog["file"], outcome.output
        assert line["site"]["line"] in hog["lines"], outcome.output
        assert line["coroutine"]["function"] == hog["coroutine"], outcome.output
        longest_ns = hog["end_ns"] - outcome.of_type("session")[0]["start_ns"]
        assert on_cpu_ns - tolerance_ns(on_cpu_ns) < line["duration_ns"] < longest_ns, outcome.output
        assert line["count"] == 1, outcome.output


def test_attached_to_several_loops(python):
    outcome, _ = watch_under_way(python, "idle", "blocked", "blocked")
    names = sorted(truth["truth"] for truth in outcome.truths)
    assert names == ["after", "after_other", "after_other", "under_way_other", "under_way_other"]
    assert len(outcome.loop_tids) == 3
    take_under_way(outcome)


def site_of(line: dict) -> tuple:
    site = tuple(line["site"][key] for key in ("file", "line", "function"))
    return line["rule"], line["cause"], line["tid"], line["count"], *site


def test_two_watches_say_the_same(python):
    with Workload("two_loops", python) as program:
        program.wait_ready()
        with Watch(program.pid) as one, Watch(program.pid) as other, context_of(program, one, other):
            one.wait_attached()
            other.wait_attached()
            program.go()
            program.wait_done()
            one.interrupt()
            other.interrupt()
        program.end()
    outcomes = [outcome_of(watch, python, program) for watch in (one, other)]
    for outcome in outcomes:
        check_breaches(outcome)
        check_summary(outcome)
    first, second = (sorted(map(site_of, watch.breaches())) for watch in (one, other))
    assert first and first == second, one.dump() + other.dump()


def test_two_processes_in_one_watch(python):
    with Workload("time_sleep", python) as one, Workload("lock_event_wait", python) as other:
        one.wait_ready()
        other.wait_ready()
        with Watch(one.pid, "-p", str(other.pid)) as watch, context_of(one, other):
            watch.wait_attached(one.pid)
            watch.wait_attached(other.pid)
            one.go()
            other.go()
            one.wait_done()
            other.wait_done()
            watch.interrupt()
        one.end()
        other.end()
    outcome = outcome_of(watch, python, one, other)
    check_breaches(outcome)
    assert {loop["tid"] for loop in outcome.summary()["loops"]} == outcome.loop_tids, outcome.output


def test_found_by_name(python, tmp_path):
    """A script's name is its own; of two that run, that one alone is watched."""
    path = tmp_path / f"named_{tmp_path.name}.py"
    shutil.copy(script("time_sleep"), path)
    with Workload(str(path.with_suffix("")), python) as named, Workload("time_sleep", python) as other:
        named.wait_ready()
        other.wait_ready()
        with Watch(named.pid, by_name=f"named_{tmp_path.name}.*") as watch, context_of(named, other):
            watch.wait_attached()
            for program in (named, other):
                program.go()
                program.wait_done()
            watch.interrupt()
        named.end()
        other.end()
    outcome = outcome_of(watch, python, named)
    assert {target["pid"] for target in outcome.of_type("target")} == {named.pid}, outcome.output
    check_breaches(outcome)
    check_summary(outcome)


def test_a_program_that_another_becomes_has_its_own_name(python, tmp_path):
    """Who execs before it is known what it is, as `env` and shells do, is no target that hands its watch on."""
    path = tmp_path / f"named_{tmp_path.name}.py"
    shutil.copy(script("time_sleep"), path)
    programs = [shutil.copy("/usr/bin/env", tmp_path / f"env{number}") for number in range(8)]  # files not seen before
    with Loophound("watch", "--name", f"named_{tmp_path.name}.*", "--format", "jsonl") as watch:
        watch.expect("the session line", lambda line: '"session"' in line)
        for program in programs:
            subprocess.run([program, python.path, "-c", "import asyncio; asyncio.run(asyncio.sleep(0))"], check=True)
        with Workload(str(path.with_suffix("")), python) as named:
            named.wait_ready()
            line = json.loads(watch.expect("a target", lambda line: '"target"' in line))
            assert line["pid"] == named.pid
            named.end()
        watch.send(signal.SIGINT)
        watch.wait()


@pytest.mark.parametrize("how", ["fork", "multiprocessing", "popen"])
def test_a_child_of_a_target_is_watched(how, interpreter):
    with Workload("children", interpreter, how) as program:
        program.wait_ready()
        with Watch(program.pid) as watch, context_of(program):
            watch.wait_attached()
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()
    outcome = outcome_of(watch, interpreter, program)
    check_breaches(outcome)
    check_summary(outcome)
    (truth,) = outcome.truths
    (breach,) = watch.breaches()
    assert breach["pid"] == truth["pid"] != program.pid, outcome.output
    assert not breach["incomplete"], outcome.output
    (loop,) = [loop for loop in outcome.summary()["loops"] if loop["pid"] == truth["pid"]]
    assert loop["tid"] == truth["tid"] and loop["ended"], outcome.output
