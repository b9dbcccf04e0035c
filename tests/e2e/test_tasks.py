"""Who ran is named where that is not plain: no frame, or no asyncio yet when the watch began."""

from __future__ import annotations

from match import check_breaches, check_summary
from watch import Outcome, watch_workload
from workload import script


def check_function_in_c(outcome: Outcome) -> None:
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


def test_a_function_in_c(interpreter):
    check_function_in_c(watch_workload("callback_in_c", interpreter))


def test_a_function_in_c_under_uvloop(python):
    """A Handle there is no Python object in a frame: it is found on the thread's native stack."""
    check_function_in_c(watch_workload("callback_in_c", python, through=(script("under"), "uvloop")))


def test_a_callback_is_not_what_is_around_it(interpreter):
    outcome = watch_workload("callbacks_around", interpreter)
    found = [breach for breach in outcome.of_type("breach") if not breach["ongoing"] and breach["rule"] != "host-starved"]

    check_breaches(outcome)
    assert [breach["callback"]["function"] for breach in found] == ["called", "handle_signal"], outcome.output


def test_asyncio_comes_late(interpreter):
    outcome = watch_workload("late_asyncio", interpreter)

    check_breaches(outcome)
    check_summary(outcome)


def test_uvloop_comes_late(python):
    """There is no dict of current tasks yet that the reader could have found."""
    outcome = watch_workload("late_asyncio", python, env={"LOOPHOUND_TEST_UVLOOP": "1"})

    check_breaches(outcome)
    check_summary(outcome)
