"""Medians and quartiles: what a noisy machine lets one say."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    low: float  # first quartile
    median: float
    high: float  # third quartile
    max: float

    def text(self, pattern: str = "{:.3f}") -> str:
        median, low, high = (pattern.format(value) for value in (self.median, self.low, self.high))
        return f"{median} [{low} .. {high}]"


def spread(values: list[float]) -> Spread:
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high, max(values))


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
