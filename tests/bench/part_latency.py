"""How late a person learns of a stall: of one that has ended, of one that goes on."""

from __future__ import annotations

from child import target
from daemon import Watch
from spread import percentile, spread
from table import Row, row

STALL_MS = 15
PAUSE_MS = 110  # more than ten lines a second of one site would be folded into one
MOST_MS = 100


LONG_MS = 700
TOLD_MS = 10 + 200  # blocking-call's limit, and the patience on top


def told_after_ms(wanted: int) -> list[float]:
    """From the beginning of a stall to the line that tells of it while it lasts."""
    told: dict[int, float] = {}
    with target("stall_target.py", LONG_MS, PAUSE_MS) as stalls:
        with Watch(stalls.pid, arguments=("--rule", "blocking-call")).wait_attached() as watch:
            while len(told) < wanted:
                arrived_ns, breach = watch.expect("breach")
                if breach["ongoing"]:
                    told.setdefault(breach["start_ns"], (arrived_ns - breach["start_ns"]) / 1e6)
            watch.stop()
        stalls.process.terminate()
    return list(told.values())


def ended_after_ms(wanted: int, *how: str) -> list[float]:
    """From the end of a stall, by the target's own clock, to the line that tells of it."""
    ends: dict[int, int] = {}
    late: list[float] = []
    with target("stall_target.py", STALL_MS, PAUSE_MS, *how) as stalls:
        with Watch(stalls.pid, arguments=("--limit", "blocking-call=10")).wait_attached() as watch:
            while len(late) < wanted:
                arrived_ns, breach = watch.expect("breach", ongoing=False)
                start_ns = breach["start_ns"]
                while start_ns not in ends:  # the target's own words, in order
                    began_ns, ended_ns = map(int, stalls.line()[1].split())
                    if ended_ns > start_ns:
                        ends[start_ns] = ended_ns
                        if began_ns > start_ns:
                            raise RuntimeError("a breach that the target knows nothing of")
                late.append((arrived_ns - ends[start_ns]) / 1e6)
            watch.stop()
        stalls.process.terminate()
    return late


def _ended_row(what: str, late: list[float]) -> Row:
    p99 = percentile(late, 99)
    return row(f"an ended breach{what}, from its end to our pipe, ms",
               f"{spread(late).text('{:.2f}')}, p99 {p99:.2f}, max {max(late):.2f}", f"<= {MOST_MS}", p99 <= MOST_MS)  # fmt: skip


def run(is_quick: bool) -> list[Row]:
    told = told_after_ms(5 if is_quick else 30)
    wanted = 20 if is_quick else 300
    return [
        row("a stall that goes on, from its beginning to our pipe, ms",
            f"{spread(told).text('{:.0f}')}, max {max(told):.0f}", f"<= {TOLD_MS}", max(told) <= TOLD_MS + 1),
        _ended_row("", ended_after_ms(wanted)),
        _ended_row(" behind a stack never seen before", ended_after_ms(wanted, "behind")),
    ]  # fmt: skip
