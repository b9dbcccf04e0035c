"""Plants a freeze of the process's cgroup within a callback, as `docker pause` does; of either version of cgroups."""

import os
import time

from peer import FREEZER, Peer
from truth import planted, repeat, run, sleep, to_thread

freezers = [Peer("freeze-parent", 0.12, version) for version in "12"[not os.path.exists(FREEZER) :]]
CPU_NS = 35_000_000  # below cpu-bound's limit, should the freeze never come


def compute_until_frozen(peer):
    """Have this process frozen and spin until the clock has jumped."""
    end_cpu = time.thread_time_ns() + CPU_NS
    seen = time.monotonic_ns()
    peer.order()
    while time.thread_time_ns() < end_cpu:
        now = time.monotonic_ns()
        if now - seen > 60_000_000:
            break
        seen = now


async def handler():
    for peer in freezers:
        with planted("starved_freeze", "stopped", rule="host-starved", evidence={"stopped_by": "freezer"}):
            compute_until_frozen(peer)
        await sleep(0.05)


async def plant():
    await repeat(2, handler)
    for peer in freezers:
        await to_thread(peer.close)


run(plant)
