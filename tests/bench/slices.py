"""Slices of a server's work, watched and not, in quads; kept in a file, so that a measurement can be taken in pieces."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from pathlib import Path
from typing import Callable

from daemon import LOOPHOUND, SwitchedWatch
from host import wait_alone
from server import Server, Work

QUAD = (False, True, True, False)  # is it watched; the next one turned round
SLICE_S = 0.4
SETTLE_S = 0.15  # after a switch: what it left to be done is over, and each customer was answered


class Pieces:
    """What the user chose: how long to measure each server, and what to add it to."""

    seconds = 240.0
    file: Path | None = None


@dataclasses.dataclass
class Quad:
    loop: str
    build: str  # of another build nothing is counted
    slices: list[tuple[bool, Work]]

    def disturbed(self) -> float:
        """The part of the time of its two CPUs that others had."""
        return sum(work.disturbed_s for _, work in self.slices) / sum(2 * work.seconds for _, work in self.slices)

    def log_ratio(self, value: Callable[[Work], float]) -> float:
        """Watched / not."""
        logs = {is_watched: [math.log(value(work)) for which, work in self.slices if which == is_watched] for is_watched in (True, False)}
        return sum(logs[True]) / len(logs[True]) - sum(logs[False]) / len(logs[False])

    def log_drift(self, value: Callable[[Work], float]) -> float:
        """Second / first of those that were not watched: nothing, if the quads are sound."""
        first, second = (math.log(value(work)) for is_watched, work in self.slices if not is_watched)
        return second - first


def build() -> str:
    return hashlib.sha256(Path(LOOPHOUND).read_bytes()).hexdigest()[:12]


def kept(loop: str) -> list[Quad]:
    """Earlier pieces' quads, of this build."""
    quads = []
    if Pieces.file and Pieces.file.exists():
        for line in Pieces.file.read_text().splitlines():
            said = json.loads(line)
            if (said["loop"], said["build"]) == (loop, build()):
                quads.append(Quad(loop, build(), [(is_watched, Work(**work)) for is_watched, work in said["slices"]]))
    return quads


def _keep(quad: Quad) -> None:
    if Pieces.file:
        with Pieces.file.open("a") as file:
            file.write(json.dumps(dataclasses.asdict(quad)) + "\n")


def take(watch: SwitchedWatch, number: int, work: Callable[[], Work]) -> list[tuple[bool, Work]]:
    """The slices of the quad of that number."""
    slices = []
    for is_watched in QUAD if number % 2 == 0 else [not each for each in QUAD]:
        if is_watched != watch.is_on:
            watch.turn(is_watched)
            time.sleep(SETTLE_S)
        slices.append((is_watched, work()))
    return slices


def measure(server: Server, loop: str, is_enough: Callable[[list[Quad]], bool]) -> list[Quad]:
    """All quads of this loop: the earlier ones, and those of Pieces.seconds, or until that is enough."""
    quads = kept(loop)
    end = time.monotonic() + Pieces.seconds
    wait_alone()
    with server.saturated(), SwitchedWatch(server.pid).wait_attached() as watch:
        while time.monotonic() < end and not is_enough(quads):
            quads.append(Quad(loop, build(), take(watch, len(quads), lambda: server.work(SLICE_S))))
            _keep(quads[-1])
        watch.turn(True)
        watch.stop()
    return quads
