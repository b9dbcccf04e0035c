"""A saturated aiohttp server, watched and not watched, in turn, while it lives on.

The speed of a virtual machine's CPU changes by half within seconds.  So the server gauges it all the time,
and what it does is compared in units of that: see server_target.py.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from daemon import Usage, Watch
from host import wait_alone
from program_time import counted, program_ns
from server import Server, Work
from spread import spread
from table import Row, row, verdict_of

LEAST_RATIO = {"asyncio": 0.99, "uvloop": 0.985}
MOST_P99_RATIO = 1.02


@dataclass
class Slice:
    work: Work
    p99_us: float  # not gauged: that made it no steadier


def _slice(server: Server, is_watched: bool) -> Slice:
    wait_alone()
    with Watch(server.pid) if is_watched else contextlib.nullcontext() as watch:
        if watch:
            watch.wait_attached()
        measured = Slice(*server.work_and_p99_us())
        if watch:
            watch.stop()
    return measured


def _pairs(server: Server, pairs: int) -> list[tuple[Slice, Slice]]:
    """(not watched, watched); every other pair the other way round, against drift."""
    measured = []
    for number in range(pairs):
        order = (False, True) if number % 2 == 0 else (True, False)
        slices = {is_watched: _slice(server, is_watched) for is_watched in order}
        measured.append((slices[False], slices[True]))
    return measured


def _own_share(server: Server, seconds: float) -> tuple[float, float]:
    """Time of our BPF programs per CPU time of the server, and the cores that the daemon needs.

    The kernel counts the programs' time on the whole machine: wrk waits in epoll_wait too.
    """
    with Watch(server.pid).wait_attached() as watch, counted():
        before_ns, usage = program_ns(watch.pid), Usage(watch)
        work = server.work(seconds)
        taken_ns, cores = program_ns(watch.pid) - before_ns, usage.cores()
        watch.stop()
    return taken_ns / work.cpu_ns, cores


def _rows(loop: str, is_quick: bool) -> list[Row]:
    with Server(loop) as server:
        with server.saturated():
            shares = [_own_share(server, 0.5) for _ in range(2 if is_quick else 6)]
        pairs = _pairs(server, 3 if is_quick else 60)
    what = f"aiohttp on {loop}"
    per_s, cpu_us, p99_us = (spread([value(plain) for plain, _ in pairs]).median for value in (
        lambda s: s.work.requests_per_s(), lambda s: s.work.cpu_us(), lambda s: s.p99_us))  # fmt: skip
    rate, raw_rate, cpu, p99 = (spread([value(watched) / value(plain) for plain, watched in pairs]) for value in (
        lambda s: s.work.requests_per_gauge(), lambda s: s.work.requests_per_s(),
        lambda s: s.work.cpu_gauges(), lambda s: s.p99_us))  # fmt: skip
    own, cores = (spread([100 * value for value in values]) for values in zip(*shares))
    return [
        row(f"{what}: requests/s, watched / not ({per_s:.0f})", rate.sure(),
            f">= {LEAST_RATIO[loop]}", verdict_of(rate, least=LEAST_RATIO[loop])),
        row(f"{what}: the same, not gauged", raw_rate.sure()),
        row(f"{what}: CPU per request, watched / not ({cpu_us:.0f} us)", cpu.sure()),
        row(f"{what}: p99 latency, watched / not ({p99_us:.0f} us)", p99.sure(),
            f"<= {MOST_P99_RATIO}", verdict_of(p99, most=MOST_P99_RATIO)),
        row(f"{what}: all our BPF programs (wrk's calls too), % of its CPU", own.text("{:.2f}")),
        row(f"{what}: the daemon meanwhile, % of a core", cores.text("{:.2f}")),
    ]  # fmt: skip


def run_asyncio(is_quick: bool) -> list[Row]:
    return _rows("asyncio", is_quick)


def run_uvloop(is_quick: bool) -> list[Row]:
    return _rows("uvloop", is_quick)
