"""What a watch costs processes that it has nothing to do with: on a system call, on a context switch."""

from __future__ import annotations

import contextlib
import random

from child import BUILD, Child, target
from daemon import Watch
from host import wait_alone
from meter import Meter
from spread import spread
from table import Row, row, verdict_of

NOTHING, EMPTY, TRACEPOINT, RAW = "", "empty programs on the same hooks", "tracepoint", "raw"
ATTACHED = (EMPTY, TRACEPOINT, RAW)
MODES = {"getppid": "getppid()", "zero": "read() of /dev/zero", "epoll": "epoll_wait()", "switch": "context switch"}
HAVE_BUDGET = ("getppid", "zero", "epoll")
MOST_NS = 60  # with tracepoints


def _measure(meter: Meter, milliseconds: int) -> dict[str, float]:
    return {mode: meter.measure(mode, milliseconds) for mode in MODES}


@contextlib.contextmanager
def _attached(what: str, quiet: Child, meter: Meter):
    wait_alone()
    if what == NOTHING:
        yield
    elif what == EMPTY:
        bench = BUILD / "bench"
        with Child(str(bench / "attach"), str(bench / "empty.bpf.o"), str(meter.pid)) as attached:
            if (said := attached.line()[1]) != "attached":
                raise RuntimeError(said)
            yield
    else:
        with Watch(quiet.pid, arguments=("--boundary", what)).wait_attached() as watch:
            yield
            watch.stop()


def _rounds(rounds: int, milliseconds: int) -> dict[str, list[dict[str, float]]]:
    """By what is attached, one measurement a round; in a new order each."""
    seen: dict[str, list[dict[str, float]]] = {NOTHING: [], **{what: [] for what in ATTACHED}}
    with target("quiet_target.py", 1) as quiet, Meter() as meter:
        for _ in range(rounds):
            for what in random.sample(list(seen), len(seen)):
                with _attached(what, quiet, meter):
                    seen[what].append(_measure(meter, milliseconds))
    return seen


def run(is_quick: bool) -> list[Row]:
    seen = _rounds(*((3, 50) if is_quick else (40, 100)))
    rows = []
    for attached in ATTACHED:
        for mode, what in MODES.items():
            added = spread([with_it[mode] - without[mode] for with_it, without in zip(seen[attached], seen[NOTHING])])
            without = spread([measurement[mode] for measurement in seen[NOTHING]]).median
            has_budget = attached == TRACEPOINT and mode in HAVE_BUDGET
            rows.append(row(f"{what} of an unrelated process ({without:.0f} ns), {attached}: added ns",
                            added.sure("{:.0f}"), f"<= {MOST_NS}" if has_budget else "",
                            verdict_of(added, most=MOST_NS) if has_budget else None))  # fmt: skip
    return rows
