"""The part of `make score` about connections: programs with ground truth and their healthy twins.

Of each run: whether the breach was told that was planted and no other, whether the peak is the program's own count,
and whether the line is one of the program's.  Measures and does not judge; exit code 1 if a run could not be made.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from interpreters import Interpreter, find_interpreters, system_interpreter  # noqa: E402
from loops import has_loop  # noqa: E402
from test_connections import breaches, destination, run  # noqa: E402

# What is run, where; the rule that it breaks, and the function that does (None: a library's own task).  Healthy: None.
OWN = {
    ("unbounded", "127.0.0.1"): ("unbounded-concurrency", "Client.connect"),
    ("unbounded", "unix"): ("unbounded-concurrency", "Client.connect"),
    ("unbounded", "::1 netns"): ("unbounded-concurrency", "Client.connect"),
    ("churn", "127.0.0.1"): ("connection-churn", "Client.connect"),
    ("pool", "127.0.0.1"): None,
    ("pool", "unix"): None,
    ("kept", "127.0.0.1"): None,
}
REAL = {  # clients of the distribution, so for its interpreter
    ("no_limit", "clients"): ("unbounded-concurrency", "fetch"),
    ("httpx_no_limit", "clients"): ("unbounded-concurrency", None),
    ("unbounded", "redis_clients"): ("unbounded-concurrency", "fetch"),
    ("session_each", "clients"): ("connection-churn", "fetch"),
    ("httpx_each", "clients"): ("connection-churn", None),
    ("client_each", "redis_clients"): ("connection-churn", "client_each"),
    ("default_pool", "clients"): None,
    ("httpx_pool", "clients"): None,
    ("threads", "clients"): None,
    ("bounded", "redis_clients"): None,
    ("client_shared", "redis_clients"): None,
}


@dataclass
class Job:
    how: str
    where: str
    planted: tuple[str, str | None] | None
    interpreter: Interpreter
    loop: str | None = None
    found: bool = False
    is_exact: bool = False
    has_line: bool = False
    nr_others: int = 0
    failed: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.how, self.where, str(self.interpreter), self.loop)))

    def run(self) -> None:
        try:
            outcome, truth = run(self.interpreter, self.how, self.where, loop=self.loop)
        except (AssertionError, OSError, ValueError, StopIteration) as failure:
            self.failed = str(failure)[:2000]
            return
        told = breaches(outcome)
        ours = [line for line in told if self.planted and line["rule"] == self.planted[0]]
        self.found = bool(ours)
        self.nr_others = len(told) - len(ours[:1])
        self.has_line = any((line["site"] or {}).get("function") == self.planted[1] for line in ours)
        peaks = [each["peak"] for each in outcome.summary()["connections"]
                 if each["destination"] == destination(truth) and each["direction"] == "out"]  # fmt: skip
        self.is_exact = peaks == [truth["peak"]]


def find_jobs() -> list[Job]:
    jobs = [
        Job(*what, planted, interpreter, loop)
        for interpreter in find_interpreters()
        for loop in (None, "uvloop")
        if not loop or has_loop(interpreter, loop)
        for what, planted in OWN.items()
    ]
    return jobs + [Job(*what, planted, system_interpreter()) for what, planted in REAL.items()]


def numbers(jobs: list[Job]) -> dict:
    made = [job for job in jobs if not job.failed]
    planted = [job for job in made if job.planted]
    found = [job for job in planted if job.found]

    def share(part: int, of: int) -> float | None:
        return part / of if of else None

    return {
        "runs": len(made),
        "planted": len(planted),
        "recall": share(len(found), len(planted)),
        "invented": sum(job.nr_others for job in planted),
        "false alarms": sum(job.nr_others for job in made if not job.planted),
        "line": share(sum(job.has_line for job in found), len(found)),
        "peak exact": share(sum(job.is_exact for job in made), len(made)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="only runs whose name has that: redis, 3.12, uvloop")
    options = parser.parse_args()
    jobs = [job for job in find_jobs() if options.only in str(job)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Job.run, jobs))
    total = numbers(jobs)
    print("| connections | " + " | ".join(total) + " |\n" + "|---" * (len(total) + 1) + "|")
    print("| all | " + " | ".join("-" if value is None else f"{value:.4g}" for value in total.values()) + " |")
    for job in jobs:
        if job.failed:
            print(f"failed: {job}: {job.failed}", file=sys.stderr)
        elif job.nr_others or not job.is_exact or (job.planted and not (job.found and job.has_line)):
            print(json.dumps({"run": str(job), "found": job.found, "others": job.nr_others, "line": job.has_line,
                              "peak exact": job.is_exact}))  # fmt: skip
    return any(job.failed for job in jobs)


if __name__ == "__main__":
    sys.exit(main())
