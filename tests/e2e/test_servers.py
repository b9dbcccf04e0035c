"""Real servers under load: each planted fault is found, with its line and coroutine, and no healthy handler is blamed.

Handlers that starlette and fastapi run in their thread pool block as they like.
"""

from __future__ import annotations

import pytest

from match import check_breaches, check_summary
from servers import SERVERS, watch_server


# `make score` has all of them.
@pytest.mark.parametrize("name", ["aiohttp", "tornado", "fastapi-uvloop", "gunicorn-uvloop"])
def test_server(name, python):
    outcome = watch_server(name, python)

    assert {truth["truth"] for truth in outcome.truths} == {
        f"server_{fault}" for fault in ("sleep", "fetch", "count", "lock", "sync")
    }
    check_breaches(outcome)
    check_summary(outcome)
    assert {loop["kind"] for loop in outcome.summary()["loops"]} == {SERVERS[name]}, outcome.output
    assert {breach["loop"] for breach in outcome.of_type("breach")} == {SERVERS[name]}, outcome.output
