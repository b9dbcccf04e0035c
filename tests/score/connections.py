"""The part of `make score` about connections: programs with ground truth and their healthy twins.

Of each run: whether the breach was told that was planted and no other, whether the peak is the program's own count,
and whether the line is one of the program's.  Measures and does not judge; exit code 1 if a run could not be made.
With --add FILE each is kept in the file, and made only if it is not there yet.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Callable, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from connecting import breaches, of_truth, run  # noqa: E402
from interpreters import Interpreter, find_interpreters, system_interpreter  # noqa: E402
from loops import has_loop  # noqa: E402


class Planted(NamedTuple):
    rule: str
    function: str  # that breaks it
    lines: int = 1  # that tell of it
    since: int = 9  # the minor version that has it


# What is run, where, and what it breaks.  Healthy: None.
OWN = {
    ("unbounded", "127.0.0.1"): Planted("unbounded-concurrency", "Client.connect"),
    ("unbounded", "unix"): Planted("unbounded-concurrency", "Client.connect"),
    ("unbounded", "::1 netns"): Planted("unbounded-concurrency", "Client.connect"),
    ("churn", "127.0.0.1"): Planted("connection-churn", "Client.connect"),
    ("leak", "127.0.0.1"): Planted("connection-leak", "leak"),
    ("collected", "127.0.0.1"): Planted("connection-leak", "connect", lines=2),  # sockets, and files
    ("collected", "unix"): Planted("connection-leak", "connect", lines=2),
    ("fan_out_gather", "task_clients"): Planted("unbounded-concurrency", "fan_out_gather"),
    ("fan_out_group", "task_clients"): Planted("unbounded-concurrency", "fan_out_group", since=11),
    ("fan_out_anyio", "task_clients"): Planted("unbounded-concurrency", "fan_out_anyio"),
    ("pool", "127.0.0.1"): None,
    ("pool", "unix"): None,
    ("kept", "127.0.0.1"): None,
    ("closed", "127.0.0.1"): None,
}
REAL = {  # clients of the distribution, so for its interpreter
    ("no_limit", "clients"): Planted("unbounded-concurrency", "fetch"),
    ("httpx_no_limit", "clients"): Planted("unbounded-concurrency", "httpx_fetch"),
    ("unbounded", "redis_clients"): Planted("unbounded-concurrency", "fetch"),
    ("unbounded", "tcp postgres_clients"): Planted("unbounded-concurrency", "fetch"),
    ("unbounded", "unix postgres_clients"): Planted("unbounded-concurrency", "fetch"),
    ("gather_get", "clients"): Planted("unbounded-concurrency", "gather_get"),
    ("group_get", "clients"): Planted("unbounded-concurrency", "group_get"),
    ("httpx_gather_get", "clients"): Planted("unbounded-concurrency", "httpx_gather_get"),
    ("httpx_group_get", "clients"): Planted("unbounded-concurrency", "httpx_group_get"),
    ("unbounded_blpop", "redis_clients"): Planted("unbounded-concurrency", "gather_blpop"),
    ("gather_connect", "tcp postgres_clients"): Planted("unbounded-concurrency", "gather_connect"),
    ("group_connect", "unix postgres_clients"): Planted("unbounded-concurrency", "group_connect"),
    ("session_each", "clients"): Planted("connection-churn", "fetch"),
    ("httpx_each", "clients"): Planted("connection-churn", "httpx_fetch"),
    ("client_each", "redis_clients"): Planted("connection-churn", "client_each"),
    ("churn", "tcp postgres_clients"): Planted("connection-churn", "fetch"),
    ("default_pool", "clients"): None,
    ("httpx_pool", "clients"): None,
    ("threads", "clients"): None,
    ("bounded", "redis_clients"): None,
    ("client_shared", "redis_clients"): None,
    ("pool", "tcp postgres_clients"): None,
    ("pool", "unix postgres_clients"): None,
    ("wide_pool", "tcp postgres_clients"): None,
}


@dataclass(frozen=True)
class Result:
    found: bool
    peak_exact: bool
    nr_others: int
    line: bool | None  # None: it is healthy

    def is_as_planted(self, planted: Planted | None) -> bool:
        return self.found == bool(planted) and self.peak_exact and not self.nr_others and self.line is not False


@dataclass
class Job:
    how: str
    where: str
    planted: Planted | None
    interpreter: Interpreter
    loop: str | None = None
    result: Result | None = None
    failed: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.how, self.where, str(self.interpreter), self.loop)))

    def run(self) -> None:
        try:
            outcome, truth = run(self.interpreter, self.how, self.where, loop=self.loop, until=self.until())
        except (AssertionError, OSError, ValueError, StopIteration) as failure:
            self.failed = str(failure)[:2000]
            return
        told = breaches(outcome)
        peaks = [each["peak"] for each in of_truth(outcome, truth, "out", outcome.summary()["connections"])]
        ours = [line for line in told if self.planted and line["rule"] == self.planted.rule]
        wanted = self.planted.lines if self.planted else 0
        functions = {(line["site"] or {}).get("function") for line in ours}
        self.result = Result(
            found=bool(wanted) and len(ours) >= wanted,
            peak_exact=peaks == [truth["peak"]],
            nr_others=len(told) - len(ours[:wanted]),
            line=self.function() in functions if self.function() else None,
        )

    def function(self) -> str | None:
        """As the interpreter has it: the qualified name is not to be had before 3.11."""
        if not self.planted or self.interpreter.version >= (3, 11):
            return self.planted and self.planted.function
        return self.planted.function.rsplit(".", 1)[-1]

    def until(self) -> Callable[[dict], bool] | None:
        """What has to be told before the program ends: what nobody closes is told once it has lasted."""
        if self.how != "leak":
            return None
        return lambda line: line["type"] == "breach" and line["rule"] == "connection-leak"


def find_jobs() -> list[Job]:
    jobs = [
        Job(*what, planted, interpreter, loop)
        for interpreter in find_interpreters()
        for loop in (None, "uvloop")
        if not loop or has_loop(interpreter, loop)
        for what, planted in OWN.items()
        if not planted or interpreter.version[1] >= planted.since
    ]
    return jobs + [Job(*what, planted, system_interpreter()) for what, planted in REAL.items()]


def numbers(jobs: list[Job]) -> dict:
    made = [job for job in jobs if job.result]
    planted = [job.result for job in made if job.planted]
    healthy = [job.result for job in made if not job.planted]
    found = [result for result in planted if result.found]
    with_line = [result for result in found if result.line is not None]

    def share(part: int, of: int) -> float | None:
        return part / of if of else None

    return {
        "runs": len(made),
        "planted": len(planted),
        "recall": share(len(found), len(planted)),
        "invented": sum(result.nr_others for result in planted),
        "false alarms": sum(result.nr_others for result in healthy),
        "line": share(sum(bool(result.line) for result in with_line), len(with_line)),
        "peak exact": share(sum(job.result.peak_exact for job in made), len(made)),
    }


def render(jobs: list[Job]) -> str:
    """A row for each rule, one for the healthy twins, one for all."""
    rules = dict.fromkeys(job.planted.rule for job in jobs if job.planted)
    parts = {rule: [job for job in jobs if job.planted and job.planted.rule == rule] for rule in rules}
    rows = {name: numbers(part) for name, part in {**parts, "healthy": [job for job in jobs if not job.planted], "all": jobs}.items()}
    lines = ["| connections | " + " | ".join(rows["all"]) + " |", "|---" * (len(rows["all"]) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join("-" if value is None else f"{value:.4g}" for value in row.values()) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="only runs whose name has that: redis, 3.12, uvloop")
    parser.add_argument("--add", type=Path, metavar="FILE", help="keep each run there, and make only those that are missing")
    parser.add_argument("--seconds", type=float, default=float("inf"), metavar="N", help="begin none later than that")
    options = parser.parse_args()
    jobs = [job for job in find_jobs() if options.only in str(job)]
    kept: dict[str, dict] = {}
    if options.add and options.add.exists():
        kept = dict(json.loads(line) for line in options.add.read_text().splitlines())
    end, lock = time.monotonic() + options.seconds, Lock()

    def make(job: Job) -> None:
        if known := kept.get(str(job)):
            job.result = Result(**known)
        elif time.monotonic() < end:
            job.run()
            if options.add and job.result:
                with lock, options.add.open("a") as file:
                    file.write(json.dumps([str(job), dataclasses.asdict(job.result)]) + "\n")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, jobs))
    print(render(jobs))
    for job in jobs:
        if job.failed:
            print(f"failed: {job}: {job.failed}", file=sys.stderr)
        elif not job.result:
            print(f"not made: {job}")
        elif not job.result.is_as_planted(job.planted):
            print(json.dumps({"run": str(job), **dataclasses.asdict(job.result)}))
    return any(job.failed for job in jobs)


if __name__ == "__main__":
    sys.exit(main())
