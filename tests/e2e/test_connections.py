"""Connections: as many as there were, told of where they are too many, short or left open, and only there."""

from __future__ import annotations

import json
import re

import pytest

from clocks import Clocks
from connecting import RULES, breaches, check_counts, destination, of_truth, run
from interpreters import system_interpreter
from service import Service
from watch import Loophound, Outcome, Watch, outcome_of
from workload import Workload


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


FAILURES = ("refused", "timed_out", "unreachable", "given_up", "reset", "descriptors", "other")


def check_failed(seen: dict, **failed: int) -> None:
    assert seen["failed"] == {**dict.fromkeys(FAILURES, 0), **failed}


def test_a_gather_that_is_reset(interpreter):
    outcome, truth = run(interpreter, "reset")

    assert truth["peak"] == 150 and truth["failed"] == {"reset": 135}, truth
    check_counts(outcome, truth, "out", "in")
    (breach,) = breaches(outcome)
    assert (breach["rule"], breach["connection"]["peak"]) == ("unbounded-concurrency", 150), outcome.output
    check_failed(breach["connection"], reset=135)
    (server,) = of_truth(outcome, truth, "in", outcome.summary()["connections"])
    check_failed(server)  # who resets has lost nothing


def test_a_gather_that_runs_out_of_descriptors(interpreter):
    outcome, truth = run(interpreter, "out_of_descriptors")

    lost = truth["failed"]["descriptors"]
    assert truth["peak"] + lost == 150 and 100 < truth["peak"] <= 120, truth
    check_counts(outcome, truth)
    of = {breach["connection"]["direction"]: breach for breach in breaches(outcome)}
    assert len(of) == len(breaches(outcome)) == 2, outcome.output
    assert {breach["rule"] for breach in of.values()} == {"unbounded-concurrency"}, outcome.output
    assert of["out"]["connection"]["begun"] == of["process"]["connection"]["burst"] == truth["peak"], outcome.output
    check_failed(of["out"]["connection"])
    check_failed(of["process"]["connection"], descriptors=lost)


NO_WAY = [  # no route, one that says so, a host that does not answer
    ("10.7.0.1", "ENETUNREACH", "10.7.0.1:80"),
    ("2001:db8::1", "ENETUNREACH", "[2001:db8::1]:80"),
    ("::ffff:10.7.0.1", "ENETUNREACH", "10.7.0.1:80"),
    ("10.9.0.1", "EHOSTUNREACH", "10.9.0.1:80"),
    ("10.8.0.2", "EHOSTUNREACH", "10.8.0.2:80"),
]


@pytest.mark.parametrize("host, reason, where", NO_WAY)
def test_a_gather_to_where_there_is_no_way(host, reason, where):
    outcome, truth = run(system_interpreter(), "unreachable", f"127.0.0.1 {host} {reason}", "--limit", "unbounded-concurrency=30")

    assert truth["failed"] == {"unreachable": 41}, truth
    (breach,) = breaches(outcome)
    assert breach["rule"] == "unbounded-concurrency", outcome.output
    seen = breach["connection"]
    assert (seen["destination"], seen["begun"], seen["burst"]) == (where, 41, 40), outcome.output
    check_failed(seen, unreachable=41)
    assert breach["site"]["function"] == "Client.connect", outcome.output


@pytest.mark.parametrize("host, reason, where", NO_WAY)
def test_what_is_unreachable_is_in_the_metrics(host, reason, where):
    with Service("--breaches.to", "none") as service, Workload("connections", system_interpreter(), "unreachable", "127.0.0.1", host, reason) as program:
        service.wait_serving()
        service.run(program)
        failures = re.compile(rf'loophound_outbound_connect_failures_total{{.*destination="{re.escape(where)}",reason="(\w+)"}} ([1-9]\d*)')
        service.wait_metrics(lambda text: failures.findall(text) == [("unreachable", "41")])
        program.end()


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


