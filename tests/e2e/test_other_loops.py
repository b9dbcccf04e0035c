"""Loops that are not asyncio's own: each is recognised and named, its stalls are found, its healthy twins left alone.

A few workloads on each here; `make score` runs all that can run on any loop.
"""

from __future__ import annotations

import pytest

from interpreters import find_interpreters, system_interpreter
from loops import KINDS, has_loop, on_loop
from match import check_breaches, check_summary
from process import poll
from watch import Loophound, Watch, outcome_of, watch_workload
from workload import PROGRAMS, Workload
from workload import WORKLOADS as FOLDER

# By loop: on the distribution's interpreter, for which its packages are.
WORKLOADS = {
    "tornado": "time_sleep",
    "anyio-asyncio": "healthy_to_thread",
    "twisted-asyncio": "time_sleep",
    "trio": "time_sleep file_fsync gc_explicit gil_at_wait gil_python_thread two_sites healthy_to_thread healthy_saturated",
    "trio-guest": "time_sleep",
    "anyio-trio": "time_sleep",
    "twisted": "time_sleep gil_at_wait healthy_to_thread",
    "gevent": "time_sleep gil_at_wait healthy_to_thread healthy_saturated",
}


def check(outcome, workload: str, loop: str) -> None:
    assert bool(outcome.truths) != workload.startswith("healthy_"), outcome.output
    check_breaches(outcome)
    check_summary(outcome)
    assert {each["kind"] for each in outcome.summary()["loops"]} == {KINDS[loop]}, outcome.output
    assert {breach["loop"] for breach in outcome.of_type("breach")} <= {KINDS[loop]}, outcome.output


@pytest.mark.parametrize(
    ("loop", "workload"), [(loop, each) for loop, names in WORKLOADS.items() for each in names.split()]
)
def test_loop(loop, workload, python):
    check(watch_workload(workload, python, **on_loop(python, loop)), workload, loop)


@pytest.mark.parametrize("loop", ["trio", "twisted", "gevent"])
def test_work_on_the_cpu(loop, python):
    """Which step of an iteration it was; how long exactly, test_workloads.py asks of asyncio."""
    outcome = watch_workload("cpu_python", python, **on_loop(python, loop))
    ended = [breach for breach in outcome.of_type("breach") if not breach["ongoing"]]
    found = [breach for breach in ended if breach["rule"] == "cpu-bound"]

    assert outcome.truths and sum(breach["count"] for breach in found) == len(outcome.truths), outcome.output
    for breach in found:
        assert breach["site"]["line"] in outcome.truths[0]["lines"], outcome.output
        assert breach["coroutine"]["function"] == "handler", outcome.output
        assert breach["loop"] == loop and breach["cause"] == "python", outcome.output
    assert {breach["rule"] for breach in ended} <= {"cpu-bound", "host-starved"}, outcome.output


@pytest.mark.parametrize("loop", ["uvloop", "trio", "twisted", "gevent"])
def test_a_stack_that_is_too_deep(loop, python):
    """The loop's own frames are not among those that are kept: the thread is taken to be where it was."""
    outcome = watch_workload("too_deep", python, **on_loop(python, loop))
    found = [breach for breach in outcome.of_type("breach") if not breach["ongoing"]]

    assert outcome.truths and sum(breach["count"] for breach in found) == len(outcome.truths), outcome.output
    for breach in found:
        assert breach["rule"] == "blocking-call" and breach["loop"] == loop, outcome.output
        assert breach["site"]["line"] == outcome.truths[0]["line"], outcome.output
    assert outcome.summary()["lost"]["stacks_truncated"], outcome.output


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_in_a_greenlet(loop, python):
    how = on_loop(python, loop) if loop in KINDS else {}
    outcome = watch_workload("in_greenlet", python, **how)
    found = [breach for breach in outcome.of_type("breach") if not breach["ongoing"]]
    lines = {truth["rule"]: truth.get("lines", [truth["line"]]) for truth in outcome.truths}

    for rule, cause in (("blocking-call", "sleep"), ("cpu-bound", "python")):
        of_rule = [breach for breach in found if breach["rule"] == rule]
        assert sum(breach["count"] for breach in of_rule) == len(outcome.truths) / 2, outcome.output
        for breach in of_rule:
            assert breach["loop"] == loop and breach["cause"] == cause, outcome.output
            assert breach["task"] == outcome.truths[0]["task"], outcome.output
            assert breach["coroutine"] is None and breach["callback"] is None, outcome.output
            if breach["site"]["function"] != "sink":
                assert breach["site"]["line"] in lines[rule], outcome.output
    assert {breach["rule"] for breach in found} <= {"blocking-call", "cpu-bound", "host-starved"}, outcome.output


