"""A saturated aiohttp server, watched and not watched, in turn, while it lives on.

The speed of a virtual machine's CPU changes by half within seconds.  So the server gauges it all the time, and
what it does is compared in units of that (server_target.py); so the kernel half is taken away and put back in
tenths of a second (switch.c); and so that is done until the answer is sure, or the time is over.
"""

from __future__ import annotations

import statistics
from typing import Callable

import slices
from daemon import Usage, Watch
from paired import Ratio, ratio_of
from program_time import counted, program_ns
from server import Server, Work
from slices import Quad
from spread import spread
from table import Row, row, verdict_of
from tail import GROUPS, p99, p99_drift, p99_ratio

LEAST_RATIO = {"asyncio": 0.99, "uvloop": 0.985}
MOST_P99_RATIO = 1.02
# Of the time of the two CPUs, that others had: quads with more are left out.  CPU time per request hardly changes by it.
MOST_DISTURBED = 0.3
MOST_DISTURBED_LATENCY = 0.05  # beyond it the ratios of p99 scatter three times as much
LOOK_EVERY = 10  # quads
SURE_TO_STOP = 0.995  # whoever looks again and again, and stops when it suits him, is to be surer than 95 %


def _own_share(server: Server, seconds: float) -> tuple[float, float]:
    """Time of our BPF programs per CPU time of the server, and the cores that the daemon needs.

    The kernel counts the programs' time on the whole machine: the customers wait in epoll_wait too.
    """
    with Watch(server.pid).wait_attached() as watch, counted():
        before_ns, usage = program_ns(watch.pid), Usage(watch)
        work = server.work(seconds)
        taken_ns, cores = program_ns(watch.pid) - before_ns, usage.cores()
        watch.stop()
    return taken_ns / work.cpu_ns, cores


def _left_alone(quads: list[Quad], most_disturbed: float) -> list[Quad]:
    return [quad for quad in quads if quad.disturbed() <= most_disturbed]


def _ratio(quads: list[Quad], most_disturbed: float, value: Callable[[Work], float], confidence: float = 0.95) -> Ratio:
    return ratio_of([quad.log_ratio(value) for quad in _left_alone(quads, most_disturbed)], confidence)


def _rate_and_p99(quads: list[Quad], confidence: float = 0.95) -> tuple[Ratio, Ratio]:
    """The two that have a budget."""
    return (
        _ratio(quads, MOST_DISTURBED, lambda work: 1 / work.cpu_gauges(), confidence),
        p99_ratio(_left_alone(quads, MOST_DISTURBED_LATENCY), Work.latency_gauges, confidence),
    )


def _verdicts(loop: str, rate: Ratio, p99: Ratio) -> tuple[str, str]:
    return verdict_of(rate, least=LEAST_RATIO[loop]), verdict_of(p99, most=MOST_P99_RATIO)


def _is_decided(loop: str, quads: list[Quad]) -> bool:
    if not quads or len(quads) % LOOK_EVERY:
        return False
    return "open" not in _verdicts(loop, *_rate_and_p99(quads, SURE_TO_STOP))


def _rows(loop: str, is_quick: bool) -> list[Row]:
    with Server(loop) as server:
        with server.saturated():
            shares = [_own_share(server, 0.5) for _ in range(2 if is_quick else 4)]
        quads = slices.measure(server, loop, lambda so_far: _is_decided(loop, so_far))
    if not quads:
        raise RuntimeError("no slices, and no time to measure any")
    rate, p99_seen = _rate_and_p99(quads)
    rate_verdict, p99_verdict = _verdicts(loop, rate, p99_seen)
    wall = _ratio(quads, MOST_DISTURBED_LATENCY, Work.requests_per_gauge)
    quiet = _left_alone(quads, MOST_DISTURBED_LATENCY)
    control = ratio_of([quad.log_drift(lambda work: 1 / work.cpu_gauges()) for quad in _left_alone(quads, MOST_DISTURBED)])
    plain = [work for quad in quads for is_watched, work in quad.slices if not is_watched]
    per_s, cpu_us = (statistics.median(map(value, plain)) for value in (Work.requests_per_s, Work.cpu_us))
    own, cores = (spread([100 * value for value in values]) for values in zip(*shares))
    what = f"aiohttp on {loop}"
    return [
        row(f"{what}: requests per second of its CPU, watched / not ({cpu_us:.0f} us each)", rate.text(),
            f">= {LEAST_RATIO[loop]}", rate_verdict),
        row(f"{what}: the same, not watched / not watched: 1 if this is sound", control.text()),
        row(f"{what}: requests/s, watched / not ({per_s:.0f})", wall.text()),
        row(f"{what}: p99 latency, watched / not ({p99(plain, Work.latency_us):.0f} us)", p99_seen.text(GROUPS),
            f"<= {MOST_P99_RATIO}", p99_verdict),
        row(f"{what}: p99 latency, not watched / not watched: 1 if this is sound", p99_drift(quiet, Work.latency_gauges).text(GROUPS)),
        row(f"{what}: p99 latency, watched / not, not gauged", p99_ratio(quiet, Work.latency_us).text(GROUPS)),
        row(f"{what}: quads in all", f"{len(quads)}"),
        row(f"{what}: all our BPF programs (the customers' calls too), % of its CPU", own.text("{:.2f}")),
        row(f"{what}: the daemon meanwhile, % of a core", cores.text("{:.2f}")),
    ]  # fmt: skip


def run_asyncio(is_quick: bool) -> list[Row]:
    return _rows("asyncio", is_quick)


def run_uvloop(is_quick: bool) -> list[Row]:
    return _rows("uvloop", is_quick)