# How a program waits for tasks of a library's coroutine: its functions in the stack, the innermost first, besides that of the
# way itself; from which version on.
WAYS = {
    "task": ([], 9),
    "wait_for": ([], 9),
    "wait_for_task": ([], 9),
    "gather": ([], 9),
    "gather_in_wait_for": ([], 9),
    "gather_of_gather": ([], 9),
    "wait": ([], 9),
    "shield": ([], 14),
    "as_completed": ([], 14),
    "task_group": ([], 11),
    "task_group_body": ([], 11),
    "eager_gather": ([], 12),
    "eager_group": ([], 12),
    "anyio_group": ([], 9),
    "anyio_group_body": ([], 9),
    "many_waiters": (["same_task"], 9),
    "async_generator": (["generated"], 9),
    "context_manager": (["generated"], 9),
    "awaitable": (["acquire"], 9),
    "generator_awaitable": (["acquire", "__await__"], 9),
}


def check_ways(interpreter, loop: str | None = None) -> None:
    ways = {way: inward for way, (inward, since) in WAYS.items() if interpreter.version[1] >= since}
    outcome, truth = run(interpreter, ",".join(ways), "task_clients", "--limit", "unbounded-concurrency=14", loop=loop)

    check_counts(outcome, truth)
    told = {breach["connection"]["destination"]: breach for breach in breaches(outcome)}
    assert set(told) == {destination({"address": address}) for address in truth["ways"].values()}, outcome.output
    for way, inward in ways.items():
        breach = told[destination({"address": truth["ways"][way]})]
        assert (breach["rule"], breach["cause"]) == ("unbounded-concurrency", "concurrent"), (way, outcome.output)
        of_program = [frame["function"].split(".")[-1] for frame in breach["stack"] if frame["file"].endswith("/task_clients.py")]
        assert of_program[: len(inward) + 4] == [*inward, way, "one_after_the_other", "go_ways", "plant"], (way, outcome.output)
        assert breach["site"]["function"].split(".")[-1] == of_program[0], (way, outcome.output)
        if not loop:
            assert breach["coroutine"]["function"].endswith("sock_connect"), (way, outcome.output)


def test_who_waits_for_the_task_that_connects(interpreter):
    check_ways(interpreter)


def test_who_waits_on_uvloop():
    """Whose create_connection() is compiled, so that what connects has no frame at all."""
    check_ways(system_interpreter(), loop="uvloop")


@pytest.mark.parametrize("how", ["fan_out_gather", "fan_out_group", "fan_out_anyio"])
def test_a_fan_out_of_a_library_s_coroutine(how, interpreter):
    """What connects could be a pool's own task, if it were not known who waits for it."""
    if how == "fan_out_group" and interpreter.version < (3, 11):
        how = "fan_out_gather"
    outcome, truth = run(interpreter, how, "task_clients", "--limit", "unbounded-concurrency=200")

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert (breach["rule"], breach["cause"]) == ("unbounded-concurrency", "iteration"), outcome.output
    assert breach["site"]["function"] == how, outcome.output


def test_who_waits_for_a_greenlet():
    """Its stack has no frame of the loop, and so no place for them."""
    outcome, truth = run(system_interpreter(), "in_greenlet", "task_clients", "--limit", "unbounded-concurrency=14")

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert [frame["function"] for frame in breach["stack"]] == ["create_connection", *["connect"] * 21], outcome.output
    assert (breach["site"]["function"], breach["coroutine"]) == ("connect", None), outcome.output


def test_a_gather_over_many_destinations():
    outcome, _ = run(system_interpreter(), "crawl")

    (breach,) = breaches(outcome)
    assert (breach["rule"], breach["cause"]) == ("unbounded-concurrency", "iteration"), outcome.output
    seen = breach["connection"]
    assert (seen["direction"], seen["destination"], seen["burst"]) == ("process", None, 60), outcome.output
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
    assert breach["connection"]["segments_out"] == 60, outcome.output


def test_connections_that_nobody_closes():
    def is_leak(line: dict) -> bool:
        return line["type"] == "breach" and line["rule"] == "connection-leak"

    outcome, truth = run(system_interpreter(), "leak", until=is_leak)

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert (breach["rule"], breach["cause"]) == ("connection-leak", "close-wait"), outcome.output
    assert breach["connection"]["close_wait"] == 15, outcome.output
    assert breach["site"]["function"] == "leak", outcome.output


