"""Every workload on every interpreter, and how much of it loophound says, and how right: the table of `make score`.

Measures and does not judge: a miss is a number.  Exit code 1 only for a floor that was given and is not
reached, or if a run could not be made at all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from interpreters import Interpreter, find_interpreters, system_interpreter  # noqa: E402
from kept import Kept  # noqa: E402
from loops import KINDS as LOOPS  # noqa: E402
from loops import has_loop, on_loop, runs_on_loop  # noqa: E402
from servers import SERVERS, watch_server  # noqa: E402
from started import run_workload  # noqa: E402
from tables import by_interpreter, by_rule, numbers, render, render_differences, split_numbers  # noqa: E402
from tally import Tally, tally, tally_latent  # noqa: E402
from together import watch_together  # noqa: E402
from watch import BINARY, Outcome, watch_workload  # noqa: E402
from workload import find_workloads  # noqa: E402

NEEDS_CPU = (  # not beside each other
    "cpu_", "starved_", "gc_", "gil_", "import_", "overload_", "healthy_saturated", "healthy_gc", "healthy_gil_",
    "healthy_imports", "healthy_callbacks",
)  # fmt: skip
LATENT = "latent_"  # plant calls that are quick: to be asked for, and with no limit that they could reach
MIXED = {"latent_then_slow"}  # latent, then a breach: test_latent.py
ASK_FOR_LATENT = ("--latent", "--rule", "blocking-call", "--limit", "blocking-call=10000")
NEEDS_ALL_CPUS = {"healthy_busy_machine"}  # not beside any other
SERVER = "server"  # one of e2e/programs/server.py, under load
OF_THE_HOST = ("starved_", LATENT)  # have nothing to do with the loop: on each, but on one interpreter
ON_EVERY_INTERPRETER = {"uvloop", "trio", "anyio-trio", "twisted", "gevent"}  # the others are asyncio, or trio, by another name
WAITS_FOR_NOBODY = {"short_lived"}
SHARE = 8  # so many processes are watched by one loophound
KINDS = ("missed", "too_short", "invented", "starved", "splits", "latent")
FLOORS = ("recall", "precision", "cause", "line", "coroutine")


@dataclass(frozen=True)
class Job:
    workload: str
    interpreter: Interpreter
    loop: str = ""  # of e2e/loops.py; asyncio's own. Of a server: which, of e2e/servers.py

    @property
    def column(self) -> str:
        return f"{self.interpreter} {self.loop or 'asyncio'}"

    def run(self) -> Outcome:
        if self.workload == SERVER:
            return watch_server(self.loop, self.interpreter)
        if self.workload in WAITS_FOR_NOBODY:
            with tempfile.TemporaryDirectory(prefix="loophound-") as folder:
                return run_workload(self.workload, self.interpreter, Path(folder) / "out.jsonl")
        options = ASK_FOR_LATENT if self.workload.startswith(LATENT) else ()
        return watch_workload(self.workload, self.interpreter, *options, **self.how())

    def needs_cpu(self) -> bool:
        return self.workload.startswith(NEEDS_CPU)

    def how(self) -> dict:
        return on_loop(self.interpreter, self.loop) if self.loop else {}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="of each workload (default 1)")
    only = "only these: 3.11, 3.11.2+usdt, both with asyncio; asyncio, trio, 3.11.2+usdt+uvloop, servers"
    parser.add_argument("--interpreters", default="", metavar="V,...", help=only)
    parser.add_argument("--workloads", default="", metavar="TEXT,...", help="only those whose name has such a text")
    parser.add_argument("--add", type=Path, metavar="FILE", help="keep each run in it, count those that it has, make those that it lacks")
    parser.add_argument("--seconds", type=float, metavar="N", help="begin no run later than that; with --add the next time goes on")
    parser.add_argument("--json", metavar="FILE", help="the same, and each run, for a program; - is standard output")
    for floor in FLOORS:
        parser.add_argument(f"--min-{floor}", type=float, metavar="X", help="exit 1 if it is lower (0 to 1)")
    return parser.parse_args()


def runs_on(loop: str, workload: str, interpreter: Interpreter) -> bool:
    if interpreter != system_interpreter() and (loop not in ON_EVERY_INTERPRETER or workload.startswith(OF_THE_HOST)):
        return False
    return runs_on_loop(workload, loop) and has_loop(interpreter, loop)


def find_jobs(options: argparse.Namespace) -> list[Job]:
    workloads = [each for each in find_workloads() if each not in MIXED]
    if options.workloads:
        workloads = [each for each in workloads if any(text in each for text in options.workloads.split(","))]
    jobs = [Job(workload, interpreter) for workload in workloads for interpreter in find_interpreters()]
    jobs += [
        Job(workload, interpreter, loop)
        for interpreter in find_interpreters()
        for loop in LOOPS
        for workload in workloads
        if runs_on(loop, workload, interpreter)
    ]
    if not options.workloads or any(text in SERVER for text in options.workloads.split(",")):
        jobs += [Job(SERVER, system_interpreter(), name) for name in SERVERS]
    if options.interpreters:
        wanted = options.interpreters.split(",")
        jobs = [
            job
            for job in jobs
            if job.column.replace(" ", "+") in wanted
            or (job.loop or "asyncio") in wanted
            or (job.workload == SERVER and "servers" in wanted)
            or (not job.loop and any(_is_of(job.interpreter, each) for each in wanted))
        ]
    return jobs * options.runs


def _is_of(interpreter: Interpreter, version: str) -> bool:
    name = str(interpreter)
    return name == version or name.replace("+", ".").startswith(f"{version}.")


def not_kept(jobs: list[Job], kept: Kept) -> list[Job]:
    """Those that are to be made, however often each is to be made in all."""
    there = kept.count()
    wanted: Counter = Counter()
    left = []
    for job in jobs:
        key = job.workload, job.column
        wanted[key] += 1
        if wanted[key] > there[key]:
            left.append(job)
    return left


def _can_share(job: Job) -> bool:
    alone = job.workload in {SERVER, *NEEDS_ALL_CPUS, *WAITS_FOR_NOBODY}
    return not alone and not job.workload.startswith((LATENT, "exits_"))  # which asks otherwise, or ends the watch


def groups_of(jobs: list[Job]) -> list[list[Job]]:
    """Those that share a watch: of different workloads, which all need a CPU or all do not."""
    groups: list[list[Job]] = []
    for job in jobs:
        for group in groups:
            is_alike = group[0].needs_cpu() == job.needs_cpu()
            is_new = all(each.workload != job.workload for each in group)
            if _can_share(job) and _can_share(group[0]) and is_alike and is_new and len(group) < SHARE:
                group.append(job)
                break
        else:
            groups.append([job])
    return groups


def run_all(jobs: list[Job], kept: Kept, end: float, report) -> list[str]:
    """Two groups at a time of those that mostly sleep, beside them one that needs a CPU; then those that need all.

    What failed to run at all is said, and kept by nobody.
    """
    failed = []
    done: list[Job] = []

    def one(group: list[Job]) -> None:
        if time.monotonic() >= end:
            return
        try:
            if len(group) > 1:
                runs = [(job.workload, job.interpreter, job.how()) for job in group]
                outcomes = watch_together(runs, at_once=not group[0].needs_cpu())
            else:
                outcomes = [group[0].run()]
            for job, outcome in zip(group, outcomes):
                kept.add(job.workload, job.column, outcome)
        except (AssertionError, OSError, ValueError, KeyError, subprocess.SubprocessError) as failure:
            which = ", ".join(f"{job.workload} on {job.column}" for job in group)
            failed.append(f"{which}: {str(failure)[:2000]}")
        done.extend(group)
        report(len(done))

    groups = groups_of(jobs)
    alone = [group for group in groups if group[0].workload in NEEDS_ALL_CPUS]
    with ThreadPoolExecutor(2) as sleepers, ThreadPoolExecutor(1) as workers:
        for group in groups:
            if group not in alone:
                (workers if group[0].needs_cpu() else sleepers).submit(one, group)
    for group in alone:
        one(group)
    return failed


def tallies_of(kept: Kept, jobs: list[Job]) -> list[Tally]:
    """Of all runs of these jobs that there are, those of earlier pieces among them."""
    wanted = {(job.workload, job.column) for job in jobs}
    return sorted(
        (
            (tally_latent if run.workload.startswith(LATENT) else tally)(run.workload, run.column, run.outcome)
            for run in kept.runs
            if (run.workload, run.column) in wanted
        ),
        key=lambda each: (each.interpreter, each.workload),
    )


def as_json(tallies: list[Tally], failed: list[str]) -> dict:
    def run(each: Tally) -> dict:
        return {
            "workload": each.workload,
            "interpreter": each.interpreter,
            "pairs": [{"truth": pair.truth, "breach": pair.breach, "true_ns": pair.true_ns} for pair in each.pairs],
            **{kind: getattr(each, kind) for kind in KINDS},
        }

    return {
        "all": numbers(tallies),
        "rules": by_rule(tallies),
        "interpreters": by_interpreter(tallies),
        "split": split_numbers(tallies),
        "failed": failed,
        "runs": [run(each) for each in tallies],
    }


def below_floors(options: argparse.Namespace, total: dict) -> list[str]:
    floors = {floor: getattr(options, f"min_{floor}") for floor in FLOORS}
    return [
        f"{floor} is {total[floor]:.4f}, the floor {least}"
        for floor, least in floors.items()
        if least is not None and total[floor] is not None and total[floor] < least
    ]


def main() -> int:
    options = parse_arguments()
    jobs = find_jobs(options)
    if not jobs:
        print("score: nothing to run", file=sys.stderr)
        return 2
    kept = Kept(options.add, hashlib.sha256(Path(BINARY).read_bytes()).hexdigest()[:12])
    left = not_kept(jobs, kept)

    def report(done: int) -> None:
        if sys.stderr.isatty() or done % 20 == 0:
            print(f"\r{done} of {len(left)} runs ", end="\n" if done % 20 == 0 else "", file=sys.stderr, flush=True)

    failed = run_all(left, kept, time.monotonic() + (options.seconds or math.inf), report)
    tallies = tallies_of(kept, jobs)
    text = render(tallies)
    differences = render_differences(tallies)
    if options.json == "-":
        print(json.dumps(as_json(tallies, failed), default=asdict))
    else:
        print(text + (f"\n\n{differences}" if differences else ""))
    if options.json and options.json != "-":
        Path(options.json).write_text(json.dumps(as_json(tallies, failed), default=asdict) + "\n")
    wrong = below_floors(options, numbers(tallies))
    if missing := len(not_kept(jobs, kept)):
        print(f"score: {missing} of {len(jobs)} runs are not made yet", file=sys.stderr)
    for line in [*(f"failed: {each}" for each in failed), *wrong]:
        print(line, file=sys.stderr)
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
