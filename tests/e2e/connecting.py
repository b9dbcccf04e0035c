"""A program that makes connections under watch, and what it says of them: how many there were, and to whom."""

from __future__ import annotations

import contextlib
import json
import signal

from loops import environment_of
from watch import Outcome, Watch, outcome_of
from workload import Workload, script

RULES = "unbounded-concurrency,connection-churn,connection-leak"
LOOPBACK = {"127.0.0.1": "127.0.0.1:%d", "::1": "[::1]:%d"}


def run(
    interpreter, how: str, where: str = "127.0.0.1", *arguments: str, until=None, loop: str | None = None, killed=False, ends=False
) -> tuple[Outcome, dict]:
    """One program under watch, where its last word says if it is no other; until: the line to wait for before it ends.
    PID in an argument is its own.
    """
    with contextlib.ExitStack() as stack:
        words = where.split()
        program = words.pop() if words[-1].endswith("clients") else "connections"
        through = (script("under"), loop) if loop else ()
        env = environment_of(interpreter) if program == "task_clients" else None
        workload = stack.enter_context(Workload(program, interpreter, how, *words, through=through, env=env))
        workload.wait_ready()
        watch = stack.enter_context(Watch(workload.pid, "--rule", RULES, *(each.replace("PID", str(workload.pid)) for each in arguments)))
        watch.wait_attached()
        workload.go()
        workload.wait_done()
        if until:
            watch.expect("the line that the test waits for", lambda line: until(json.loads(line)))
        if killed:
            workload.send(signal.SIGKILL)
            assert watch.wait() == 0, watch.dump()  # its only target is gone
        elif ends:
            workload.end()
            assert watch.wait() == 0, watch.dump()
        else:
            watch.interrupt()
            workload.end()
        truth = next(line for line in map(json.loads, workload.out.lines) if "peak" in line)
        return outcome_of(watch, interpreter, workload), truth


def destination(truth: dict) -> str:
    address = truth["address"]
    return address if isinstance(address, str) else LOOPBACK[address[0]] % address[1]


def of_truth(outcome: Outcome, truth: dict, direction: str, lines: list[dict]) -> list[dict]:
    """Those of the program itself: what it starts may connect likewise."""
    wanted = outcome.pid, direction, destination(truth)
    return [each for each in lines if (each["pid"], each["direction"], each["destination"]) == wanted]


def check_counts(outcome: Outcome, truth: dict, *directions: str) -> None:
    for direction in directions or ("out",):
        (seen,) = of_truth(outcome, truth, direction, outcome.summary()["connections"])
        assert seen["peak"] == truth["peak"], outcome.output
        lines = of_truth(outcome, truth, direction, outcome.of_type("connections"))
        assert max(line["window_peak"] for line in lines) == truth["peak"], outcome.output


def breaches(outcome: Outcome) -> list[dict]:
    return [line for line in outcome.of_type("breach") if not line["ongoing"]]
