"""The ratio of two things that were measured in turn, and how sure it is.

A quad is four slices in the order A B B A: what drifts slowly is in both alike.  Of the quads' ratios the middle
half is averaged, so that the ones that something else fell into do not count; what that would be of other quads, drawn
from these again and again, is the interval.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

DRAWS = 2000
LEAST_QUADS = 16  # for an interval that means something


@dataclass(frozen=True)
class Ratio:
    value: float
    sure_from: float
    sure_to: float
    nr_quads: int

    def text(self, of: str = "quads") -> str:
        return f"{self.value:.4f} (95 %: {self.sure_from:.4f} .. {self.sure_to:.4f}; {self.nr_quads} {of})"


def middle_mean(values: list[float]) -> float:
    """Of those between the quartiles."""
    cut = len(values) // 4
    middle = sorted(values)[cut : len(values) - cut]
    return sum(middle) / len(middle)


def ratio_of(logs: list[float], confidence: float = 0.95) -> Ratio:
    """Of the logarithms of the quads' ratios.  Too few say nothing: the interval is everything."""
    if len(logs) < LEAST_QUADS:
        return Ratio(math.exp(middle_mean(logs)) if logs else math.nan, 0, math.inf, len(logs))
    draw = random.Random(len(logs))  # the same slices, the same interval
    means = sorted(middle_mean(draw.choices(logs, k=len(logs))) for _ in range(DRAWS))
    off = round(DRAWS * (1 - confidence) / 2)
    return Ratio(*map(math.exp, (middle_mean(logs), means[off], means[DRAWS - 1 - off])), len(logs))
