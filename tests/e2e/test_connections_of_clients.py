"""Connections of real clients: aiohttp, httpx, requests, redis, asyncpg. Told of where nothing bounds or keeps them, and only there."""

from __future__ import annotations

import pytest

from connecting import breaches, check_counts, destination, run
from interpreters import system_interpreter


@pytest.mark.parametrize("how", ["default_pool", "httpx_pool", "threads"])
def test_real_clients_with_their_bounds(how):
    outcome, truth = run(system_interpreter(), how, "clients")

    check_counts(outcome, truth, "out", "in")
    assert outcome.of_type("breach") == [], outcome.output


@pytest.mark.parametrize(
    "where, how, rule",
    [
        ("clients", "no_limit", "unbounded-concurrency"),
        ("clients", "httpx_no_limit", "unbounded-concurrency"),
        ("redis_clients", "unbounded", "unbounded-concurrency"),
        ("clients", "session_each", "connection-churn"),
        ("clients", "httpx_each", "connection-churn"),
        ("redis_clients", "client_each", "connection-churn"),
    ],
)
def test_real_clients_without(where, how, rule):
    outcome, truth = run(system_interpreter(), how, where)

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert breach["rule"] == rule, outcome.output
    assert breach["connection"]["destination"] == destination(truth), outcome.output
    ours = {"fetch", "client_each", "connect_tcp.<locals>.try_connect"}  # the last: httpx
    assert ours & {frame["function"] for frame in breach["stack"]}, outcome.output


@pytest.mark.parametrize(
    "where, how, function",
    [
        ("clients", "gather_get", "gather_get"),
        ("clients", "group_get", "group_get"),
        ("clients", "httpx_gather_get", "httpx_gather_get"),
        ("clients", "httpx_group_get", "httpx_group_get"),
        ("redis_clients", "unbounded_blpop", "gather_blpop"),
        ("tcp postgres_clients", "gather_connect", "gather_connect"),
        ("unix postgres_clients", "group_connect", "group_connect"),
    ],
)
@pytest.mark.parametrize("loop", [None, "uvloop"], ids=str)
def test_what_only_a_library_does_in_tasks(where, how, function, loop):
    """gather(*[session.get(url) for url in urls]): the program's line is where that is awaited."""
    outcome, truth = run(system_interpreter(), how, where, loop=loop)

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert breach["rule"] == "unbounded-concurrency", outcome.output
    assert breach["connection"]["peak"] == truth["peak"] >= 150, outcome.output
    assert breach["site"]["function"] == function, outcome.output
    assert breach["coroutine"]["function"] != function, outcome.output


@pytest.mark.parametrize("how", ["bounded", "client_shared"])
def test_redis_with_its_bounds(how):
    outcome, truth = run(system_interpreter(), how, "redis_clients")

    check_counts(outcome, truth)
    assert outcome.of_type("breach") == [], outcome.output


@pytest.mark.parametrize("where, how, at_once", [("tcp", "pool", 10), ("unix", "pool", 10), ("tcp", "wide_pool", 60), ("unix", "wide_pool", 60)])
def test_postgresql_with_a_pool(where, how, at_once):
    outcome, truth = run(system_interpreter(), how, f"{where} postgres_clients")

    assert truth["peak"] == at_once, outcome.output
    check_counts(outcome, truth)
    assert outcome.of_type("breach") == [], outcome.output


@pytest.mark.parametrize(
    "where, how, rule, peak, begun",
    [
        ("tcp", "unbounded", "unbounded-concurrency", 150, 150),
        ("unix", "unbounded", "unbounded-concurrency", 150, 150),
        ("tcp", "churn", "connection-churn", 1, 60),
    ],
)
def test_postgresql_without_a_pool(where, how, rule, peak, begun):
    outcome, truth = run(system_interpreter(), how, f"{where} postgres_clients")

    assert truth["peak"] == peak, outcome.output
    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert breach["rule"] == rule, outcome.output
    seen = breach["connection"]
    assert (seen["destination"], seen["begun"]) == (destination(truth), begun), outcome.output
    assert seen["service"] == ("postgresql" if where == "tcp" else None), outcome.output
    assert breach["coroutine"]["function"] == "BaseSelectorEventLoop.sock_connect", outcome.output
    assert breach["site"]["function"] == "fetch", outcome.output  # which waits for a task of asyncpg's
