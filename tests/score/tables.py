"""The score as numbers (for --json) and as tables for a reader.  A ratio that has no cases is None, shown as "-"."""

from __future__ import annotations

import math
from collections import defaultdict

from split import Part
from tally import Tally


def ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def quantile(values: list[float], q: float) -> float | None:
    """The smallest value that so many are not above."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)] if values else None


def numbers(tallies: list[Tally]) -> dict:
    """Everything about these runs."""
    pairs = [pair for tally in tallies for pair in tally.pairs]
    missed = sum(len(tally.missed) for tally in tallies)
    invented = sum(breach["count"] for tally in tallies for breach in tally.invented)
    with_line = [pair for pair in pairs if pair.names_a_line]
    coroutines = [pair.coroutine_right for pair in with_line if pair.coroutine_right is not None]
    tasks = [pair.task_right for pair in pairs if pair.task_right is not None]
    holders = [pair.holder_right for pair in pairs if pair.holder_right is not None]
    timed = [pair for pair in pairs if pair.duration_error_ns is not None]
    errors_ms = [pair.duration_error_ns / 1e6 for pair in timed]
    errors = [pair.duration_error_ns / pair.true_ns for pair in timed if pair.true_ns > 0]
    return {
        "runs": len(tallies),
        "truths": len(pairs) + missed,
        "found": len(pairs),
        "recall": ratio(len(pairs), len(pairs) + missed),
        "too_short": sum(len(tally.too_short) for tally in tallies),
        "reported": len(pairs) + invented,
        "precision": ratio(len(pairs), len(pairs) + invented),
        "cause": ratio(sum(pair.cause_right for pair in pairs), len(pairs)),
        "line": ratio(sum(pair.line_right for pair in with_line), len(with_line)),
        "coroutine": ratio(sum(coroutines), len(coroutines)),
        "task": ratio(sum(tasks), len(tasks)),
        "holder": ratio(sum(holders), len(holders)),
        "loop": ratio(sum(pair.loop_right for pair in pairs), len(pairs)),
        "error": {name: quantile(errors, q) for name, q in (("median", 0.5), ("p99", 0.99), ("max", 1))},
        "error_ms": {name: quantile(errors_ms, q) for name, q in (("median", 0.5), ("p99", 0.99), ("max", 1))},
        "healthy_runs": sum(tally.healthy for tally in tallies),
        "false_alarms": sum(breach["count"] for tally in tallies if tally.healthy for breach in tally.invented),
        "latent": dict(zip(("planted", "told", "invented", "hidden"), map(sum, zip(*(tally.latent for tally in tallies))))),
        "starved": sum(breach["count"] for tally in tallies for breach in tally.starved),
    }


def split_numbers(tallies: list[Tally]) -> dict:
    groups: dict[str, list[Part]] = defaultdict(list)
    for tally in tallies:
        for part in tally.splits:
            groups[f"{part.name}, estimated" if part.is_estimated else part.name].append(part)
    result = {}
    for name, parts in groups.items():
        off_ms = [part.error_ns / 1e6 for part in parts]
        result[name] = {
            "compared": len(parts),
            "within": ratio(sum(part.is_within for part in parts), len(parts)),
            "error_ms": {q_name: quantile(off_ms, q) for q_name, q in (("median", 0.5), ("p99", 0.99), ("max", 1))},
        }
    shares = [share for tally in tallies for share in tally.other_shares]
    result["other_share"] = {
        "iterations": len(shares),
        "below_3_percent": ratio(sum(share < 0.03 for share in shares), len(shares)),
        "max": max(shares, default=None),
    }
    return result


def by_rule(tallies: list[Tally]) -> dict[str, dict]:
    """The same per rule and cause: a truth counts where it was planted, an invention where it was reported."""
    groups: dict[tuple[str, str], dict[int, Tally]] = defaultdict(dict)

    def of(one: dict, tally: Tally) -> Tally:
        group = groups[one["rule"], one["cause"]]
        return group.setdefault(id(tally), Tally(tally.workload, tally.interpreter, tally.healthy))

    for tally in tallies:
        for pair in tally.pairs:
            of(pair.truth, tally).pairs.append(pair)
        for kind in ("missed", "too_short", "invented", "starved"):
            for one in getattr(tally, kind):
                getattr(of(one, tally), kind).append(one)
    return {f"{rule} / {cause}": numbers(list(groups[rule, cause].values())) for rule, cause in sorted(groups)}


def by_interpreter(tallies: list[Tally]) -> dict[str, dict]:
    names = dict.fromkeys(tally.interpreter for tally in tallies)
    return {name: numbers([tally for tally in tallies if tally.interpreter == name]) for name in names}


def _percent(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


HEADS = (
    "truths found recall short reported precision cause line coroutine task holder loop "
    "off,median off,p99 off,max ms,median ms,p99 ms,max false,alarms".replace(",", "\u00a0").split(" ")
)


def _cells(name: str, n: dict) -> list[str]:
    right = [_percent(n[key]) for key in ("cause", "line", "coroutine", "task", "holder", "loop")]
    off = [_percent(n["error"][key], 2) for key in ("median", "p99", "max")]
    off_ms = [_ms(n["error_ms"][key]) for key in ("median", "p99", "max")]
    counts = [str(n["truths"]), str(n["found"]), _percent(n["recall"]), str(n["too_short"])]
    counts += [str(n["reported"]), _percent(n["precision"])]
    return [name, *counts, *right, *off, *off_ms, str(n["false_alarms"])]


def _render(heads: list[str], lines: list[list[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(heads, *lines)]

    def one(cells: list[str]) -> str:
        first = cells[0].ljust(widths[0])
        return "  ".join([first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))]).rstrip()

    return "\n".join(map(one, [heads, *lines]))


def render(tallies: list[Tally]) -> str:
    heads = [head.replace("\u00a0", " ") for head in HEADS]
    total = numbers(tallies)
    rules = [_cells(name, n) for name, n in by_rule(tallies).items()] + [_cells("all", total)]
    pythons = [_cells(name, n) for name, n in by_interpreter(tallies).items()]
    blocks = [_render(["rule / cause", *heads], rules), _render(["interpreter loop", *heads], pythons)]
    blocks.append(_render_split(split_numbers(tallies)))
    blocks.append(
        f"{total['runs']} runs, of which {total['healthy_runs']} healthy; "
        f"{total['starved']} reports of a starved host that the kernel's own account confirms.\n"
        "short: planted, not reported, and not surely over the limit.  off: how far the duration is from the true\n"
        "one, which a stall's own clocks tell but for the order of its sleeps and its waits for a CPU."
    )
    if total["latent"].get("planted"):
        latent = (
            "latent: {told} of {planted} lines with quick calls told, {invented} invented; {hidden} more that only the\n"
            "audit probe tells, on builds without it"
        )
        blocks.append(latent.format(**total["latent"]))
    return "\n\n".join(blocks)


def _render_split(split: dict) -> str:
    lines = [
        [part.replace("_ns", ""), str(n["compared"]), _percent(n["within"])]
        + [_ms(n["error_ms"][key]) for key in ("median", "p99", "max")]
        for part, n in split.items()
        if part != "other_share"
    ]
    heads = ["part of the split", "compared", "within", "ms median", "ms p99", "ms max"]
    other = split["other_share"]
    return (
        _render(heads, lines)
        + f"\nother: below 3 % in {_percent(other['below_3_percent'])} of {other['iterations']} iterations, "
        + f"{_percent(other['max'], 2)} at most\n"
        + "within: 5 % or 1 ms of what is true, or, estimated, two timer ticks more; true is what the workload's clocks\n"
        + "say of the stall, up to that and all of the iteration that is around it."
    )


def _clocks(truth: dict) -> dict[str, int]:
    wall_ns = truth["end_ns"] - truth["start_ns"]
    return {"in all": wall_ns, "on CPU": truth["cpu_ns"], "without one": truth["run_delay_ns"]}


def render_differences(tallies: list[Tally]) -> str:
    """What was missed, too short, invented or said wrong, one line each."""
    lines = []
    for tally in tallies:
        where = f"{tally.workload} on {tally.interpreter}"
        for truth in tally.missed:
            lines.append(f"missed    {where}: {truth['truth']}, {truth['rule']}, line {truth['line']}")
        for truth in tally.too_short:
            took = ", ".join(f"{name} {ns / 1e6:.1f} ms" for name, ns in _clocks(truth).items())
            lines.append(f"short     {where}: {truth['truth']}, {truth['rule']}, {took}")
        for breach in tally.invented:
            site = breach["site"] or {}
            lines.append(
                f"invented  {where}: {breach['rule']}, {breach['cause']}, "
                f"{breach['duration_ns'] / 1e6:.1f} ms, line {site.get('line')} in {site.get('function')}"
            )
        for pair in tally.pairs:
            truth, breach = pair.truth, pair.breach
            if not pair.cause_right:
                lines.append(f"cause     {where}: {truth['truth']} is {breach['cause']}, in truth {truth['cause']}")
            if pair.names_a_line and not pair.line_right:
                lines.append(f"line      {where}: {truth['truth']} is {breach['site']}, in truth {truth['line']}")
            if pair.names_a_line and pair.coroutine_right is False:
                seen = (breach["coroutine"] or {}).get("function")
                lines.append(f"coroutine {where}: {truth['truth']} is {seen}, in truth {truth['coroutine']}")
            if pair.holder_right is False:
                lines.append(f"holder    {where}: {truth['truth']} is {breach['holder']}, in truth {truth['holder']}")
            if not pair.loop_right:
                lines.append(f"loop      {where}: {truth['truth']} is {breach['loop']}, in truth {truth['loop']}")
            if pair.task_right is False:
                lines.append(f"task      {where}: {truth['truth']} is {breach['task']}, in truth {truth['task']}")
    return "\n".join(lines)
