"""Loops that wait otherwise than asyncio on glibc does, and both ways of seeing a wait."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from interpreters import Interpreter, find_interpreters
from loops import has_loop, on_loop
from match import check_breaches, check_summary
from recording import wait_syscalls
from watch import Watch, outcome_of, watch_workload
from workload import Workload, script

SHIM = Path(__file__).with_name("epoll_shim.c")
SYSCALLS = {"epoll_wait": 232, "epoll_pwait": 281, "epoll_pwait2": 441}
FOUND_AT_WORK = -1  # a tick found the loop in its first iteration, before any wait


@pytest.fixture(scope="module")
def shim(tmp_path_factory) -> str:
    library = tmp_path_factory.mktemp("shim") / "epoll_shim.so"
    command = ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SHIM]
    subprocess.run(command, check=True, timeout=60)
    return str(library)


def test_the_usual_wait(python, tmp_path):
    """That the recording tells the calls apart, without which the test below would show nothing."""
    recording = tmp_path / "recording"
    watch_workload("time_sleep", python, "--record", str(recording))
    assert wait_syscalls(recording) in ([SYSCALLS["epoll_wait"]], [FOUND_AT_WORK])


@pytest.mark.parametrize("wait", ["epoll_pwait", "epoll_pwait2"])
def test_another_wait(wait, shim, interpreter, tmp_path):
    recording = tmp_path / "recording"
    env = {"LD_PRELOAD": shim, "LOOPHOUND_TEST_WAIT": wait}
    outcome = watch_workload("time_sleep", interpreter, "--record", str(recording), env=env)

    check_breaches(outcome)
    check_summary(outcome)
    # What starts the interpreter in its root directory says so too, and waits for nothing.
    counts = re.findall(rf"waits by {wait}: (\d+)\n", outcome.output)
    assert counts and int(counts[-1]) > 0, outcome.output
    assert wait_syscalls(recording) in ([SYSCALLS[wait]], [FOUND_AT_WORK]), outcome.output


UNDER_UVLOOP = """time_sleep selector_wait gil_at_wait cpu_python cpu_callback plain_callback loop_in_thread task_names task_groups
    overload_callbacks overload_tasks two_loops repeated_run run_until_complete_then_sync exits_at_once import_on_loop
    healthy_saturated healthy_streams healthy_callbacks healthy_locks"""


@pytest.mark.parametrize("workload", UNDER_UVLOOP.split())
def test_uvloop(workload, python):
    """python3-uvloop is the distribution's, and made for its interpreter only."""
    outcome = watch_workload(workload, python, **on_loop(python, "uvloop"))

    assert bool(outcome.truths) != workload.startswith("healthy_"), outcome.output
    check_breaches(outcome)
    check_summary(outcome)
    kinds = {loop["kind"] for loop in outcome.summary()["loops"]}
    assert kinds == {"uvloop"}, outcome.output
    for breach in outcome.of_type("breach"):
        assert breach["loop"] == "uvloop", outcome.output
    if workload in ("time_sleep", "cpu_python"):
        # A machine with other work starves a loop as well, which no code is to blame for.
        blamed = [breach for breach in outcome.of_type("breach") if breach["rule"] != "host-starved"]
        assert {breach["coroutine"]["function"] for breach in blamed} == {"handler"}, outcome.output


@pytest.mark.parametrize("workload", ["time_sleep", "subprocess_capture", "cpu_python", "healthy_saturated"])
def test_both_boundaries(workload, python):
    """Side by side on the same run: what the one says the other says."""
    with Workload(workload, python) as program:
        program.wait_ready()
        with (
            Watch(program.pid, "--boundary", "raw") as raw,
            Watch(program.pid, "--boundary", "tracepoint") as other,
        ):
            raw.wait_attached()
            other.wait_attached()
            program.go()
            program.wait_done()
            raw.interrupt()
            other.interrupt()
        program.end()
    for watch in (raw, other):
        outcome = outcome_of(watch, python, program)
        assert bool(outcome.truths) != workload.startswith("healthy_"), outcome.output
        check_breaches(outcome)
        check_summary(outcome)


# Where interpreters have a GIL each, and asyncio comes up in another one than the main one.
HAVE_INTERPRETERS = [each for each in find_interpreters() if each.version >= (3, 13) and not each.free_threaded]


@pytest.mark.parametrize("workload", ["time_sleep", "cpu_python", "lock_threading", "gil_python_thread", "task_names"])
@pytest.mark.parametrize("python", HAVE_INTERPRETERS, ids=str)
def test_another_interpreter(workload, python):
    """A loop in a subinterpreter: its GIL, its tasks and its threads' names are its own."""
    outcome = watch_workload(workload, python, through=(script("in_subinterpreter"),))

    check_breaches(outcome)
    check_summary(outcome)


def _unreadable() -> list[tuple[Interpreter, str, str]]:
    """From 3.13 on the slot that names the running loop is in the thread's state; trio is known by its frames."""
    found = find_interpreters()
    slots = [(each, "asyncio", "state") for each in found if each.version[1] >= 13]
    with_trio = [each for each in found if has_loop(each, "trio")]
    ends = {with_trio[0], with_trio[-1]} if with_trio else set()  # a frame of its own to begin at, and one within it
    return slots + [(each, "trio", "frame") for each in with_trio] + [(each, "trio", "state") for each in sorted(ends, key=str)]


@pytest.mark.parametrize(("of", "loop", "what"), _unreadable(), ids=str)
def test_what_cannot_be_read_has_not_been_left(of, loop, what, tmp_path):
    """A page may be on its way elsewhere: the stall is told, without a stack, and the loop goes on."""
    library = tmp_path / "out_of_reach.so"
    source = script("out_of_reach").replace(".py", ".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source], check=True, timeout=60)
    how = {} if loop == "asyncio" else on_loop(of, loop)
    outcome = watch_workload("out_of_reach", of, given=(str(library), what), **how)
    sleeps = [each for each in outcome.of_type("breach") if each["rule"] == "blocking-call" and not each["ongoing"]]

    assert [each["site"] and each["site"]["function"] for each in sleeps] == [None, None, None, "readable"], outcome.output
    for truth, breach in zip(outcome.truths, sleeps):
        assert breach["cause"] == "sleep" and breach["count"] == 1 and not breach["partial"], outcome.output
        assert breach["start_ns"] < truth["end_ns"] and truth["start_ns"] < breach["start_ns"] + breach["duration_ns"], outcome.output
    assert outcome.summary()["lost"]["stacks_unreadable"] >= 3, outcome.output
