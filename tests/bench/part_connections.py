"""What counting connections costs those who connect; whether a great many of them are counted right."""

from __future__ import annotations

import contextlib
import resource
import time

import program_time
from child import Child, target
from daemon import Usage, Watch
from spread import spread
from table import Row, row

RULES = "unbounded-concurrency,connection-churn,connection-leak"
LEAST_RATIO = 0.95
HELD = 100_000


def _rates(client: Child, who: Child, rounds: int, seconds: float) -> tuple[list[float], list[float], float]:
    """Connects a second of who, beside a watch of client: with connections counted, without; cores of the daemon, with."""
    counted, without, cores = [], [], []
    for _ in range(rounds):
        for option, rates in (("--rule", counted), ("--no-rule", without)):
            with Watch(client.pid, arguments=(option, RULES)).wait_attached() as watch:
                usage = Usage(watch)
                rates.append(int(who.ask(f"connect {seconds}")) / seconds)
                if option == "--rule":
                    cores.append(usage.cores())
                watch.stop()
    return counted, without, spread(cores).median


def _program_us(client: Child, who: Child, rounds: int, seconds: float) -> tuple[float, float]:
    """Time of our programs for one connect and close of who, both ends: with connections counted, without."""
    taken: dict[str, list[float]] = {"--rule": [], "--no-rule": []}
    for _ in range(rounds):
        for option, each in taken.items():
            with program_time.counted(), Watch(client.pid, arguments=(option, RULES)).wait_attached() as watch:
                before = program_time.program_ns(watch.pid)
                connects = int(who.ask(f"connect {seconds}"))
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
    rounds, seconds = (2, 0.5) if is_quick else (15, 2)
    with target("connections_target.py") as client, target("connections_target.py") as stranger:
        counted, without, cores = _rates(client, client, rounds, seconds)
        other, other_without, _ = _rates(client, stranger, rounds, seconds)
        ours, ours_without = _program_us(client, client, 2 if is_quick else 5, 0.5)
        theirs, theirs_without = _program_us(client, stranger, 2 if is_quick else 5, 0.5)
    ratio = spread([a / b for a, b in zip(counted, without)])
    other_ratio = spread([a / b for a, b in zip(other, other_without)])
    return [
        row(f"connects/s of one process ({spread(without).median:.0f}), connections counted / not",
            ratio.text("{:.3f}"), f">= {LEAST_RATIO}", ratio.median >= LEAST_RATIO),
        row(f"{spread(counted).median:.0f} connects/s: the daemon, cores", f"{cores:.3f}"),
        row(f"connects/s of a process that is not watched ({spread(other_without).median:.0f}), counted / not",
            other_ratio.text("{:.3f}"), f">= {LEAST_RATIO}", other_ratio.median >= LEAST_RATIO),
        row("our programs for a connect and close, both ends, us: counted, not", f"{ours:.2f}, {ours_without:.2f}"),
        row("the same of a process that is not watched, us", f"{theirs:.2f}, {theirs_without:.2f}"),
        *_held(2_000 if is_quick else HELD),
    ]  # fmt: skip
