"""Compares what was reported with what was planted: nothing missed, nothing invented, all of it right."""

from __future__ import annotations

from pathlib import Path

from split import OTHER_MAX, other_share, other_unsure_ns, parts_of
from watch import Outcome

MILLISECOND = 1_000_000
LIMIT_NS = {
    "blocking-call": 10 * MILLISECOND,
    "cpu-bound": 50 * MILLISECOND,
    "loop-overload": 250 * MILLISECOND,
    "host-starved": 50 * MILLISECOND,
    "gil-wait": 20 * MILLISECOND,
    "gc-pause": 20 * MILLISECOND,
    "import-on-loop": 20 * MILLISECOND,
}
# Since 6.2 a kernel tells whether who holds the GIL has a CPU: then no wait of the loop is its fault while it has none.
TELLS_OF_HOLDERS = " bpf_task_from_pid\n" in Path("/proc/kallsyms").read_text()
SWITCH_INTERVAL_NS = 5 * MILLISECOND  # sys.getswitchinterval()
TICK_NS = 10 * MILLISECOND  # of a timer at 100 Hz: what a sample stands for


def tolerance_ns(ns: int) -> int:
    return 2 * MILLISECOND + ns // 50


def _wall_ns(truth: dict) -> int:
    return truth["end_ns"] - truth["start_ns"]


def _taken_ns(truth: dict) -> int:
    """Of a stall that never slept: what its thread had by the wall's clock and not by its own.

    A hypervisor, or an interrupt, has the CPU then; to who looks from this machine the thread runs.
    """
    return max(0, _wall_ns(truth) - truth["cpu_ns"] - truth["run_delay_ns"])


