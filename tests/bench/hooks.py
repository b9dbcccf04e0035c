"""The ways to see a loop from the kernel, each attached by itself, and what each costs whom.

For docs/decisions/0001-hot-path.md.
"""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass, field

from child import BUILD, Child
from host import wait_alone
from meter import Meter
from spread import spread
from table import render

BENCH = BUILD / "bench"
# (who, mode): heading
COLUMNS = {
    ("watched", "epoll"): "epoll_wait, watched",
    ("other", "epoll"): "epoll_wait, other",
    ("other", "getppid"): "getppid, other",
    ("watched", "switch"): "switch, watched",
    ("other", "switch"): "switch, other",
    ("watched", "spin"): "ticks, watched",
    ("other", "spin"): "ticks, other",
}


@dataclass
class Alternative:
    what: str
    object: str
    arguments: tuple[str, ...] = ()
    refused: str = ""
    hits: int = 0
    spin_hits_per_s: list[float] = field(default_factory=list)
    added: dict[tuple[str, str], list[float]] = field(default_factory=lambda: {c: [] for c in COLUMNS})


def _alternatives() -> list[Alternative]:
    return [
        Alternative("boundary: tp/syscalls pair", "boundary_tracepoint"),
        Alternative("boundary: tp/syscalls exit only", "boundary_tracepoint_exit"),
        Alternative("boundary: tp_btf sys_enter + sys_exit", "boundary_raw"),
        Alternative("boundary: tp_btf sys_exit only", "boundary_raw_exit"),
        Alternative("boundary: fentry + fexit", "boundary_fentry"),
        Alternative("sleep: tp_btf sched_switch, task storage", "switch_storage"),
        Alternative("sleep: tp_btf sched_switch, hash", "switch_hash"),
        Alternative("sleep: perf event of the thread's switches", "perf_event", ("switches",)),
        Alternative("tick: tp_btf hrtimer_expire_entry", "tick_hrtimer"),
        Alternative("tick: perf event of the thread's CPU clock, 250 Hz", "perf_event", ("clock",)),
        Alternative("tick: tp_btf sched_stat_runtime", "tick_stat_runtime"),
    ]


def _measure(meters: dict[str, Meter], milliseconds: int) -> dict[tuple[str, str], float]:
    times = {"spin": 3 * milliseconds}  # ticks are rare
    return {
        (who, mode): meters[who].measure(mode, times.get(mode, milliseconds)) for who, mode in COLUMNS
    }


def _hits_per_s(attached: Child, spinner: Meter) -> float:
    """How often it meets a thread that does nothing but spin."""
    before, since = int(attached.ask("hits")), time.monotonic()
    spinner.measure("spin", 200)
    return (int(attached.ask("hits")) - before) / (time.monotonic() - since)


def _measure_with(alternative: Alternative, meters: dict[str, Meter], milliseconds: int):
    """The measurements with it attached; None, and why, if the kernel does not take it."""
    command = (str(BENCH / "attach"), str(BENCH / f"{alternative.object}.bpf.o"), str(meters["watched"].pid))
    with Child(*command, *alternative.arguments) as attached:
        said = attached.line()[1]
        if said != "attached":
            alternative.refused = said
            return None
        measured = _measure(meters, milliseconds)
        alternative.hits += int(attached.ask("hits"))
        alternative.spin_hits_per_s.append(_hits_per_s(attached, meters["watched"]))
        return measured


def _round(alternatives: list[Alternative], meters: dict[str, Meter], milliseconds: int) -> dict:
    """Each once, in a new order, between two measurements with nothing attached; the first of all."""
    wait_alone()
    before = first = _measure(meters, milliseconds)
    for alternative in random.sample(alternatives, len(alternatives)):
        if alternative.refused:
            continue
        measured = _measure_with(alternative, meters, milliseconds)
        wait_alone()  # the kernel detaches some time after the end of the process
        after = _measure(meters, milliseconds)
        for column in COLUMNS if measured else ():
            alternative.added[column].append(measured[column] - (before[column] + after[column]) / 2)
        before = after
    return first


def _line(alternative: Alternative) -> list[str]:
    if alternative.refused:
        return [alternative.what, alternative.refused, *[""] * len(COLUMNS)]
    if not alternative.hits:
        raise RuntimeError(f"{alternative.what}: never met its thread")
    added = [spread(values).text("{:+.0f}") for values in alternative.added.values()]
    return [alternative.what, *added, f"{spread(alternative.spin_hits_per_s).median:.0f}"]


def run(is_quick: bool) -> str:
    rounds, milliseconds = (1, 20) if is_quick else (12, 80)
    alternatives = _alternatives()
    nothing: dict[tuple[str, str], list[float]] = {column: [] for column in COLUMNS}
    with contextlib.ExitStack() as stack:
        meters = {who: stack.enter_context(Meter()) for who in ("watched", "other")}
        for _ in range(rounds):
            for column, value in _round(alternatives, meters, milliseconds).items():
                nothing[column].append(value)
    lines = [["nothing attached", *(spread(values).text("{:.0f}") for values in nothing.values())]]
    lines[0].append("")
    return render(["added by", *COLUMNS.values(), "runs/s"], lines + [_line(a) for a in alternatives])
