"""What counting connections costs those who connect; whether a great many of them are counted right."""

from __future__ import annotations

import contextlib
import math
import operator
import resource
import time
from dataclasses import dataclass

import program_time
from child import Child, target
from daemon import SwitchedWatch, Usage, Watch
from host import CPU_MEASURED, CPU_OTHER, wait_alone
from paired import ratio_of
from slices import Quad, build, take
from spread import spread
from table import Row, row, verdict_of

RULES = "unbounded-concurrency,connection-churn,connection-leak"
LEAST_RATIO = 0.95
HELD = 100_000
PACE = 20_000  # connects/s
SLICE_S = 0.3
PER_CPU_S, PER_S = operator.attrgetter("per_cpu_s"), operator.attrgetter("per_s")


@dataclass(frozen=True)
class Work:
    """What one slice saw of the process that connects."""

    per_cpu_s: float  # connects per second of its CPU
    per_s: float


def _work(who: Child, pace: float) -> Work:
    connects, cpu_ns = map(int, who.ask(f"connect {SLICE_S} {pace}").split())
    return Work(connects * 1e9 / cpu_ns, connects / SLICE_S)


def _quads(client: Child, who: Child, seconds: float, pace: float = math.inf) -> tuple[list[Quad], float]:
    """Of who, beside a client that is watched and not watched in turn; cores of the daemon while it is."""
    quads: list[Quad] = []
    end = time.monotonic() + seconds
    wait_alone()
    with SwitchedWatch(client.pid).wait_attached() as watch:
        while time.monotonic() < end:
            quads.append(Quad("", build(), take(watch, len(quads), lambda: _work(who, pace))))
        watch.turn(True)
        usage = Usage(watch)
        who.ask("connect 2")
        cores = usage.cores()
        watch.stop()
    return quads, cores


def _rows(what: str, client: Child, who: Child, seconds: float) -> list[Row]:
    quads, cores = _quads(client, who, seconds)
    by_cpu, by_clock = ([quad.log_ratio(value) for quad in quads] for value in (PER_CPU_S, PER_S))
    plain = [work for quad in quads for is_watched, work in quad.slices if not is_watched]
    ratio = ratio_of(by_cpu)
    return [
        row(f"{what}: connects per second of its CPU ({spread(list(map(PER_CPU_S, plain))).median:.0f}), watched / not",
            f"{ratio.text()}, {spread(list(map(math.exp, by_cpu))).text()}", f">= {LEAST_RATIO}",
            verdict_of(ratio, least=LEAST_RATIO)),
        row(f"{what}: the same, not watched / not watched: 1 if this is sound",
            ratio_of([quad.log_drift(PER_CPU_S) for quad in quads]).text()),
        row(f"{what}: connects/s ({spread(list(map(PER_S, plain))).median:.0f}), watched / not",
            f"{ratio_of(by_clock).text()}, {spread(list(map(math.exp, by_clock))).text()}"),
        row(f"{what}: the daemon meanwhile, cores", f"{cores:.3f}"),
    ]  # fmt: skip


def _paced_rows(client: Child, seconds: float) -> list[Row]:
    quads, _ = _quads(client, client, seconds, PACE)
    ratio, by_cpu = (ratio_of([quad.log_ratio(value) for quad in quads]) for value in (PER_S, PER_CPU_S))
    plain = [work for quad in quads for is_watched, work in quad.slices if not is_watched]
    return [
        row(f"{PACE} connects/s offered: achieved/s ({spread(list(map(PER_S, plain))).median:.0f}), watched / not", ratio.text(),
            f">= {LEAST_RATIO}", verdict_of(ratio, least=LEAST_RATIO)),
        row(f"{PACE} connects/s offered: per second of its CPU ({spread(list(map(PER_CPU_S, plain))).median:.0f}), watched / not",
            by_cpu.text()),
    ]  # fmt: skip


def _program_us(client: Child, who: Child, rounds: int, seconds: float) -> tuple[float, float]:
    """Time of our programs for one connect and close of who, both ends: with connections counted, without."""
    taken: dict[str, list[float]] = {"--rule": [], "--no-rule": []}
    for _ in range(rounds):
        for option, each in taken.items():
            with program_time.counted(), Watch(client.pid, arguments=(option, RULES)).wait_attached() as watch:
                before = program_time.program_ns(watch.pid)
                connects, _ = map(int, who.ask(f"connect {seconds}").split())
                each.append((program_time.program_ns(watch.pid) - before) / connects / 1000)
                watch.stop()
    return spread(taken["--rule"]).median, spread(taken["--no-rule"]).median


def _sum(summary: dict, key: str) -> int:
    return sum(each[key] for each in summary["connections"] if each["direction"] == "out")


def _held(count: int) -> list[Row]:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000
    shares = [most] * (count // most) + [count % most] * (count % most > 0)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(target("connections_target.py")) for _ in shares]
        watch = Watch(*(client.pid for client in clients), arguments=("--rule", RULES))
        stack.enter_context(watch).wait_attached()
        before = watch.rss_kib()
        started = time.monotonic()
        for client, share in zip(clients, shares):
            client.ask(f"hold {share}", patience=100)
        took = time.monotonic() - started
        wait_told(watch, count)
        usage = Usage(watch)
        time.sleep(2)
        cores, growth = usage.cores(), (watch.rss_kib() - before) / 1024
        for client in clients:
            client.ask("drop", patience=100)
        summary = watch.stop()
    peak, left = _sum(summary, "peak"), _sum(summary, "established")
    return [
        row(f"{count} connections held: counted at the peak, then left", f"{peak}, {left}", f"{count}, 0",
            (peak, left) == (count, 0)),
        row(f"{count} connections held, opened at {count / took:.0f}/s: growth of the daemon's RSS, MiB",
            f"{growth:.1f}"),
        row(f"{count} connections held: the daemon, cores", f"{cores:.3f}"),
    ]  # fmt: skip


def wait_told(watch: Watch, count: int) -> None:
    """Until the lines about the destinations add up to so many."""
    latest: dict[tuple[int, str], int] = {}
    while sum(latest.values()) != count:
        _, line = watch.expect("connections", direction="out")
        latest[line["pid"], line["destination"]] = line["established"]


def run(is_quick: bool) -> list[Row]:
    rounds, seconds = (2, 5) if is_quick else (5, 60)
    cpus = (CPU_MEASURED, CPU_OTHER)
    with target("connections_target.py", *cpus) as client, target("connections_target.py", *cpus) as stranger:
        watched = _rows("one process", client, client, seconds)
        paced = _paced_rows(client, seconds)
        other = _rows("a process that is not watched", client, stranger, seconds)
        ours, ours_without = _program_us(client, client, rounds, 0.5)
        theirs, theirs_without = _program_us(client, stranger, rounds, 0.5)
    return [
        *watched,
        *paced,
        *other,
        row("our programs for a connect and close, both ends, us: counted, not", f"{ours:.2f}, {ours_without:.2f}"),
        row("the same of a process that is not watched, us", f"{theirs:.2f}, {theirs_without:.2f}"),
        *_held(2_000 if is_quick else HELD),
    ]
