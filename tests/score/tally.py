"""Joins what was planted with what was reported, and says how far the two agree.  Judges nothing.

A breach is a stall's if rule and thread are the same and the times overlap; whether it names the right line,
function, coroutine and cause is counted apart.  Each breach is one stall's and each stall one breach's, but
for a folded breach, which is as many stalls' of its site as it counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import match
from loops import KINDS
from match import is_certain, overlap, same_site, tolerance_ns, wall_ns
from servers import SERVERS
from split import Part, other_share, parts_of, stated
from watch import Outcome

# What a rule's duration measures, where the workload itself says it.
MEASURED_BY = {"gil-wait": "gil_wait_ns", "gc-pause": "gc_ns", "import-on-loop": "import_ns"}
KINDS_OF_LOOPS = {**KINDS, **SERVERS}  # as they are reported
ONLY_BY_AUDIT = {"latent_audit"}  # no system call of theirs says it: for builds with the probe
task_as_said = getattr(match, "_task_as_said", lambda name: name)  # long names are cut


@dataclass
class Pair:
    truth: dict
    breach: dict

    @property
    def names_a_line(self) -> bool:
        return self.truth["rule"] != "host-starved"  # the host is to blame, not a line

    @property
    def cause_right(self) -> bool:
        return self.breach["cause"] == self.truth["cause"]

    @property
    def line_right(self) -> bool:
        return same_site(self.truth, self.breach)

    @property
    def coroutine_right(self) -> bool | None:
        """None: many ran, of which the truth names none."""
        if "coroutine" not in self.truth:
            return None
        seen = self.breach["coroutine"]
        return (seen and seen["function"]) == self.truth["coroutine"]

    @property
    def task_right(self) -> bool | None:
        """None: there is none, or it is nobody's, or everybody's."""
        if not self.truth.get("task") or self.truth["rule"] in ("host-starved", "loop-overload"):
            return None
        return self.breach["task"] == task_as_said(self.truth["task"])

    @property
    def loop_right(self) -> bool:
        return self.breach["loop"] == self.truth["loop"]

    @property
    def holder_right(self) -> bool | None:
        """Who held the GIL, where, and whether in one call of C code.  None: nobody did."""
        true, seen = self.truth.get("holder"), self.breach["holder"]
        if not true:
            return None
        if not seen or not seen["site"] or any(seen[key] != true[key] for key in ("tid", "name", "native")):
            return False
        site = seen["site"]
        return (site["file"], site["function"]) == (true["file"], true["function"]) and site["line"] in true["lines"]

    @property
    def true_ns(self) -> int:
        return true_range_ns(self.truth)[0]

    @property
    def duration_error_ns(self) -> int | None:
        """None: of a folded breach only the sum is known."""
        if self.breach["count"] > 1:
            return None
        low, high = true_range_ns(self.truth)
        return max(0, low - self.breach["duration_ns"], self.breach["duration_ns"] - high)


def true_range_ns(truth: dict) -> tuple[int, int]:
    """The durations that a perfect tool may say, as exactly as the workload's own clocks tell.

    A wait for a CPU that comes after a sleep is part of the time off the CPU, and one that comes before is not;
    the kernel's account of the thread does not tell the two apart.
    """
    wall, cpu, delay = wall_ns(truth), truth["cpu_ns"], truth["run_delay_ns"]
    rule = truth["rule"]
    own = stated(truth).get(MEASURED_BY.get(rule, ""))
    if own is not None:
        return own, own
    if rule == "import-on-loop":
        return cpu, wall - delay
    if rule in ("cpu-bound", "loop-overload"):
        return cpu, cpu
    if rule == "host-starved" and truth["cause"] in ("run-queue", "throttled"):
        return wall - cpu, wall - cpu
    return wall - cpu - delay - truth.get("holder_delay_ns", 0), wall - cpu  # who holds the GIL may have had no CPU


@dataclass
class Tally:
    """Of one run of one workload."""

    workload: str
    interpreter: str
    healthy: bool
    pairs: list[Pair] = field(default_factory=list)
    missed: list[dict] = field(default_factory=list)  # truths that were surely too long
    too_short: list[dict] = field(default_factory=list)  # truths not reported that need not be
    invented: list[dict] = field(default_factory=list)  # breaches
    starved: list[dict] = field(default_factory=list)  # host-starved, not planted, and the kernel says so too
    splits: list[Part] = field(default_factory=list)
    # Lines with quick calls: planted, told, told but not planted, planted where nothing can tell them.
    latent: tuple[int, int, int, int] = (0, 0, 0, 0)
    other_shares: list[float] = field(default_factory=list)  # of iterations, unexplained


def tally(workload: str, interpreter: str, outcome: Outcome) -> Tally:
    result = Tally(workload, interpreter, healthy=not outcome.truths)
    loop = interpreter.split()[-1]
    for truth in outcome.truths:
        truth.setdefault("usdt", outcome.interpreter.usdt)  # what can be told depends on it
        truth["loop"] = KINDS_OF_LOOPS.get(loop, loop)
    final = _breaches(outcome)
    open_truths = list(outcome.truths)

    unpaired = _pair(result, open_truths, final, exact=True)
    unpaired = _pair(result, open_truths, unpaired, exact=False)
    _unfold(result, open_truths)
    _sort_out(result, unpaired, outcome)
    for truth in open_truths:
        (result.missed if is_certain(truth) else result.too_short).append(truth)
    _compare_splits(result, outcome.truths)
    return result


def tally_latent(workload: str, interpreter: str, outcome: Outcome) -> Tally:
    """Quick calls are told by site, not one by one."""

    def site(one: dict, function: str) -> tuple:
        return one["file"], one["line"], one[function], one["cause"]

    planted = {site(truth, "qualname") for truth in outcome.truths}
    told = {site(each, "function") for each in outcome.summary()["sites"] if each["severity"] == "latent"}
    hidden = planted if workload in ONLY_BY_AUDIT and not outcome.interpreter.usdt else set()
    tellable = planted - hidden
    counts = len(tellable), len(tellable & told), len(told - tellable), len(hidden)
    return Tally(workload, interpreter, healthy=False, invented=_breaches(outcome), latent=counts)


def _breaches(outcome: Outcome) -> list[dict]:
    """Those that are over, were not taken back, and are no quick calls."""
    lines = outcome.of_type("breach")
    return [line for line in lines if line["count"] and not line["ongoing"] and line["severity"] == "breach"]


def _common_ns(truth: dict, breach: dict) -> int:
    end_ns = min(truth["end_ns"], breach["start_ns"] + breach["duration_ns"])
    return end_ns - max(truth["start_ns"], breach["start_ns"])


def _pair(result: Tally, open_truths: list[dict], breaches: list[dict], exact: bool) -> list[dict]:
    """Give each breach the open truth that it overlaps most; the breaches that have none."""
    left = []
    for breach in breaches:
        hits = [
            truth
            for truth in open_truths
            if (truth["rule"], truth["tid"]) == (breach["rule"], breach["tid"])
            and overlap(truth, breach)
            and (not exact or same_site(truth, breach))
        ]
        if hits:
            truth = max(hits, key=lambda truth: _common_ns(truth, breach))
            open_truths.remove(truth)
            result.pairs.append(Pair(truth, breach))
        else:
            left.append(breach)
    return left


def _unfold(result: Tally, open_truths: list[dict]) -> None:
    for pair in list(result.pairs):
        end_ns = pair.breach["start_ns"] + pair.breach["duration_ns"]
        earlier = [each for each in open_truths if same_site(each, pair.breach) and each["start_ns"] < end_ns]
        for truth in earlier[::-1][: pair.breach["count"] - 1]:
            open_truths.remove(truth)
            result.pairs.append(Pair(truth, pair.breach))


def _sort_out(result: Tally, unpaired: list[dict], outcome: Outcome) -> None:
    """A machine shared with others does starve: what the kernel itself accounts for is no invention."""
    for breach in unpaired:
        is_starved = (breach["rule"], breach["cause"]) == ("host-starved", "run-queue")
        (result.starved if is_starved else result.invented).append(breach)
    said_ns = sum(breach["total_ns"] for breach in result.starved)
    of_holders_ns = sum((breach["evidence"] or {}).get("holder_run_queue_ns", 0) for breach in result.starved)
    true_ns = outcome.loops_delay_ns + min(of_holders_ns, outcome.others_delay_ns)
    if said_ns > true_ns + tolerance_ns(said_ns):
        result.invented += result.starved
        result.starved = []


def _compare_splits(result: Tally, truths: list[dict]) -> None:
    """Of each reported iteration, once: all truths within it against its split."""
    iterations = {(p.breach["tid"], p.breach["iteration_start_ns"]): p.breach for p in result.pairs}
    for breach in iterations.values():
        parts = parts_of(truths, breach)
        result.splits += parts
        share = other_share(truths, breach)
        if parts and share is not None:
            result.other_shares.append(share)
