"""How long the reader takes to count the tasks of a process, for the service."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time

from child import HERE, PYTHON, Child
from daemon import Serve
from spread import Spread, spread
from table import Row, row

COUNTS = (10, 1000, 10_000)
FAMILY = re.compile(r"^(loophound_task\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)


def _scrape(service: Serve) -> tuple[float, float, float]:
    """Reads that counted all there is, their seconds, the tasks that are shown."""
    found = FAMILY.findall(service.scrape().decode())
    tasks = sum(float(value) for name, _, value in found if name == "loophound_tasks")
    (seconds,) = [float(value) for name, _, value in found if name == "loophound_task_read_seconds_total"]
    reads = {labels: float(value) for name, labels, value in found if name == "loophound_task_reads_total"}
    others = {labels: value for labels, value in reads.items() if value and labels != 'result="ok"'}
    if others:
        raise RuntimeError(f"not all were counted: {others}")
    return reads['result="ok"'], seconds, tasks


def measure(command: list[str], count: int, wanted: int) -> Spread:
    """In us; the process is the only one that is watched. The first read looks for the tables, and is left out."""
    took = []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config, contextlib.ExitStack() as stack:
        config.write("targets: [{name: tasks_target.py}]\n")
        config.flush()
        service = stack.enter_context(Serve(config.name))
        with Child(*command, str(HERE / "tasks_target.py"), str(count)) as target:
            target.line()
            before = _scrape(service)
            while len(took) <= wanted:
                time.sleep(0.5)
                now = _scrape(service)
                if now[0] == before[0] + 1:
                    took.append(1e6 * (now[1] - before[1]))
                before = now
            if before[2] != count:
                raise RuntimeError(f"{before[2]} tasks of {count} are shown")
        service.stop()
    return spread(took[1:])


def run(is_quick: bool) -> list[Row]:
    return [
        row(f"counting {count} tasks, us of the reader's time", measure([PYTHON], count, 2 if is_quick else 8).text("{:.0f}"))
        for count in COUNTS
    ]
