"""Shell loops that start short processes as fast as they can, beside a watch for whatever begins."""

from __future__ import annotations

import os
import subprocess
import time

from daemon import Usage, Watch
from program_time import counted, program_ns
from spread import spread
from table import Row, row

SHELLS = 4
LOOP = "while :; do /bin/true; done"
MOST_CORES = 0.01


def _forks() -> int:
    with open("/proc/stat") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("processes "))


def _rate(seconds: float) -> float:
    before, since = _forks(), time.monotonic()
    time.sleep(seconds)
    return (_forks() - before) / (time.monotonic() - since)


def _kept(watch: Watch) -> tuple[int, float]:
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in watch.family()), watch.rss_kib() / 1024


def run(is_quick: bool) -> list[Row]:
    slice_s, rounds = 1.0, 3 if is_quick else 10
    ratios, cores, per_process, rates = [], [], [], []
    shells = [subprocess.Popen(["sh", "-c", LOOP]) for _ in range(SHELLS)]
    try:
        time.sleep(0.5)
        for _ in range(rounds):
            alone = _rate(slice_s)
            with Watch(arguments=("--all",)) as watch:
                watch.expect("session")
                time.sleep(5.0)  # all that ran before is looked at, and what is short-lived is known to be
                usage = Usage(watch)
                rates.append(_rate(slice_s))
                cores.append(usage.cores())
                ratios.append(rates[-1] / alone)
                kept = _kept(watch)
                with counted():
                    forks, ns = _forks(), program_ns(watch.pid)
                    time.sleep(slice_s)
                    per_process.append((program_ns(watch.pid) - ns) / (_forks() - forks))
                after = _kept(watch)
                summary = watch.stop()
    finally:
        for shell in shells:
            shell.kill()
            shell.wait()
    share, ratio = spread([100 * c for c in cores]), spread(ratios)
    records = summary["lost"]["records_made"] / (summary["watched_ns"] / 1e9)
    what = f"{spread(rates).median:.0f} processes/s of /bin/true under --all"
    return [
        row(f"{what}: the daemon, % of a core", share.text("{:.2f}"), f"<= {100 * MOST_CORES:.0f}",
            share.median <= 100 * MOST_CORES),
        row(f"{what}: all our BPF programs, ns a process", spread(per_process).text("{:.0f}")),
        row(f"{what}: processes/s, watched / not", ratio.text()),
        row(f"{what}: records/s", f"{records:.0f}"),
        row(f"{what}: fds and RSS MiB, before -> after a second", f"{kept[0]} -> {after[0]}, {kept[1]:.2f} -> {after[1]:.2f}"),
    ]  # fmt: skip
