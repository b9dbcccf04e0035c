"""What the loop calls is named where it has no frame to be named by."""

from __future__ import annotations

from watch import watch_workload


def test_a_function_in_c(interpreter):
    outcome = watch_workload("callback_in_c", interpreter)
    seen = [
        (breach["rule"], breach["callback"] and breach["callback"]["function"])
        for breach in outcome.of_type("breach")
        if not breach["ongoing"] and breach["rule"] != "host-starved"
    ]

    assert seen[:2] == [("blocking-call", "sleep")] * 2, outcome.output
    assert set(seen[2:]) == {("cpu-bound", "sum")}, outcome.output
    for breach in outcome.of_type("breach"):
        assert breach["task"] is None, outcome.output
        assert not breach["callback"] or breach["callback"]["file"] is None, outcome.output
