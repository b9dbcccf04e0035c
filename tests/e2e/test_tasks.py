"""Who ran is named where that is not plain: no frame, or no asyncio yet when the watch began."""

from __future__ import annotations

from match import check_breaches, check_summary
from watch import watch_workload


def test_a_function_in_c(interpreter):
    outcome = watch_workload("callback_in_c", interpreter)
    seen = [
        (breach["rule"], breach["callback"] and breach["callback"]["function"])
        for breach in outcome.of_type("breach")
        if breach["count"] and not breach["ongoing"] and breach["rule"] != "host-starved"
    ]

    assert seen[:2] == [("blocking-call", "sleep")] * 2, outcome.output
    assert set(seen[2:]) == {("cpu-bound", "sum")}, outcome.output
    for breach in outcome.of_type("breach"):
        assert breach["task"] is None, outcome.output
        assert not breach["callback"] or breach["callback"]["file"] is None, outcome.output


def test_asyncio_comes_late(interpreter):
    outcome = watch_workload("late_asyncio", interpreter)

    check_breaches(outcome)
    check_summary(outcome)


def test_uvloop_comes_late(python):
    """There the dict of current tasks is the only way to a task."""
    outcome = watch_workload("late_asyncio", python, env={"LOOPHOUND_TEST_UVLOOP": "1"})

    check_breaches(outcome)
    check_summary(outcome)
