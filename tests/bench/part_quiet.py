"""What a watch and the service cost while nothing is wrong: a hundred loops that turn ten times a second."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time

from child import target
from daemon import Serve, Usage, Watch
from spread import spread
from table import Row, row

LOOPS = 100
MOST_CORES = 0.002
MOST_MIB = 24
SCRAPE_EVERY_S = 15  # as a Prometheus that nobody told otherwise


def run(is_quick: bool) -> list[Row]:
    return _watch(is_quick) + _serve(is_quick)


def _watch(is_quick: bool) -> list[Row]:
    cores, rss_mib = [], []
    with target("quiet_target.py", LOOPS) as quiet, Watch(quiet.pid).wait_attached() as watch:
        time.sleep(2)
        for _ in range(2 if is_quick else 10):
            usage = Usage(watch)
            time.sleep(2)
            cores.append(usage.cores())
            rss_mib.append(watch.rss_kib() / 1024)
        summary = watch.stop()
    found = len({loop["tid"] for loop in summary["loops"]})
    if found != LOOPS:
        raise RuntimeError(f"{found} loops of {LOOPS} were found")
    share, rss = spread([100 * c for c in cores]), spread(rss_mib)
    return [
        row(f"daemon, {LOOPS} quiet loops: % of a core", share.text("{:.2f}"),
            f"<= {100 * MOST_CORES}", share.median <= 100 * MOST_CORES),
        row(f"daemon, {LOOPS} quiet loops: RSS with its reader, MiB", rss.text("{:.1f}"),
            f"<= {MOST_MIB}", rss.max <= MOST_MIB),
    ]  # fmt: skip


def _cores(serve: Serve, seconds: float, is_scraped: bool) -> float:
    """Of all three processes of the service, over so long; a scrape is at the beginning."""
    usage, end = Usage(serve), time.monotonic() + seconds
    if is_scraped:
        serve.scrape(**{"Accept-Encoding": "gzip"})
    time.sleep(end - time.monotonic())
    return 100 * usage.cores()


def _serve(is_quick: bool) -> list[Row]:
    """Loops in a process each: most of what the service does once a second, it does for each process."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config, contextlib.ExitStack() as stack:
        config.write("targets: [{name: many_target.py}]\n")  # nobody else's
        config.flush()
        stack.enter_context(target("many_target.py", LOOPS, 0, 10))
        serve = stack.enter_context(Serve(config.name))
        known: set[str] = set()
        while len(known) < LOOPS + 1:  # and who started them
            known.update(re.findall(r"process (\d+) .*: ok\b", serve.line()[1]))
        time.sleep(5)
        unseen = spread([_cores(serve, SCRAPE_EVERY_S / 3, False) for _ in range(2 if is_quick else 4)])
        for _ in range(2):  # the second tells how often numbers are wanted
            _cores(serve, SCRAPE_EVERY_S, True)
        scraped = spread([_cores(serve, SCRAPE_EVERY_S, True) for _ in range(1 if is_quick else 3)])
        found = serve.scrape().decode().count("loophound_loop_busy_seconds_total{")
        serve.stop()
    if found < LOOPS:
        raise RuntimeError(f"{found} loops of {LOOPS} were found")
    what = f"service, {LOOPS} quiet processes: % of a core"
    return [
        row(f"{what}, nobody asks", unseen.text("{:.2f}"), f"<= {100 * MOST_CORES}", unseen.median <= 100 * MOST_CORES),
        row(f"{what}, a scrape each {SCRAPE_EVERY_S} s", scraped.text("{:.2f}"),
            f"<= {100 * MOST_CORES}", scraped.median <= 100 * MOST_CORES),
    ]  # fmt: skip