@pytest.mark.parametrize("through", [(), ("-m", "first_greenlet")], ids=["script", "module"])
def test_a_first_greenlet_is_not_the_loop(through, python):
    """However the program was started: its own stack begins with a module, or with what runs one."""
    outcome = watch_workload("first_greenlet", python, through=through, env={"PYTHONPATH": f"{FOLDER}:{PROGRAMS}"})
    found = [breach for breach in outcome.of_type("breach") if not breach["ongoing"]]

    assert len(outcome.truths) == 2, outcome.output
    lines = [each["site"]["line"] for each in found if each["rule"] != "host-starved" for _ in range(each["count"])]
    assert lines == [truth["line"] for truth in outcome.truths], outcome.output
    assert {each["loop"] for each in found} == {"gevent"}, outcome.output


OTHERS = [each for each in find_interpreters() if each != system_interpreter()]


@pytest.mark.parametrize(
    ("loop", "interpreter_of_loop"),
    [(loop, each) for loop in ("trio", "twisted") for each in OTHERS if has_loop(each, loop)],
    ids=str,
)
def test_other_interpreters(loop, interpreter_of_loop):
    """Those that can import the distribution's packages."""
    outcome = watch_workload("time_sleep", interpreter_of_loop, **on_loop(interpreter_of_loop, loop))
    check(outcome, "time_sleep", loop)


@pytest.mark.parametrize("loop", ["trio", "twisted"])
def test_a_collection_that_is_estimated(loop):
    """On a build without probes: the timer asks whether the loop is one that runs."""
    one = next(each for each in OTHERS if not each.usdt and has_loop(each, loop))
    check(watch_workload("gc_explicit", one, **on_loop(one, loop)), "gc_explicit", loop)


def test_the_newest_interpreters_have_a_trio():
    """Of the same release: the one that is lent is too old for them."""
    with_trio = {each.version[1] for each in OTHERS if each.root and has_loop(each, "trio")}
    assert 14 in with_trio, "no trio in the root directories: scripts/chroots.sh"


@pytest.mark.parametrize("loop", ["trio", "gevent", "asyncio-poll"])
def test_ps_names_it(loop, python):
    with Workload("healthy_idle", python, **on_loop(python, loop)) as program:
        program.wait_ready()

        def row() -> str:
            with Loophound("ps", "-p", str(program.pid)) as command:
                assert command.wait() == 0
            return command.out.text()

        poll(f"{loop} in {row()}", lambda: f"  {loop} " in row())  # it is ready a moment before it waits
        assert ("its stalls are not reported" in row()) == (loop == "asyncio-poll")


def test_poll_is_named_and_not_misreported(python):
    """Its wait is no blocking call, and what the timer finds of it is not told of."""
    with Workload("cpu_python", python, **on_loop(python, "asyncio-poll")) as program:
        program.wait_ready()
        with Watch(program.pid) as watch:
            watch.wait_attached()
            program.go()
            program.wait_done()
            watch.interrupt()
        program.end()
    outcome = outcome_of(watch, python, program)
    assert {each["kind"] for each in outcome.summary()["loops"]} == {"asyncio-poll"}, outcome.output
    for breach in outcome.of_type("breach"):
        # The iteration in which the timer found it is one, as far as it was seen.
        assert breach["rule"] in ("cpu-bound", "host-starved"), outcome.output
        assert breach["partial"] or breach["ongoing"], outcome.output
