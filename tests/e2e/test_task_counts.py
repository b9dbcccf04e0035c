"""`loophound_tasks`: a program with known numbers of tasks in each state, as a scrape shows them."""

from __future__ import annotations

import pytest

from loops import has_loop, on_loop
from process import poll
from service import Service
from task_counts import check_tasks, has_states, samples, states_of, worker_of
from workload import Workload


def test_each_state_is_counted(service, interpreter):
    check_tasks(service, interpreter)


def test_uvloop_uses_the_same_tasks(service, python):
    assert has_loop(python, "uvloop")
    check_tasks(service, python, **on_loop(python, "uvloop"))


@pytest.mark.parametrize("loop", ["trio", "gevent"])
def test_loops_without_such_tasks_have_no_series(service, loop, python):
    """Though all that there are of others are counted meanwhile."""
    with Workload("two_sites", python, **on_loop(python, loop)) as program, Workload("healthy_idle", python) as other:
        for each in program, other:
            service.run(each)
        text = service.wait_metrics(lambda text: bool(states_of(text, other.pid)) and worker_of(text, program.pid) is not None)
        assert not states_of(text, program.pid)
        program.end()
        other.end()


def reads(service: Service) -> float:
    return sum(value for _, value in samples(service.metrics(), "loophound_task_reads_total"))


def test_nobody_is_read_for_nobody(python):
    """Before the first scrape; what that one shows is no number, either."""
    with Service("--breaches.to", "none") as service, Workload("healthy_idle", python) as program:
        service.wait_serving()
        service.run(program)
        first = service.metrics()
        assert samples(first, "loophound_loop_busy_seconds_total")
        assert sum(value for _, value in samples(first, "loophound_task_reads_total")) == 0
        assert not states_of(first, program.pid)
        poll("somebody to be read", lambda: reads(service) > 0)
        has_states(service, program.pid, [{"running": 0, "ready": 0, "waiting": 1}])
        program.end()
