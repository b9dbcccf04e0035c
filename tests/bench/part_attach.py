"""How soon a watch sees: from its start to the first iteration that it counts.

The target sleeps 15 ms in each iteration, so the first breach follows the first whole iteration by
nothing, and bounds its time from above.
"""

from __future__ import annotations

from child import target
from daemon import Watch
from spread import spread
from table import Row, row

STALL_MS = 15
MOST_MS = 300
LINES = {"session": {}, "target": {"status": "ok"}, "breach": {"ongoing": False}}


def run(is_quick: bool) -> list[Row]:
    seen: dict[str, list[float]] = {kind: [] for kind in LINES}
    with target("stall_target.py", STALL_MS, 0) as stalls:
        for _ in range(3 if is_quick else 15):
            with Watch(stalls.pid, arguments=("--limit", "blocking-call=10")) as watch:
                for kind, members in LINES.items():
                    arrived_ns, _ = watch.expect(kind, **members)
                    seen[kind].append((arrived_ns - watch.spawned_ns) / 1e6)
                watch.stop()
        stalls.process.terminate()
    session, stacks, breach = (spread(times) for times in seen.values())
    return [
        row("attach: exec to the session line, ms", f"{session.text('{:.0f}')}, max {session.max:.0f}"),
        row("attach: exec to readable stacks, ms", f"{stacks.text('{:.0f}')}, max {stacks.max:.0f}"),
        row(f"attach: exec to the first breach of a loop stalling {STALL_MS} ms, ms",
            f"{breach.text('{:.0f}')}, max {breach.max:.0f}", f"<= {MOST_MS}", breach.max <= MOST_MS),
    ]  # fmt: skip
