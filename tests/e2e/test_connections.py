"""Connections: as many as there were, told of where they are too many, short or left open, and only there."""

from __future__ import annotations

import contextlib
import json

import pytest

from interpreters import system_interpreter
from watch import Loophound, Outcome, Watch, outcome_of
from workload import Workload, script

RULES = "unbounded-concurrency,connection-churn,connection-leak"
LOOPBACK = {"127.0.0.1": "127.0.0.1:%d", "::1": "[::1]:%d"}


def run(
    interpreter, how: str, where: str = "127.0.0.1", *arguments: str, until=None, loop: str | None = None
) -> tuple[Outcome, dict]:
    """One program under watch; until: the line to wait for before it ends.  PID in an argument is its own."""
    with contextlib.ExitStack() as stack:
        program = where if where.endswith("clients") else "connections"
        through = (script("under"), loop) if loop else ()
        workload = stack.enter_context(Workload(program, interpreter, how, *where.split(), through=through))
        workload.wait_ready()
        watch = stack.enter_context(Watch(workload.pid, "--rule", RULES, *(each.replace("PID", str(workload.pid)) for each in arguments)))
        watch.wait_attached()
        workload.go()
        workload.wait_done()
        if until:
            watch.expect("the line that the test waits for", lambda line: until(json.loads(line)))
        watch.interrupt()
        workload.end()
        truth = next(line for line in map(json.loads, workload.out.lines) if "peak" in line)
        return outcome_of(watch, interpreter, workload), truth


def destination(truth: dict) -> str:
    address = truth["address"]
    return address if isinstance(address, str) else LOOPBACK[address[0]] % address[1]


def check_counts(outcome: Outcome, truth: dict, *directions: str) -> None:
    for direction in directions or ("out",):
        (seen,) = [
            each
            for each in outcome.summary()["connections"]
            if each["destination"] == destination(truth) and each["direction"] == direction
        ]
        assert seen["peak"] == truth["peak"], outcome.output
        lines = [
            each["window_peak"]
            for each in outcome.of_type("connections")
            if each["destination"] == destination(truth) and each["direction"] == direction
        ]
        assert max(lines) == truth["peak"], outcome.output


def breaches(outcome: Outcome) -> list[dict]:
    return [line for line in outcome.of_type("breach") if not line["ongoing"]]


@pytest.mark.parametrize("where", ["127.0.0.1", "unix", "::1 netns"])
def test_a_gather_without_a_semaphore(where):
    outcome, truth = run(system_interpreter(), "unbounded", where)

    assert truth["peak"] == 150
    check_counts(outcome, truth, "out", "in")
    (breach,) = breaches(outcome)
    assert breach["rule"] == "unbounded-concurrency", outcome.output
    assert breach["connection"]["peak"] == 150, outcome.output
    assert breach["connection"]["destination"] == destination(truth), outcome.output
    assert breach["site"]["function"] == "Client.connect", outcome.output
    assert breach["coroutine"]["function"].endswith("sock_connect"), outcome.output
    assert "Client.fetch" in [frame["function"] for frame in breach["stack"]], outcome.output


@pytest.mark.parametrize("how, loop", [("bounded", None), ("kept", None), ("pool", None), ("pool", "uvloop")])
def test_who_bounds_and_keeps_is_not_told(how, loop):
    outcome, truth = run(system_interpreter(), how, "127.0.0.1", "--limit", "connection-churn=1000", loop=loop)

    check_counts(outcome, truth)
    assert outcome.of_type("breach") == [], outcome.output


def test_a_gather_on_uvloop():
    outcome, truth = run(system_interpreter(), "unbounded", loop="uvloop")

    assert truth["peak"] == 150
    check_counts(outcome, truth, "out", "in")
    (breach,) = breaches(outcome)
    assert breach["rule"] == "unbounded-concurrency", outcome.output
    assert breach["connection"]["peak"] == 150, outcome.output
    assert breach["site"]["function"] == "Client.connect", outcome.output


def test_a_limit_of_one_destination():
    own = "unbounded-concurrency@/tmp/loophound-test-PID.sock=5"
    limits = "--limit", "connection-churn=1000", "--limit", "unbounded-concurrency@/other=1"

    outcome, _ = run(system_interpreter(), "bounded", "unix", *limits)
    assert breaches(outcome) == [], outcome.output
    outcome, truth = run(system_interpreter(), "bounded", "unix", *limits, "--limit", own)
    (breach,) = breaches(outcome)
    assert (breach["connection"]["limit"], breach["connection"]["peak"]) == (5, 10), outcome.output


def test_a_connection_for_each_request():
    outcome, truth = run(system_interpreter(), "churn")

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert breach["rule"] == "connection-churn", outcome.output
    assert breach["connection"]["begun"] == breach["connection"]["short_lived"] == 60, outcome.output
    assert breach["connection"]["bytes_out"] == breach["connection"]["bytes_in"] == 60 * 5, outcome.output


def test_connections_that_nobody_closes():
    def is_leak(line: dict) -> bool:
        return line["type"] == "breach" and line["rule"] == "connection-leak"

    outcome, truth = run(system_interpreter(), "leak", until=is_leak)

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert (breach["rule"], breach["cause"]) == ("connection-leak", "close-wait"), outcome.output
    assert breach["connection"]["close_wait"] == 15, outcome.output
    assert breach["site"]["function"] == "leak", outcome.output


def test_a_recording_tells_the_same(tmp_path):
    recording = tmp_path / "connections.rec"
    outcome, _ = run(system_interpreter(), "unbounded", "127.0.0.1", "--record", str(recording))
    with Loophound("report", str(recording), "--format", "jsonl", "--rule", RULES) as report:
        assert report.wait() == 0, report.dump()
        assert report.records() == outcome.records, report.dump()


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


@pytest.mark.parametrize("how", ["bounded", "client_shared"])
def test_redis_with_its_bounds(how):
    outcome, truth = run(system_interpreter(), how, "redis_clients")

    check_counts(outcome, truth)
    assert outcome.of_type("breach") == [], outcome.output
