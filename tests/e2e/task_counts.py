"""What `serve` shows of a program's tasks, and whether it is what the program has."""

from __future__ import annotations

import json
import re

from interpreters import Interpreter
from service import Service, labels_of
from workload import Workload

BESIDE = {"running": 0, "ready": 0, "waiting": 5}


def samples(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
    return [(labels_of(labels), float(value)) for labels, value in found]


def worker_of(text: str, pid: int) -> dict[str, str] | None:
    for labels, _ in samples(text, "loophound_target_info"):
        if labels["pid"] == str(pid):
            return {name: labels[name] for name in ("process", "worker")}
    return None


def states_of(text: str, pid: int) -> list[dict[str, float]]:
    """Of each loop of the process that has such series."""
    worker = worker_of(text, pid)
    loops: dict[str, dict[str, float]] = {}
    for labels, value in samples(text, "loophound_tasks"):
        if worker and worker.items() <= labels.items():
            loops.setdefault(labels["loop"], {})[labels["state"]] = value
    return list(loops.values())


def has_states(service: Service, pid: int, wanted: list[dict[str, int]]) -> str:
    def is_wanted(text: str) -> bool:
        shown = states_of(text, pid)
        return len(shown) == len(wanted) and all(each in shown for each in wanted)

    return service.wait_metrics(is_wanted)


def check_tasks(service: Service, interpreter: Interpreter, **how) -> None:
    with Workload("has_tasks", interpreter, **how) as program:
        program.wait_ready()
        idle = json.loads(program.out.lines[-1])
        text = has_states(service, program.pid, [idle["states"], BESIDE])
        worker = worker_of(text, program.pid)
        uncounted = [value for labels, value in samples(text, "loophound_tasks_uncounted") if labels == worker]
        assert uncounted == [1], "of a loop that does not run"
        program.go()
        line = program.out.wait_for(lambda each: '"blocked"' in each)
        blocked = json.loads(line)
        has_states(service, program.pid, [blocked["states"], BESIDE])
        loops = [each for each in json.loads(service.ask("/api/v1/loops").body) if each["pid"] == program.pid]
        assert blocked["states"] in [each["tasks"] for each in loops], loops
        program.go()
        program.wait_done()
        program.end()