def _bounds_ns(truth: dict) -> tuple[int, int]:
    """Shortest and longest duration that is a true answer."""
    wall, cpu = _wall_ns(truth), truth["cpu_ns"]
    if truth["rule"] in ("cpu-bound", "loop-overload"):
        low = cpu - truth.get("gc_ns", 0)
        high = low + _taken_ns(truth)
    elif truth["rule"] == "gc-pause":
        return _estimate_ns(truth, truth["gc_ns"], truth["gc_ns"])
    elif truth["rule"] == "import-on-loop":
        return _estimate_ns(truth, cpu - truth["gc_ns"], wall - truth["run_delay_ns"] - truth["gc_ns"])
    elif truth["rule"] == "host-starved":  # the CPU may be gone around the planted work as well
        queued = 0 if truth["cause"] in ("run-queue", "throttled") else truth["run_delay_ns"]
        taken = _taken_ns(truth) if truth["cause"] in ("run-queue", "throttled") else 0
        low, high = wall - cpu - queued - taken, wall + truth.get("slack_ns", 200 * MILLISECOND)
    else:  # off the CPU; whether the wait for one after the wake-up counts is loophound's choice
        low, high = wall - cpu - truth["run_delay_ns"] - truth.get("holder_delay_ns", 0), wall - cpu
        low -= max(0, truth.get("stolen_ns", 0))  # of the CPU that it had been given
        # A thread that is often put off is charged for a part of the switches, which are time off the CPU to us.
        high += min(cpu, truth["run_delay_ns"] // 5)
    return low - tolerance_ns(low), high + tolerance_ns(high)


def _estimate_ns(truth: dict, low: int, high: int) -> tuple[int, int]:
    """What the interpreter's probes tell to 5 % or 1 ms is told by samples to a tick or two.

    Where others take the CPU away all the time, the kernel's own work in between is in our clock and not in
    the thread's.
    """
    if truth["usdt"] and truth["truth"] != "import_by_name":
        high += truth["run_delay_ns"] // 50 + (_taken_ns(truth) if truth["rule"] == "gc-pause" else 0)
        return low - max(MILLISECOND, low // 20), high + max(MILLISECOND, high // 20)
    return low - low // 10 - 2 * TICK_NS, high + high // 10 + 2 * TICK_NS


def _certain(truth: dict) -> bool:
    """False for a stall so short, a quick disk's fsync, that not reporting it would be right too."""
    return _bounds_ns(truth)[0] > LIMIT_NS[truth["rule"]]


def _same_site(truth: dict, breach: dict) -> bool:
    if (truth["rule"], truth["tid"]) != (breach["rule"], breach["tid"]):
        return False
    if truth["rule"] == "host-starved":
        # The host is to blame, not a line.  A machine shared with others starves a loop besides.
        return breach["cause"] in (truth["cause"], "throttled", "page-fault", "stopped")
    site = breach["site"]
    if truth["rule"] == "loop-overload":
        return site is not None and site["function"] == "compute"
    return (
        site is not None
        and site["file"] == truth["file"]
        and site["function"] == truth["qualname"]
        and site["line"] in truth.get("lines", [truth["line"]])
    )


def _overlap(truth: dict, breach: dict) -> bool:
    end_ns = breach["start_ns"] + breach["duration_ns"]
    return breach["start_ns"] < truth["end_ns"] and truth["start_ns"] < end_ns


# Interrupts of disks and networks, and a CPU that is taken away between two clocks: on a shared machine a test in fifty is off by more
# than the 5 % or 1 ms by which the score counts.
SPLIT_SLACK_NS = 10_000_000


def _check_splits(outcome: Outcome, breaches: list[dict]) -> list[str]:
    """Each reported iteration, once: its parts are the workload's, and next to nothing is unexplained.

    A time slice of another whose beginning and end the kernel did not deliver is found out, and is `other`.
    """
    wrong, truths = [], outcome.truths
    missed_ns = outcome.summary()["lost"]["events_missed"] * 2 * TICK_NS
    slack_ns = missed_ns + SPLIT_SLACK_NS
    of_iterations = [each for each in breaches if each["iteration_ns"]]  # those about connections have none
    for breach in {(each["tid"], each["iteration_start_ns"]): each for each in of_iterations}.values():
        parts = parts_of(truths, breach)
        wrong += [f"{breach['rule']}: {part}, more than {part.bound_ns} off" for part in parts if part.error_ns > part.bound_ns + slack_ns]
        share = other_share(truths, breach)
        unsure_ns = missed_ns + min(other_unsure_ns(truths, breach), SPLIT_SLACK_NS)
        if parts and share is not None and share >= OTHER_MAX + unsure_ns / breach["iteration_ns"]:
            wrong.append(f"{breach['rule']}: {100 * share:.1f} % of the iteration is other: {breach['split']}")
    return wrong


def _brief(breach: dict) -> str:
    keys = "rule cause tid start_ns duration_ns count total_ns site coroutine syscall"
    return ", ".join(f"{key} {breach.get(key)}" for key in keys.split())


def _task_as_said(name: str | None) -> str | None:
    """A name of more than 128 bytes of memory is cut, and says so."""
    if not name:
        return name
    widest = max(map(ord, name))
    most = 128 // (1 if widest < 0x100 else 2 if widest < 0x10000 else 4)
    return name if len(name) <= most else name[:most] + "\N{HORIZONTAL ELLIPSIS}"


def _check_details(truth: dict, breach: dict) -> list[str]:
    """What a breach that is a truth's says wrong about it."""
    wrong = []

    def expect(what: str, seen: object, true: object) -> None:
        if seen != true:
            wrong.append(f"{truth['truth']}: {what} is {seen!r}, in truth {true!r}")

    expect("pid", breach["pid"], truth["pid"])
    expect("severity", breach["severity"], "breach")
    expect("partial", breach["partial"], False)
    expect("sum of split", sum(breach["split"].values()), breach["iteration_ns"])
    if not breach["advice"]:
        wrong.append(f"{truth['truth']}: no advice")
    expect("cause", breach["cause"], truth["cause"])
    if truth["rule"] == "import-on-loop":
        expect("module", breach["module"], truth["target"])
        _check_part("import_ns", truth, breach, wrong)
    elif truth["target"]:
        expect("target", (breach["syscall"] or {}).get("target"), truth["target"])
    wrong += _check_evidence(truth, breach)
    if truth["rule"] == "gc-pause":
        expect("estimated", breach["gc"]["estimated"], not truth["usdt"])
        expect("runs", bool(breach["gc"]["runs"]), truth["usdt"])
        _check_part("gc_ns", truth, breach, wrong)
    if truth["rule"] == "host-starved":
        return wrong
    if truth["rule"] == "loop-overload":
        return wrong + _check_crowd(truth, breach)

    coroutine = breach["coroutine"]
    expect("coroutine", coroutine and coroutine["function"], truth["coroutine"])
    if truth.get("at_wait"):
        expect("callback", breach["callback"], None)
    elif not coroutine and not breach["callback"]:
        wrong.append(f"{truth['truth']}: neither coroutine nor callback")
    wrong += _check_stack(truth, breach)
    wrong += _check_holder(truth, breach)
    return wrong


def _check_holder(truth: dict, breach: dict) -> list[str]:
    """Who held the GIL: the thread, its name, and where it was."""
    true, seen = truth.get("holder"), breach["holder"]
    if not true or not seen:
        return [] if true == seen else [f"{truth['truth']}: holder is {seen}, in truth {true}"]
    site = seen["site"] or {}
    wrong = [
        f"{truth['truth']}: holder's {key} is {seen[key]!r}, in truth {true[key]!r}"
        for key in ("tid", "name", "native")
        if seen[key] != true[key]
    ]
    if (site.get("file"), site.get("function")) != (true["file"], true["function"]) or (
        site["line"] not in true["lines"]
    ):
        wrong.append(f"{truth['truth']}: the holder is at {site}, in truth at {true}")
    if not 0 < seen["waited_ns"] <= breach["split"]["gil_wait_ns"]:
        wrong.append(f"{truth['truth']}: waited {seen['waited_ns']} ns for the holder")
    return wrong


def _check_task(truths: list[dict], breach: dict) -> list[str]:
    """Who ran: of several that are folded into one breach, one of them."""
    if breach["rule"] in ("host-starved", "loop-overload"):  # nobody's, and everybody's
        return []
    true = {_task_as_said(truth["task"]) for truth in truths[: None if breach["count"] > 1 else 1]}
    if breach["task"] in true:
        return []
    return [f"{truths[0]['truth']}: task is {breach['task']!r}, in truth {true}"]


def _check_evidence(truth: dict, breach: dict) -> list[str]:
    """What backs the breach up is there, and true."""
    seen = breach["evidence"] or {}
    wrong = []
    for key, true in truth.get("evidence", {}).items():
        value = seen.get(key, "not there")
        if isinstance(true, list):
            fits = isinstance(value, int) and true[0] <= value <= true[1]
        else:
            fits = value == true
        if not fits:
            wrong.append(f"{truth['truth']}: evidence {key} is {value!r}, in truth {true!r}")
    return wrong


def _check_crowd(truth: dict, breach: dict) -> list[str]:
    """How many callbacks there were, and which took how much of the time."""
    wrong = []
    size, counted = truth["callbacks"], breach["callbacks"]
    if breach["callbacks_exact"] != (breach["loop"] == "asyncio"):
        wrong.append(f"callbacks_exact is {breach['callbacks_exact']} on {breach['loop']}")
    low, high = (size, size + 2) if breach["callbacks_exact"] else (size // 20, size + 2)
    if not low <= counted <= high:
        wrong.append(f"{truth['truth']}: {counted} callbacks, in truth {size}")
    low, high = truth["ready_at_end"], truth["ready_at_end"] + 2  # and the task that tells the truth
    if breach["ready_at_end"] is None or not low <= breach["ready_at_end"] <= high:
        wrong.append(f"{truth['truth']}: {breach['ready_at_end']} callbacks wait at the end, in truth {low}")
    shares = {hot["function"]: hot["share"] for hot in breach["hot"]}
    if set(shares) != set(truth["shares"]):
        wrong.append(f"{truth['truth']}: costly are {shares}, in truth {truth['shares']}")
    for function, true in truth["shares"].items():
        if abs(shares.get(function, 0) - true) > 0.15:
            wrong.append(f"{truth['truth']}: share of {function} is {shares.get(function)}, in truth {true}")
    for hot in breach["hot"]:
        if hot["file"] != truth["file"] or not 0 <= hot["line"] - truth["firsts"].get(hot["function"], 0) <= 3:
            wrong.append(f"{truth['truth']}: no such line: {hot}")
    return wrong


def _check_part(part: str, truth: dict, breach: dict, wrong: list[str]) -> None:
    """A part of the split against the workload's own truth."""
    low, high = _bounds_ns(truth)
    if not low <= breach["split"][part] <= high:
        wrong.append(f"{truth['truth']}: {part} is {breach['split'][part]}, in truth {low} to {high}")


def _check_stack(truth: dict, breach: dict) -> list[str]:
    """From the site outwards the stack is the one the workload saw itself, frame by frame."""
    true = truth["stack"]
    seen = breach["stack"][-len(true) :]
    if len(seen) < len(true):
        return [f"{truth['truth']}: {len(seen)} frames, in truth {len(true)} or more"]
    if seen[0]["line"] in truth.get("lines", ()):
        true = [{**true[0], "line": seen[0]["line"]}, *true[1:]]
    for depth, (one, other) in enumerate(zip(seen, true)):
        one = {key: one.get(key, False) for key in other}  # "coroutine" may be left out where false
        if one != other:
            return [f"{truth['truth']}: frame {depth} from the site is {one}, in truth {other}"]
    if breach["stack"][0]["function"] != breach["leaf"]["function"]:
        return [f"{truth['truth']}: the leaf is not the innermost frame"]
    return []


def _other_wait_ns(breach: dict) -> int:
    """What a truth has beyond its wait: a lock that is handed over leaves the GIL to be waited for; and
    to have the GIL taken away, a workload sleeps."""
    return breach["split"]["syscall_ns" if breach["rule"] == "gil-wait" else "gil_wait_ns"]


def _check_group(truths: list[dict], breaches: list[dict]) -> list[str]:
    """All stalls of one site against all lines about it, of which some may be folded."""
    name = truths[0]["truth"]
    count = sum(breach["count"] for breach in breaches)
    certain = sum(map(_certain, truths))
    if not certain <= count <= len(truths):
        return [f"{name}: reported {count} times, happened {len(truths)} times, {certain} surely too long"]

    wrong = []
    for breach in breaches:
        if breach["count"] > 1:
            continue
        low, high = _bounds_ns(next(truth for truth in truths if _overlap(truth, breach)))
        low -= _other_wait_ns(breach)
        if not low <= breach["duration_ns"] <= high:
            wrong.append(f"{name}: duration {breach['duration_ns']} ns, in truth {low} to {high}")
    if count == len(truths):
        total = sum(breach["total_ns"] for breach in breaches)
        low, high = (sum(bound) for bound in zip(*map(_bounds_ns, truths)))
        low -= sum(_other_wait_ns(breach) * breach["count"] for breach in breaches)
        if not low <= total <= high:
            wrong.append(f"{name}: total {total} ns, in truth {low} to {high}")
    return wrong


def _site_key(truth: dict) -> tuple:
    return truth["rule"], truth["tid"], truth["file"], truth["line"], truth["qualname"]


def _check_starved(breaches: list[dict], outcome: Outcome) -> list[str]:
    """A machine shared with others does starve: what the kernel itself accounts for is no invention."""
    said_ns = sum(breach["total_ns"] for breach in breaches)
    of_holders_ns = sum((breach["evidence"] or {}).get("holder_run_queue_ns", 0) for breach in breaches)
    true_ns = outcome.loops_delay_ns + min(of_holders_ns, outcome.others_delay_ns)
    if said_ns <= true_ns + tolerance_ns(said_ns):
        return []
    return [f"starved for {said_ns} ns, the kernel says {true_ns}: {_brief(breaches[0])}"]


def _check_gil_waits(breaches: list[dict], outcome: Outcome) -> list[str]:
    """Who holds the GIL may be without a CPU, and the loop waits as long.  Whoever is asked for it gives it away after a
    switch interval; what a wait has beyond that must be in the kernel's account of the other threads."""
    said_ns = sum(max(0, breach["total_ns"] - breach["count"] * SWITCH_INTERVAL_NS) for breach in breaches)
    if said_ns <= outcome.others_delay_ns + tolerance_ns(said_ns):
        return []
    return [f"waited for the GIL {said_ns} ns more than planted, other threads had no CPU for {outcome.others_delay_ns}: {_brief(breaches[0])}"]


def _check_ends(lines: list[dict]) -> list[str]:
    """Each stall that was told while it lasted has one end, and what was taken back was not known better."""
    wrong = []
    final = [line for line in lines if not line["ongoing"]]
    told: dict[tuple, dict] = {}
    for line in lines:
        if line["ongoing"]:
            told[_stall_key(line)] = line  # the last one
    for key, line in told.items():
        ends = [end for end in final if end["count"] <= 1 and _stall_key(end) == key]
        if len(ends) != 1:
            wrong.append(f"ongoing, and {len(ends)} ends: {_brief(line)}")
        elif ends[0]["count"] == 0 and line["duration_ns"] - ends[0]["duration_ns"] > _unknown_ns(ends[0]):
            wrong.append(f"ongoing, and taken back: {_brief(line)}, at the end {ends[0]['split']}")
    for end in final:
        if end["count"] == 0 and _stall_key(end) not in told:
            wrong.append(f"taken back, but never told: {_brief(end)}")
    return wrong


def _stall_key(line: dict) -> tuple:
    starved_by = line["cause"].replace("throttled", "run-queue") if line["rule"] == "host-starved" else None
    return line["tid"], line["rule"], line["start_ns"], starved_by


def _unknown_ns(end: dict) -> int:
    """What nobody can know before the end: that a sleep was over and its thread waited for a CPU; that the
    hypervisor had that."""
    queued = 0 if end["cause"] in ("run-queue", "throttled") else end["split"]["run_queue_ns"]
    if end["rule"] == "gil-wait":  # in the piece that is under way the holder may have no CPU
        queued += SWITCH_INTERVAL_NS
    return queued + end["split"]["other_ns"] + 2 * TICK_NS


def check_breaches(outcome: Outcome) -> None:
    """Every planted stall is reported, right, and nothing else is."""
    lines = outcome.of_type("breach")
    final = [breach for breach in lines if not breach["ongoing"] and breach["count"]]
    wrong: list[str] = []
    starved: list[dict] = []
    gil_waits: list[dict] = []

    for truth in outcome.truths:
        truth["usdt"] = outcome.interpreter.usdt
    groups: dict[tuple, tuple[list[dict], list[dict]]] = {}
    for truth in outcome.truths:
        groups.setdefault(_site_key(truth), ([], []))[0].append(truth)
    for breach in final:
        of_site = [truth for truth in outcome.truths if _same_site(truth, breach)]
        hits = [truth for truth in of_site if breach["count"] > 1 or _overlap(truth, breach)]
        if hits:
            groups[_site_key(hits[0])][1].append(breach)
            wrong += _check_details(hits[0], breach)
            wrong += _check_task(hits, breach)
        elif (breach["rule"], breach["cause"]) == ("host-starved", "run-queue"):
            starved.append(breach)
        elif breach["rule"] == "gil-wait" and not TELLS_OF_HOLDERS:
            gil_waits.append(breach)
        else:
            wrong.append(f"reported, but not planted: {_brief(breach)}")
    wrong += _check_starved(starved, outcome)
    wrong += _check_gil_waits(gil_waits, outcome)
    for truths, breaches in groups.values():
        wrong += _check_group(truths, breaches)

    wrong += _check_splits(outcome, final)
    wrong += _check_ends(lines)

    assert not wrong, "\n".join(wrong) + outcome.output


def check_summary(outcome: Outcome) -> None:
    """The summary counts what was printed, names every loop, no other thread, and owns up to no loss."""
    summary = outcome.summary()
    loops = {loop["tid"]: loop for loop in summary["loops"] if loop["pid"] == outcome.pid}
    assert set(loops) == outcome.loop_tids, f"loops {set(loops)}, in truth {outcome.loop_tids}{outcome.output}"
    assert all(loop["iterations"] > 0 for loop in loops.values()), outcome.output
    counted = sum(breach["count"] for breach in outcome.of_type("breach") if not breach["ongoing"])
    said = summary["breaches"]
    assert said == counted, f"the summary says {said} breaches, printed were {counted}{outcome.output}"
    for counter in ("ring_full", "records_invalid", "stacks_unreadable"):
        lost = summary["lost"][counter]
        assert not lost, f"{counter} is {lost}{outcome.output}"


# For those that measure and do not judge: tests/score and tests/coverage.
bounds_ns, is_certain, overlap, same_site, wall_ns = _bounds_ns, _certain, _overlap, _same_site, _wall_ns
