"""A saturated aiohttp server, watched and not watched, in turn, while it lives on."""

from __future__ import annotations

import contextlib

from daemon import Usage, Watch
from host import wait_alone
from program_time import counted, program_ns
from server import Server, Work
from spread import spread
from table import Row, row

LEAST_RATIO = {"asyncio": 0.99, "uvloop": 0.985}
MOST_P99_RATIO = 1.02


def _watched(server: Server, is_watched: bool):
    wait_alone()
    return Watch(server.pid) if is_watched else contextlib.nullcontext()


def _work(server: Server, is_watched: bool, seconds: float) -> Work:
    with _watched(server, is_watched) as watch:
        if watch:
            watch.wait_attached()
        work = server.work(seconds)
        if watch:
            watch.stop()
    return work


def _p99_us(server: Server, is_watched: bool, seconds: int) -> float:
    with _watched(server, is_watched) as watch:
        if watch:
            watch.wait_attached()
        p99_us = server.p99_us(seconds)
        if watch:
            watch.stop()
    return p99_us


def _pairs(measure, server: Server, pairs: int, seconds: float) -> list[tuple]:
    """(not watched, watched); every other pair the other way round, against drift."""
    measured = []
    for number in range(pairs):
        order = (False, True) if number % 2 == 0 else (True, False)
        slices = {is_watched: measure(server, is_watched, seconds) for is_watched in order}
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
            works = _pairs(_work, server, *((4, 0.5) if is_quick else (60, 0.5)))
            shares = [_own_share(server, 0.5) for _ in range(2 if is_quick else 8)]
        latencies = _pairs(_p99_us, server, *((2, 1) if is_quick else (12, 2)))
    what = f"aiohttp on {loop}"
    per_s, cpu_us = (spread([getattr(plain, name)() for plain, _ in works]).median
                     for name in ("requests_per_s", "cpu_us"))  # fmt: skip
    rate = spread([watched.requests_per_s() / plain.requests_per_s() for plain, watched in works])
    cpu = spread([watched.cpu_us() / plain.cpu_us() for plain, watched in works])
    p99 = spread([watched / plain for plain, watched in latencies])
    own, cores = (spread([100 * value for value in values]) for values in zip(*shares))
    return [
        row(f"{what}: requests/s, watched / not ({per_s:.0f})", rate.text(),
            f">= {LEAST_RATIO[loop]}", rate.median >= LEAST_RATIO[loop]),
        row(f"{what}: CPU per request, watched / not ({cpu_us:.0f} us)", cpu.text()),
        row(f"{what}: all our BPF programs (wrk's calls too), % of its CPU", own.text("{:.2f}")),
        row(f"{what}: p99 latency, watched / not", p99.text(),
            f"<= {MOST_P99_RATIO}", p99.median <= MOST_P99_RATIO),
        row(f"{what}: the daemon meanwhile, % of a core", cores.text("{:.2f}")),
    ]  # fmt: skip


def run(is_quick: bool) -> list[Row]:
    return [r for loop in LEAST_RATIO for r in _rows(loop, is_quick)]
