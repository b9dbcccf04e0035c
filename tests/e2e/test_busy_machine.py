"""A machine without a free CPU is no fault of the program's; at most, and truly, it is the host's."""

from match import check_breaches, check_summary
from watch import watch_workload


def test_short_handlers_on_busy_cpus_are_no_breach(interpreter):
    outcome = watch_workload("healthy_busy_machine", interpreter)

    assert not outcome.truths
    check_breaches(outcome)
    check_summary(outcome)
