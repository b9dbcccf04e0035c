"""Who holds the GIL and has no CPU is not to blame for the wait, and not in a call of C because it does not move."""

from __future__ import annotations

import pytest

from interpreters import find_interpreters, system_interpreter
from match import TELLS_OF_HOLDERS
from watch import Outcome, watch_workload

# The newest too: from 3.13 on the interpreter notes rarely where it is, and so seems to stand still more often.
INTERPRETERS = sorted({system_interpreter(), find_interpreters()[-1]}, key=str)
MILLISECOND = 1_000_000
DOZE_NS = 60 * MILLISECOND
# Not looked at before half the limit could be reached, that is two pieces; what it takes to hand the GIL over; a tick.
SLACK_NS = 20 * MILLISECOND

pytestmark = pytest.mark.skipif(not TELLS_OF_HOLDERS, reason="this kernel does not tell of another thread whether it has a CPU")


def of_stalls(outcome: Outcome) -> list[tuple[dict, dict | None, dict | None]]:
    """Of each stall: its truth, the gil-wait and the host-starved of its iteration."""
    final = [each for each in outcome.of_type("breach") if not each["ongoing"] and each["count"]]
    assert all(each["count"] == 1 for each in final), outcome.output

    def find(rule: str, truth: dict) -> dict | None:
        of_iteration = (
            each
            for each in final
            if each["rule"] == rule and 0 <= truth["start_ns"] - each["iteration_start_ns"] < each["iteration_ns"]
        )
        return next(of_iteration, None)

    return [(truth, find("gil-wait", truth), find("host-starved", truth)) for truth in outcome.truths]


@pytest.mark.parametrize("python", INTERPRETERS, ids=str)
@pytest.mark.parametrize("how", ["python", "together"])
def test_a_holder_without_a_cpu(python, how):
    outcome = watch_workload("gil_holder_starved", python, given=(how,))
    stalls = of_stalls(outcome)
    assert any(truth["holder"]["queued_ns"] > 150 * MILLISECOND for truth, *_ in stalls), outcome.output
    for truth, gil_wait, starved in stalls:
        true = truth["holder"]
        if gil_wait:
            seen = gil_wait["holder"]
            assert gil_wait["duration_ns"] < true["ran_ns"] + SLACK_NS, f"{gil_wait}{outcome.output}"
            assert (seen["name"], seen["site"]["function"]) == ("burner", "crunch"), outcome.output
            assert not seen["native"], f"{seen}{outcome.output}"
        if true["queued_ns"] > 150 * MILLISECOND:
            assert starved, f"no report of {truth}{outcome.output}"
            seen_ns = starved["evidence"]["holder_run_queue_ns"]
            # It may also wait for a CPU while the loop does something else than wait for it.
            else_ns = starved["iteration_ns"] - starved["split"]["gil_wait_ns"]
            missing_ns = true["queued_ns"] - seen_ns
            assert -SLACK_NS < missing_ns < else_ns + SLACK_NS, f"{seen_ns}, in truth {true}{outcome.output}"
            assert starved["duration_ns"] >= seen_ns, outcome.output
            assert sum(starved["split"].values()) == starved["iteration_ns"], outcome.output


@pytest.mark.parametrize("python", INTERPRETERS, ids=str)
def test_a_holder_that_sleeps_in_c(python):
    outcome = watch_workload("gil_holder_starved", python, given=("asleep",))
    for truth, gil_wait, _ in of_stalls(outcome):
        assert gil_wait, f"no report of {truth}{outcome.output}"
        seen, ran_ns = gil_wait["holder"], truth["holder"]["ran_ns"]
        assert -SLACK_NS < gil_wait["duration_ns"] - DOZE_NS < ran_ns + SLACK_NS, f"{gil_wait}{outcome.output}"
        assert (seen["name"], seen["site"]["function"], seen["native"]) == ("burner", "doze", True), outcome.output
