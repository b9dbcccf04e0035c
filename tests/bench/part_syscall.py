"""What a watch costs processes that it has nothing to do with: on a system call, on a context switch."""

from __future__ import annotations

import contextlib

from child import target
from daemon import Watch
from host import wait_alone
from meter import Meter
from spread import spread
from table import Row, row

BOUNDARIES = ("tracepoint", "raw")
MODES = {"getppid": "getppid()", "zero": "read() of /dev/zero", "epoll": "epoll_wait()", "switch": "context switch"}
HAVE_BUDGET = ("getppid", "zero", "epoll")
MOST_NS = 60  # with tracepoints


def _measure(meter: Meter, milliseconds: int) -> dict[str, float]:
    return {mode: meter.measure(mode, milliseconds) for mode in MODES}


def _rounds(rounds: int, milliseconds: int) -> dict[str, list[dict[str, float]]]:
    """By boundary ("": nothing attached), one measurement a round."""
    seen: dict[str, list[dict[str, float]]] = {"": [], **{boundary: [] for boundary in BOUNDARIES}}
    with target("quiet_target.py", 1) as quiet, Meter() as meter:
        for _ in range(rounds):
            for boundary, measurements in seen.items():
                wait_alone()
                with contextlib.ExitStack() as stack:
                    if boundary:
                        watch = Watch(quiet.pid, arguments=("--boundary", boundary))
                        stack.enter_context(watch).wait_attached()
                    measurements.append(_measure(meter, milliseconds))
                    if boundary:
                        watch.stop()
    return seen


def run(is_quick: bool) -> list[Row]:
    seen = _rounds(*((3, 50) if is_quick else (25, 200)))
    rows = []
    for boundary in BOUNDARIES:
        for mode, what in MODES.items():
            added = spread([with_it[mode] - without[mode] for with_it, without in zip(seen[boundary], seen[""])])
            without = spread([measurement[mode] for measurement in seen[""]]).median
            has_budget = boundary == "tracepoint" and mode in HAVE_BUDGET
            rows.append(row(f"{what} of an unrelated process ({without:.0f} ns), {boundary}: added ns",
                            added.text("{:.0f}"), f"<= {MOST_NS}" if has_budget else "",
                            added.median <= MOST_NS if has_budget else None))  # fmt: skip
    return rows
