"""Medians and quartiles: what a noisy machine lets one say."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    low: float  # first quartile
    median: float
    high: float  # third quartile
    max: float
    sure_from: float  # where the true median is, with 95 % confidence
    sure_to: float

    def text(self, pattern: str = "{:.3f}") -> str:
        median, low, high = (pattern.format(value) for value in (self.median, self.low, self.high))
        return f"{median} [{low} .. {high}]"

    def sure(self, pattern: str = "{:.3f}") -> str:
        median, low, high = (pattern.format(value) for value in (self.median, self.sure_from, self.sure_to))
        return f"{median} (95 %: {low} .. {high})"


def spread(values: list[float]) -> Spread:
    if len(values) == 1:
        return Spread(*[values[0]] * 6)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    ordered = sorted(values)
    # How many of n lie below the median is binomial, here by its normal approximation.
    off = 1.96 * math.sqrt(len(values)) / 2
    first, last = math.floor(len(values) / 2 - off), math.ceil(len(values) / 2 + off) - 1
    return Spread(low, median, high, ordered[-1], ordered[max(first, 0)], ordered[min(last, len(values) - 1)])


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
