"""Who holds the GIL and does not run is not in a call of C because it does not move."""

from __future__ import annotations

import pytest

from interpreters import find_interpreters, system_interpreter
from watch import watch_workload

# The newest too: from 3.13 on the interpreter notes rarely where it is, and so seems to stand still more often.
INTERPRETERS = sorted({system_interpreter(), find_interpreters()[-1]}, key=str)


@pytest.mark.parametrize("python", INTERPRETERS, ids=str)
def test_a_holder_without_a_cpu(python):
    outcome = watch_workload("gil_holder_starved", python)
    breaches = [each for each in outcome.of_type("breach") if each["rule"] == "gil-wait" and not each["ongoing"]]
    assert any(each["duration_ns"] > 50_000_000 for each in breaches), f"it was not kept waiting{outcome.output}"
    for each in breaches:
        holder = each["holder"]
        assert (holder["name"], holder["site"]["function"]) == ("burner", "crunch"), outcome.output
        assert not holder["native"], f"{holder}{outcome.output}"
