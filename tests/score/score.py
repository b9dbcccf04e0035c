"""Every workload on every interpreter, and how much of it loophound says, and how right: the table of `make score`.

Measures and does not judge: a miss is a number.  Exit code 1 only for a floor that was given and is not
reached, or if a run could not be made at all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from interpreters import Interpreter, find_interpreters, system_interpreter  # noqa: E402
from loops import KINDS, has_loop, on_loop, runs_on_any_loop  # noqa: E402
from servers import SERVERS, watch_server  # noqa: E402
from started import run_workload  # noqa: E402
from tables import by_interpreter, by_rule, numbers, render, render_differences, split_numbers  # noqa: E402
from tally import Tally, tally, tally_latent  # noqa: E402
from watch import Outcome, watch_workload  # noqa: E402
from workload import find_workloads, script  # noqa: E402

NEEDS_CPU = (  # not beside each other
    "cpu_", "starved_", "gc_", "gil_", "import_", "overload_", "healthy_saturated", "healthy_gc", "healthy_gil_",
    "healthy_imports", "healthy_callbacks",
)  # fmt: skip
LATENT = "latent_"  # plant calls that are quick: to be asked for, and with no limit that they could reach
MIXED = {"latent_then_slow"}  # latent, then a breach: test_latent.py
ASK_FOR_LATENT = ("--latent", "--rule", "blocking-call", "--limit", "blocking-call=10000")
NEEDS_ALL_CPUS = {"healthy_busy_machine"}  # not beside any other
SERVER = "server"  # one of e2e/programs/server.py, under load
OF_THE_HOST = ("starved_", LATENT)  # have nothing to do with the loop
WAITS_FOR_NOBODY = {"short_lived"}
KINDS = ("missed", "too_short", "invented", "starved", "splits", "latent")
FLOORS = ("recall", "precision", "cause", "line", "coroutine")


@dataclass(frozen=True)
class Job:
    workload: str
    interpreter: Interpreter
    loop: str = ""  # of e2e/loops.py; asyncio's own. Of a server: which, of e2e/servers.py

    @property
    def column(self) -> str:
        return f"{self.interpreter} {self.loop}" if self.loop else str(self.interpreter)

    def run(self) -> Outcome:
        if self.workload == SERVER:
            return watch_server(self.loop, self.interpreter)
        if self.workload in WAITS_FOR_NOBODY:
            with tempfile.TemporaryDirectory(prefix="loophound-") as folder:
                return run_workload(self.workload, self.interpreter, Path(folder) / "out.jsonl")
        how = on_loop(self.interpreter, self.loop) if self.loop else {}
        options = ASK_FOR_LATENT if self.workload.startswith(LATENT) else ()
        return watch_workload(self.workload, self.interpreter, *options, **how)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="of each workload (default 1)")
    only = "only these: 3.11, 3.11.2+usdt, trio, 3.11.2+usdt+uvloop, servers"
    parser.add_argument("--interpreters", default="", metavar="V,...", help=only)
    parser.add_argument("--workloads", default="", metavar="TEXT,...", help="only those whose name has such a text")
    parser.add_argument("--json", metavar="FILE", help="the same, and each run, for a program; - is standard output")
    for floor in FLOORS:
        parser.add_argument(f"--min-{floor}", type=float, metavar="X", help="exit 1 if it is lower (0 to 1)")
    return parser.parse_args()


def runs_on(loop: str, workload: str, interpreter: Interpreter) -> bool:
    """uvloop is one of asyncio's: all that waits for its start runs on it.  Others elsewhere: what tells them apart."""
    if loop == "uvloop":
        return "\nrun(plant)\n" in Path(script(workload)).read_text()
    if interpreter != system_interpreter() and (loop not in ("trio", "twisted") or workload.startswith(OF_THE_HOST)):
        return False
    return runs_on_any_loop(workload)


def find_jobs(options: argparse.Namespace) -> list[Job]:
    workloads = [each for each in find_workloads() if each not in MIXED]
    if options.workloads:
        workloads = [each for each in workloads if any(text in each for text in options.workloads.split(","))]
    jobs = [Job(workload, interpreter) for workload in workloads for interpreter in find_interpreters()]
    jobs += [
        Job(workload, interpreter, loop)
        for interpreter in find_interpreters()
        for loop in KINDS
        for workload in workloads
        if runs_on(loop, workload, interpreter) and has_loop(interpreter, loop)
    ]
    if not options.workloads or any(text in SERVER for text in options.workloads.split(",")):
        jobs += [Job(SERVER, system_interpreter(), name) for name in SERVERS]
    if options.interpreters:
        wanted = options.interpreters.split(",")
        jobs = [
            job
            for job in jobs
            if (job.loop and (job.loop in wanted or f"{job.interpreter}+{job.loop}" in wanted))
            or (job.workload == SERVER and "servers" in wanted)
            or (not job.loop and any(_is_of(job.interpreter, each) for each in wanted))
        ]
    return jobs * options.runs


def _is_of(interpreter: Interpreter, version: str) -> bool:
    name = str(interpreter)
    return name == version or name.replace("+", ".").startswith(f"{version}.")


def run_all(jobs: list[Job], report) -> tuple[list[Tally], list[str]]:
    """Two at a time of those that mostly sleep, beside them one that needs a CPU; then those that need all."""
    tallies, failed = [], []

    def one(job: Job) -> None:
        try:
            add_up = tally_latent if job.workload.startswith(LATENT) else tally
            tallies.append(add_up(job.workload, job.column, job.run()))
        except (AssertionError, OSError, ValueError, KeyError) as failure:
            failed.append(f"{job.workload} on {job.column}: {str(failure)[:2000]}")
        report(len(tallies) + len(failed))

    alone = [job for job in jobs if job.workload in NEEDS_ALL_CPUS]
    beside = [job for job in jobs if job.workload not in NEEDS_ALL_CPUS]
    with ThreadPoolExecutor(2) as sleepers, ThreadPoolExecutor(1) as workers:
        for job in beside:
            (workers if job.workload.startswith(NEEDS_CPU) else sleepers).submit(one, job)
    for job in alone:
        one(job)
    tallies.sort(key=lambda each: (each.interpreter, each.workload))
    return tallies, failed


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

    def report(done: int) -> None:
        if sys.stderr.isatty() or done % 20 == 0:
            print(f"\r{done} of {len(jobs)} runs ", end="\n" if done % 20 == 0 else "", file=sys.stderr, flush=True)

    tallies, failed = run_all(jobs, report)
    text = render(tallies)
    differences = render_differences(tallies)
    if options.json == "-":
        print(json.dumps(as_json(tallies, failed)))
    else:
        print(text + (f"\n\n{differences}" if differences else ""))
    if options.json and options.json != "-":
        Path(options.json).write_text(json.dumps(as_json(tallies, failed)) + "\n")
    wrong = below_floors(options, numbers(tallies))
    for line in [*(f"failed: {each}" for each in failed), *wrong]:
        print(line, file=sys.stderr)
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
