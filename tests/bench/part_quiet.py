"""What the daemon costs while nothing is wrong: a hundred loops that turn ten times a second."""

from __future__ import annotations

import time

from child import target
from daemon import Usage, Watch
from spread import spread
from table import Row, row

LOOPS = 100
MOST_CORES = 0.002
MOST_MIB = 24


def run(is_quick: bool) -> list[Row]:
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
