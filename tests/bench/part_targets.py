"""What the daemon needs by the number of targets: memory, CPU, and the time until all are attached to."""

from __future__ import annotations

import time

from child import HERE, PYTHON, Child
from daemon import Usage, Watch
from host import rss_kib
from spread import spread
from table import Row, row

COUNTS = (1, 10, 50, 200)
HERTZ = 10
THREADS = 200
LOOPS = 2 * THREADS
TURNS = 1.5  # iterations that a sleep takes, seen: the timer of epoll_wait() ends early at times
PER_SECOND = 20_000
LOST = ("ring_full", "loops_refused", "targets_refused", "names_refused", "names_failed")


def _measure(processes: int, threads: int, hertz: float, slices: int) -> dict:
    """One watch of so many."""
    many = Child(PYTHON, str(HERE / "many_target.py"), *map(str, (processes, threads, hertz)))
    with many:
        children = [int(word) for word in many.line()[1].split()]
        watch = Watch(many.pid)
        with watch:
            watch.targets = {many.pid, *children}
            watch.wait_attached()
            attach_s = (time.monotonic_ns() - watch.spawned_ns) / 1e9
            time.sleep(2)
            cores = []
            for _ in range(slices):
                usage = Usage(watch)
                time.sleep(2)
                cores.append(usage.cores())
            daemon, *readers = watch.family()
            figures = {
                "attach_s": attach_s,
                "cores": spread(cores),
                "daemon_mib": rss_kib(daemon) / 1024,
                "reader_mib": sum(map(rss_kib, readers)) / 1024,
            }
            summary = watch.stop()
    loops = len({loop["tid"] for loop in summary["loops"]})
    if loops != processes + threads:
        raise RuntimeError(f"{loops} loops of {processes + threads} were found")
    lost = {name: summary["lost"][name] for name in LOST if summary["lost"][name]}
    figures["per_s"] = sum(loop["iterations"] for loop in summary["loops"]) / (summary["watched_ns"] / 1e9)
    figures["lost"] = lost
    return figures


def _text(figures: dict) -> str:
    return (
        f"{figures['cores'].text('{:.4f}')} cores, {figures['daemon_mib']:.1f} + "
        f"{figures['reader_mib']:.1f} MiB, attached in {figures['attach_s']:.2f} s"
    )


def run(is_quick: bool) -> list[Row]:
    rows = []
    for count in COUNTS:
        figures = _measure(count, 0, HERTZ, 2 if is_quick else 5)
        rows.append(row(f"{count} targets, {HERTZ} it/s each: the daemon and its reader", _text(figures)))
    figures = _measure(THREADS, THREADS, PER_SECOND / LOOPS / TURNS, 2 if is_quick else 5)
    rows.append(
        row(f"{THREADS} targets and one of {THREADS} loops, {figures['per_s']:.0f} it/s in all: likewise",
            _text(figures))
    )  # fmt: skip
    lost = str(figures["lost"] or "nothing")
    rows.append(row("of those: what did not fit or was lost", lost, "nothing", not figures["lost"]))
    return rows
