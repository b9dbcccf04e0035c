"""The slowest answers of some slices against those of others.

A slice has a hundred iterations of the loop, and the customers of one wait alike: its p99 is one iteration, by itself
little more than noise.  So the answers of several quads are put together before their p99 is taken.
"""

from __future__ import annotations

import math
from typing import Callable, Iterator

from paired import Ratio, ratio_of
from server import Work
from slices import Quad

Latencies = list[tuple[float, int]]  # what an answer took, in one unit for all, and how many took that

QUADS_TOGETHER = 4  # each side has some 800 iterations then, and eight of them are beyond its p99
GROUPS = f"groups of {QUADS_TOGETHER} quads"


def p99(works: list[Work], latencies: Callable[[Work], Latencies]) -> float:
    """Of all their answers together."""
    together = sorted(pair for work in works for pair in latencies(work))
    left = sum(answers for _, answers in together) // 100
    for took, answers in reversed(together):
        left -= answers
        if left < 0:
            return took
    raise ValueError("no answers")


def _groups(quads: list[Quad]) -> Iterator[list[Quad]]:
    for start in range(0, len(quads) - QUADS_TOGETHER + 1, QUADS_TOGETHER):
        yield quads[start : start + QUADS_TOGETHER]


def p99_ratio(quads: list[Quad], latencies: Callable[[Work], Latencies], confidence: float = 0.95) -> Ratio:
    """Watched / not."""
    logs = []
    for group in _groups(quads):
        on, off = ([work for quad in group for is_watched, work in quad.slices if is_watched == which] for which in (True, False))
        logs.append(math.log(p99(on, latencies) / p99(off, latencies)))
    return ratio_of(logs, confidence)


def p99_drift(quads: list[Quad], latencies: Callable[[Work], Latencies]) -> Ratio:
    """Of slices that were not watched, the second / the first of each quad: 1, if this is sound."""
    logs = []
    for group in _groups(quads):
        plain = [[work for is_watched, work in quad.slices if not is_watched] for quad in group]
        first, second = zip(*plain)
        logs.append(math.log(p99(list(second), latencies) / p99(list(first), latencies)))
    return ratio_of(logs)
