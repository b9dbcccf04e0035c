"""The result: what was measured, what it may be, what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from host import load_average
from paired import Ratio
from spread import Spread


@dataclass
class Row:
    what: str
    budget: str
    seen: str
    verdict: str  # "pass", "over", "open" (the noise does not let one say), or "" where there is no budget
    load: str


def row(what: str, seen: str, budget: str = "", is_within: bool | str | None = None) -> Row:
    """is_within: or the verdict itself."""
    verdict = is_within if isinstance(is_within, str) else {None: "", True: "pass", False: "over"}[is_within]
    return Row(what, budget, seen, verdict, f"{load_average():.1f}")


def verdict_of(spread: Spread | Ratio, least: float | None = None, most: float | None = None) -> str:
    """By the interval in which the true median is."""
    low, high = (spread.sure_from, spread.sure_to)
    if least is not None:
        low, high, most = -high, -low, -least
    return "pass" if high <= most else "over" if low > most else "open"


def render(heads: list[str], lines: list[list[str]]) -> str:
    """A Markdown table that also reads well as it is."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *lines)]

    def one(cells: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    return "\n".join([one(heads), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(one, lines)])


def render_rows(rows: list[Row]) -> str:
    heads = ["what", "budget", "seen: median [quartiles]", "", "load"]
    return render(heads, [[r.what, r.budget, r.seen, r.verdict, r.load] for r in rows])
