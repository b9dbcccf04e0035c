"""Twenty thousand breaches a second: is one left uncounted, and what does the daemon need for it?

The recording of such a flood then shows how fast `report` is.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass

from child import target
from daemon import LOOPHOUND, Usage, Watch
from spread import spread
from table import Row, row

PROCESSES = 4
PER_SECOND = 20_000
LIMIT_MS = 0.001  # the target sleeps 50 us at a time, less what it waits for a CPU meanwhile
MOST_CORES = 1.0
MOST_GROWTH_MIB = 1.0
LEAST_RECORDS_PER_S = 1_000_000


@dataclass
class Flood:
    planted: int
    reached_per_s: float
    summary: dict
    cores: float
    rss_mib: list[float]  # once a second

    def lost(self) -> int:
        return self.summary["lost"]["ring_full"]

    def uncounted(self) -> int:
        return max(0, self.planted - self.summary["breaches"] - self.lost())


def _flood(seconds: float, *arguments: str) -> Flood:
    with contextlib.ExitStack() as stack:
        floods = [
            stack.enter_context(target("flood_target.py", PER_SECOND / PROCESSES, seconds))
            for _ in range(PROCESSES)
        ]
        limit = ("--limit", f"blocking-call={LIMIT_MS}", *arguments)
        watch = stack.enter_context(Watch(*(flood.pid for flood in floods), arguments=limit)).wait_attached()
        usage = Usage(watch)
        started = time.monotonic()
        for flood in floods:
            flood.say("go")
        rss_mib = []
        for second in range(1, int(seconds) + 1):
            time.sleep(max(0.0, started + second - 0.1 - time.monotonic()))
            rss_mib.append(watch.rss_kib() / 1024)
        planted = sum(int(flood.line()[1]) for flood in floods)
        cores = usage.cores()
        took = time.monotonic() - started
        return Flood(planted, planted / took, watch.stop(), cores, rss_mib)


def _rows(flood: Flood) -> list[Row]:
    # From the second second on: before, the daemon fills its tables for the first time.
    growth = flood.rss_mib[-1] - flood.rss_mib[min(1, len(flood.rss_mib) - 1)]
    what = f"{flood.reached_per_s:.0f} breaches/s"
    return [
        row(f"{what}: of {flood.planted} planted, uncounted", f"{flood.uncounted()} ({flood.lost()} counted as lost)",
            "0", flood.uncounted() == 0),
        row(f"{what}: the daemon, cores", f"{flood.cores:.2f}", f"<= {MOST_CORES}", flood.cores <= MOST_CORES),
        row(f"{what}: growth of its RSS of {flood.rss_mib[-1]:.1f} MiB, MiB", f"{growth:.2f}",
            f"<= {MOST_GROWTH_MIB}", growth <= MOST_GROWTH_MIB),
    ]  # fmt: skip


def _report_s(path: str, form: str) -> float:
    """How long `report` takes, the start of the process included."""
    started = time.monotonic()
    command = [LOOPHOUND, "report", path, "--format", form]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def run(is_quick: bool) -> list[Row]:
    seconds = 2 if is_quick else 10
    rows = _rows(_flood(seconds))
    descriptor, path = tempfile.mkstemp(prefix="loophound-bench.")
    os.close(descriptor)
    try:
        recorded = _flood(seconds, "--record", path)
        records = recorded.summary["lost"]["records_consumed"]  # the kernel's: nearly all there are
        for form in ("jsonl", "text"):
            rate = spread([records / _report_s(path, form) for _ in range(3 if is_quick else 9)])
            rows.append(row(f"report --format {form} of {records} records, records/s", rate.text("{:.0f}"),
                            f">= {LEAST_RECORDS_PER_S}", rate.median >= LEAST_RECORDS_PER_S))  # fmt: skip
    finally:
        os.unlink(path)
    return rows