@pytest.mark.parametrize("passed_s", [50, 61])
def test_connections_that_become_more_and_more(tmp_path, passed_s):
    """A minute, to the watch."""
    clocks = Clocks(tmp_path)
    with Workload("connections", system_interpreter(), "growing", "127.0.0.1") as workload:
        workload.wait_ready()
        with Watch(workload.pid, "--rule", RULES, env=clocks.environment) as watch:
            watch.wait_attached()
            workload.go()
            watch.expect("the first three", lambda line: is_out_of(line, 3))
            clocks.put(monotonic_s=passed_s)
            workload.go()
            workload.wait_done()
            watch.expect("all of them", lambda line: is_out_of(line, 15))
            watch.interrupt()
            workload.end()
            outcome = outcome_of(watch, system_interpreter(), workload)
    told = [(breach["rule"], breach["cause"], breach["connection"]["peak"]) for breach in breaches(outcome)]
    assert told == [("connection-leak", "growth", 15)] * (passed_s > 60), outcome.output


def is_out_of(line: str, established: int) -> bool:
    record = json.loads(line)
    return record["type"] == "connections" and (record["direction"], record["established"]) == ("out", established)


@pytest.mark.parametrize("where", ["127.0.0.1", "unix"])
def test_connections_that_end_with_their_process(where):
    outcome, truth = run(
        system_interpreter(), "kept_to_the_end", where, until=lambda line: line.get("direction") == "out", killed=True
    )

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert (breach["rule"], breach["cause"]) == ("connection-leak", "at-exit"), outcome.output
    assert breach["connection"]["closed_at_exit"] == 15, outcome.output
    assert breach["site"]["function"] == "connect", outcome.output


@pytest.mark.parametrize("where", ["127.0.0.1", "unix"])
def test_connections_that_end_with_their_interpreter(interpreter, where):
    outcome, truth = run(interpreter, "left_to_the_end", where, until=lambda line: line.get("direction") == "out", ends=True)

    check_counts(outcome, truth)
    (breach,) = breaches(outcome)
    assert (breach["rule"], breach["cause"]) == ("connection-leak", "at-exit"), outcome.output
    assert breach["connection"]["closed_at_exit"] == 30, outcome.output
    assert breach["connection"]["closed_by_gc"] == 0, outcome.output


def test_a_recording_tells_the_same(tmp_path):
    recording = tmp_path / "connections.rec"
    outcome, _ = run(system_interpreter(), "unbounded", "127.0.0.1", "--record", str(recording))
    with Loophound("report", str(recording), "--format", "jsonl", "--rule", RULES) as report:
        assert report.wait() == 0, report.dump()
        assert report.records() == outcome.records, report.dump()


def check_collected(outcome: Outcome, truth: dict) -> None:
    check_counts(outcome, truth)
    of = {breach["connection"]["direction"]: breach for breach in breaches(outcome)}
    assert len(of) == len(breaches(outcome)) == 2, outcome.output
    assert {(breach["rule"], breach["cause"]) for breach in of.values()} == {("connection-leak", "collector")}, outcome.output
    assert of["out"]["connection"]["closed_by_gc"] == 15, outcome.output
    assert of["out"]["site"]["function"] == "connect", outcome.output
    assert of["out"]["coroutine"]["function"] == "collected", outcome.output
    assert of["process"]["connection"]["closed_by_gc"] == 20, outcome.output


def test_what_the_collector_closes(interpreter):
    check_collected(*run(interpreter, "collected"))


def test_streams_that_the_collector_closes():
    check_collected(*run(system_interpreter(), "collected", "unix"))


def test_what_the_collector_finds_closed(interpreter):
    outcome, truth = run(interpreter, "closed")

    check_counts(outcome, truth)
    assert outcome.of_type("breach") == [], outcome.output
    assert all(each["closed_by_gc"] == 0 for each in outcome.summary()["connections"]), outcome.output
