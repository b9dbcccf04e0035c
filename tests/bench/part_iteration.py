"""What a watch adds to an iteration of the loop that it watches: the least that a request can be.

Small and steady where a server's requests/s are not: a request of the server is at most one iteration, one
receive and one send.
"""

from __future__ import annotations

import contextlib

from child import target
from daemon import Watch
from host import CPU_OTHER, wait_alone
from spread import spread
from table import Row, row


def _measure(loop, is_watched: bool, milliseconds: int) -> float:
    wait_alone()
    with Watch(loop.pid) if is_watched else contextlib.nullcontext() as watch:
        if watch:
            watch.wait_attached()
        ns = float(loop.ask(str(milliseconds)))
        if watch:
            watch.stop()
    return ns


def _row(kind: str, rounds: int, milliseconds: int) -> Row:
    pairs = []
    with target("loop_target.py", kind, cpu=CPU_OTHER) as loop:
        for number in range(rounds):
            order = (False, True) if number % 2 == 0 else (True, False)
            ns = {is_watched: _measure(loop, is_watched, milliseconds) for is_watched in order}
            pairs.append((ns[False], ns[True]))
    plain_us = spread([plain for plain, _ in pairs]).median / 1e3
    added = spread([watched - plain for plain, watched in pairs])
    return row(f"an iteration of a watched {kind} loop, with a recv and a send ({plain_us:.1f} us): added ns",
               added.sure("{:.0f}"))  # fmt: skip


def run(is_quick: bool) -> list[Row]:
    return [_row(kind, *((3, 50) if is_quick else (30, 150))) for kind in ("asyncio", "uvloop")]
