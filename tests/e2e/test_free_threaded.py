"""Free-threaded builds: read as others are, without a GIL to wait for.

Runs where `make free-threaded` has built one; `make check-free-threaded` does so and runs every workload.
"""

from __future__ import annotations

import os

import pytest

from interpreters import find_free_threaded
from match import check_breaches, check_summary
from service import Service
from task_counts import check_tasks
from test_connections import check_ways
from watch import Loophound, Outcome, watch_workload
from workload import Workload, find_workloads

ELSEWHERE = {
    "short_lived",  # this and the next: as in test_workloads.py
    "healthy_busy_machine",
    "healthy_gc",  # is not: this collector looks through a frozen heap, too, and takes its 20 ms for it
}
BRIEF = (  # one of each thing that is kept elsewhere without the GIL
    "cpu_python", "crowd", "deep_stack", "gc_automatic", "gc_explicit", "healthy_locks", "import_by_name",
    "lock_threading", "loop_in_thread", "overload_tasks", "plain_callback", "task_names", "time_sleep", "two_loops", "unicode_names",
)  # fmt: skip
WITH_GIL = {"PYTHON_GIL": "1"}

of_each = pytest.mark.parametrize("free", find_free_threaded(), ids=str)


def workloads() -> list[str]:
    names = [name for name in find_workloads() if name not in ELSEWHERE and not name.startswith(("latent_", "gil_"))]
    return names if os.environ.get("LOOPHOUND_FREE_THREADED") == "all" else [name for name in names if name in BRIEF]


@pytest.mark.parametrize("workload", workloads())
@of_each
def test_workload(workload, free):
    outcome = watch_workload(workload, free)

    assert bool(outcome.truths) != workload.startswith("healthy_"), outcome.output
    check_breaches(outcome)
    check_summary(outcome)
    check_no_gil(outcome)


def check_no_gil(outcome: Outcome) -> None:
    breaches = outcome.of_type("breach")
    assert not [each for each in breaches if each["rule"] == "gil-wait" or each["split"]["gil_wait_ns"]], outcome.output
    targets = [(each["free_threaded"], each["gil"]) for each in outcome.of_type("target") if each["status"] == "ok"]
    assert set(targets) == {(True, False)}, outcome.output


@of_each
def test_who_waits_for_the_task_that_connects(free):
    check_ways(free)


@pytest.mark.parametrize("workload", ["gil_python_thread", "gil_native_thread", "healthy_gil_released"])
@of_each
def test_threads_do_not_wait_for_each_other(workload, free):
    """What keeps a loop waiting elsewhere does not here, and is not said to."""
    check_no_gil(watch_workload(workload, free))


@pytest.mark.parametrize("workload", ["gil_python_thread", "gil_native_thread"])
@of_each
def test_a_gil_that_is_turned_on(workload, free):
    """By PYTHON_GIL=1, or a module in C that asks for it: then there are such waits."""
    outcome = watch_workload(workload, free, env=WITH_GIL)

    check_breaches(outcome)
    check_summary(outcome)
    (target,) = outcome.of_type("target")
    assert target["free_threaded"] and target["gil"], outcome.output


@of_each
def test_another_threads_collector_stops_the_world(free):
    """The loop's thread is stopped: by no lock, and on no line's account."""
    outcome = watch_workload("world_stopped", free)
    (loop,) = outcome.loop_tids
    ended = [each for each in outcome.of_type("breach") if each["tid"] == loop and each["count"] and not each["ongoing"]]
    found = [each for each in ended if each["cause"] == "other-thread"]

    assert not [each for each in outcome.of_type("breach") if each["rule"] == "blocking-call"], outcome.output
    assert len(outcome.truths) == len(found) == 4, outcome.output
    for truth, breach in zip(outcome.truths, found):
        took_ns = truth["end_ns"] - truth["start_ns"]
        assert breach["rule"] == "gc-pause" and not breach["gc"]["estimated"], outcome.output
        assert truth["start_ns"] <= breach["start_ns"] <= truth["end_ns"], outcome.output
        # The world stands still for most of a collection, not for all of it.
        assert took_ns / 2 <= breach["duration_ns"] <= took_ns + 5_000_000, outcome.output
        assert breach["split"]["other_ns"] >= breach["duration_ns"], outcome.output
        assert breach["site"]["function"] == "compute", outcome.output


@of_each
def test_tasks_are_counted(free):
    with Service("--breaches.to", "none") as service:
        check_tasks(service.wait_serving(), free)


@of_each
def test_ps_doctor_and_watch_say_so(free):
    with Workload("healthy_idle", free) as workload, Workload("healthy_idle", free, env=WITH_GIL) as with_gil:
        for each, word, sentence in (workload, "no-gil", "no GIL"), (with_gil, "gil-on", "its GIL is on"):
            each.wait_ready()
            pid = str(each.pid)
            with Loophound("ps", "-p", pid) as ps:
                assert ps.wait() == 0, ps.dump()
            assert f"t  static,{word} " in ps.out.text(), ps.dump()
            with Loophound("ps", "-p", pid, "--format", "jsonl") as ps:
                assert ps.wait() == 0, ps.dump()
            (process,) = ps.records()
            assert (process["free_threaded"], process["gil"]) == (True, each is with_gil), ps.dump()
            assert process["supported"] and process["loops"] == 1, ps.dump()
            with Loophound("doctor", "-p", pid) as doctor:
                doctor.wait()
            assert f", free-threaded: {sentence}," in doctor.out.text(), doctor.dump()
            with Loophound("watch", "-p", pid, "--duration", "1") as watch:
                watch.wait()
            assert f"CPython {'.'.join(map(str, free.version))}, free-threaded: {sentence}," in watch.out.text(), watch.dump()
        for each in workload, with_gil:
            each.go()
            each.wait_done()
            each.end()
