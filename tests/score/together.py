"""Several workloads, of whatever interpreters and loops, under the eyes of one loophound.

To load the kernel half is most of what a run costs.  Those that sleep do so at the same time; of those that need a CPU,
or have the host do something to them, one after the other is told to begin.  No two are of one workload: breaches of one
line that come within a second are folded, whatever process they are of.
"""

from __future__ import annotations

import contextlib

from interpreters import Interpreter
from watch import Outcome, Watch, outcome_of
from workload import HOSTS, Workload


def watch_together(runs: list[tuple[str, Interpreter, dict]], at_once: bool) -> list[Outcome]:
    """What was planted and reported in each: a workload's name, an interpreter, and what the Workload is given."""
    with contextlib.ExitStack() as stack:
        workloads = [stack.enter_context(Workload(name, interpreter, **how)) for name, interpreter, how in runs]
        for (name, _, _), workload in zip(runs, workloads):
            workload.wait_ready()
            if name in HOSTS:
                stack.enter_context(HOSTS[name](workload.pid))
        first, *others = [workload.pid for workload in workloads]
        watch = stack.enter_context(Watch(first, *(word for pid in others for word in ("-p", str(pid)))))
        for workload in workloads:
            watch.wait_attached(workload.pid)
        for some in [workloads] if at_once else [[workload] for workload in workloads]:
            for workload in some:
                workload.go()
            for workload in some:
                workload.wait_done()
        watch.interrupt()
        for workload in workloads:
            workload.end()
        outcomes = []
        for (_, interpreter, _), workload in zip(runs, workloads):
            outcome = outcome_of(watch, interpreter, workload)
            outcome.records = [each for each in outcome.records if each.get("pid", workload.pid) == workload.pid]
            outcomes.append(outcome)
        return outcomes
