"""The split of an iteration against what the workload itself knows of it.

The workload's clocks are read at both ends of a stall, the iteration goes from wait to wait.  What is in the
iteration and around the stall can be in any part of the split: the truth of a part is a range, and it is as wide as
that time is long.  To it come 5 % or 1 ms.  What was stolen of a CPU is `other`, or, where the scheduler's sum is too far
behind for so little, a part of what ran.  A build without probes has its collections and imports counted in timer ticks:
right to one tick for each, of which two are allowed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

MILLISECOND = 1_000_000
CLOCK_MONOTONIC_COARSE = 6  # of Linux; it moves with the timer's tick
TICK_NS = int(time.clock_getres(CLOCK_MONOTONIC_COARSE) * 1e9)
PARTS = "on_cpu_ns syscall_ns gil_wait_ns gc_ns import_ns run_queue_ns page_fault_ns other_ns".split()
OTHER_MAX = 0.03  # of an iteration, without what was stolen
SWITCH_NS = 50_000  # a sleep's, of which a part is in the thread's clock and off the CPU for us: 22 us seen
# By rule or cause: the part that has all sleeps of a stall, but for those that its truth has in another.
SLEEPS_IN = {
    "blocking-call": "syscall_ns",
    "gil-wait": "gil_wait_ns",
    "import-on-loop": "import_ns",
    "page-fault": "page_fault_ns",
    "stopped": "other_ns",
}


@dataclass(frozen=True)
class Part:
    """One part of one iteration.  `rest` is all but the CPU and the wait for one."""

    name: str
    seen_ns: int
    true_ns: int  # as the workload's clocks have it
    around_ns: int  # more that it may be: of the iteration, and not of what was planted
    unsure_ns: int  # either way, for the clocks were not read at one moment
    is_estimated: bool

    @property
    def error_ns(self) -> int:
        """How far it is from what may be true."""
        low, high = self.true_ns - self.unsure_ns, self.true_ns + self.around_ns + self.unsure_ns
        return max(0, low - self.seen_ns, self.seen_ns - high)

    @property
    def bound_ns(self) -> int:
        return max(MILLISECOND, self.true_ns // 20) + (2 * TICK_NS if self.is_estimated else 0)

    @property
    def is_within(self) -> bool:
        return self.error_ns <= self.bound_ns


def _wall_ns(truth: dict) -> int:
    return truth["end_ns"] - truth["start_ns"]


def truths_within(truths: list[dict], breach: dict) -> list[dict]:
    """Those that are in the iteration of the breach, whole."""
    start_ns = breach["iteration_start_ns"]
    end_ns = start_ns + breach["iteration_ns"]
    return [
        truth
        for truth in truths
        if truth["tid"] == breach["tid"] and start_ns <= truth["start_ns"] and truth["end_ns"] <= end_ns
    ]


def stated(truth: dict) -> dict[str, int]:
    """Parts of the stall that the workload says itself."""
    parts = dict(truth.get("split") or {})
    if "gc_ns" in truth:
        parts.setdefault("gc_ns", truth["gc_ns"])
    return parts


def _stolen_ns(truths: list[dict]) -> int:
    """A little too much: what is done with each switch of the thread for who watches it is in none of its accounts either."""
    return sum(max(0, truth.get("stolen_ns", 0)) for truth in truths)


def _true_parts(truths: list[dict]) -> dict[str, int]:
    """Parts that are known of all of an iteration's truths."""
    parts: dict[str, int] = {}
    said = [stated(truth) for truth in truths]
    for part in PARTS:
        if any(part in split for split in said):
            parts[part] = sum(split.get(part, 0) for split in said)
    cpu_ns = sum(truth["cpu_ns"] for truth in truths)
    delay_ns = sum(truth["run_delay_ns"] for truth in truths)
    rest_ns = sum(map(_wall_ns, truths)) - cpu_ns - delay_ns
    asleep_ns = rest_ns - _stolen_ns(truths)
    kinds = {SLEEPS_IN.get(truth["rule"]) or SLEEPS_IN.get(truth["cause"]) for truth in truths}
    if kinds == {"import_ns"}:  # on the CPU or asleep, all of it
        parts.setdefault("import_ns", cpu_ns + asleep_ns - parts.get("gc_ns", 0))
        parts.setdefault("on_cpu_ns", 0)
        parts.setdefault("syscall_ns", 0)
    elif "import_ns" not in kinds:
        parts.setdefault("on_cpu_ns", cpu_ns - parts.get("gc_ns", 0))
        parts["rest"] = rest_ns
        if len(kinds) == 1 and None not in kinds:
            said_ns = sum(parts.get(part, 0) for part in set(SLEEPS_IN.values()))
            parts.setdefault(kinds.pop(), asleep_ns - said_ns)
    parts.setdefault("run_queue_ns", delay_ns)
    return parts


def parts_of(truths: list[dict], breach: dict) -> list[Part]:
    """What is known of the breach's iteration, and what it says itself; empty if it is not one whole iteration."""
    within = truths_within(truths, breach)
    if breach["count"] != 1 or breach["partial"] or not within:
        return []
    split = breach["split"]
    rest_ns = sum(split.values()) - split["on_cpu_ns"] - split["gc_ns"] - split["run_queue_ns"]
    around_ns = breach["iteration_ns"] - sum(map(_wall_ns, within))
    unsure_ns = sum(truth.get("unsure_ns", 0) for truth in within)
    if breach["rule"] in ("blocking-call", "gil-wait"):
        unsure_ns += breach["calls"] * SWITCH_NS
    estimated = {"gc_ns", "on_cpu_ns"} if any(truth.get("gc_ns") for truth in within) else set()
    if any(truth["rule"] == "import-on-loop" for truth in within):
        estimated |= {"import_ns", "on_cpu_ns", "syscall_ns"}
    stolen_ns = _stolen_ns(within)
    parts = []
    for name, true_ns in _true_parts(within).items():
        is_estimated = breach["estimated"] and name in estimated
        seen_ns = rest_ns if name == "rest" else split[name]
        more_ns = around_ns + (0 if name == "run_queue_ns" else stolen_ns)
        mixed_ns = unsure_ns + (stolen_ns if name == "rest" else 0)
        if stolen_ns > MILLISECOND or name == "run_queue_ns":
            mixed_ns += TICK_NS  # stolen right where the CPU changes hands: a wait for it by one clock and not the other
        parts.append(Part(name, seen_ns, true_ns, more_ns, mixed_ns, is_estimated))
    return parts


def other_share(truths: list[dict], breach: dict) -> float | None:
    """Of the iteration, unexplained; None: its cause has no part of its own."""
    if breach["cause"] == "stopped":
        return None
    other_ns = breach["split"]["other_ns"] - _stolen_ns(truths_within(truths, breach))
    return max(0, other_ns) / breach["iteration_ns"]


def other_unsure_ns(truths: list[dict], breach: dict) -> int:
    """So much more of `other` may be right: stolen around the stalls, or half a tick that the scheduler's sum is behind."""
    return breach["iteration_ns"] - sum(map(_wall_ns, truths_within(truths, breach))) + TICK_NS // 2
