"""Every planted fault is found, right, and the healthy twins are left alone; on every interpreter.

The runs are started ahead of the tests that judge them: two at a time of those that mostly sleep, and
beside them one of those that need a CPU, so that they do not starve each other on a small machine.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from match import check_breaches, check_summary
from watch import Outcome, watch_workload
from workload import find_workloads

ELSEWHERE = {
    "short_lived",  # waits for nobody: test_run.py
    "healthy_busy_machine",  # takes all CPUs: test_busy_machine.py
}


def is_elsewhere(name: str) -> bool:
    return name in ELSEWHERE or name.startswith("latent_")  # test_latent.py


NEEDS_CPU = ("cpu_", "starved_", "overload_", "gil_", "healthy_saturated", "healthy_gil_")


@pytest.fixture(scope="module")
def runs(request):
    """Future outcomes by (workload, interpreter) of the selected tests of this module."""
    selected = [
        (item.callspec.params["workload"], item.callspec.params["interpreter"])
        for item in request.session.items
        if item.module is request.module
    ]
    with ThreadPoolExecutor(2) as sleepers, ThreadPoolExecutor(1) as workers:
        futures: dict[tuple, Future[Outcome]] = {}
        for workload, interpreter in selected:
            pool = workers if workload.startswith(NEEDS_CPU) else sleepers
            futures[workload, interpreter] = pool.submit(watch_workload, workload, interpreter)
        yield futures
        for future in futures.values():  # matters after Ctrl-C or -x only
            future.cancel()


@pytest.mark.parametrize("workload", [name for name in find_workloads() if not is_elsewhere(name)])
def test_workload(runs, workload, interpreter):
    outcome = runs[workload, interpreter].result()

    assert bool(outcome.truths) != workload.startswith("healthy_"), outcome.output
    check_breaches(outcome)
    check_summary(outcome)
    if workload == "healthy_idle":
        seen = {line["tid"] for line in outcome.of_type("loop")}
        assert seen == outcome.loop_tids, f"one loop line a second, even of an idle loop{outcome.output}"
