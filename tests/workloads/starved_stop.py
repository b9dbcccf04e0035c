"""Plants a stop of the process within a callback: the host's doing, not the code's."""

import time

from peer import Peer
from truth import planted, repeat, run

peer = Peer("stop-parent", 0.12)
CPU_NS = 35_000_000  # below cpu-bound's limit, should the stop never come


def compute_until_stopped():
    """Have this process stopped and spin until the clock has jumped."""
    end_cpu = time.thread_time_ns() + CPU_NS
    seen = time.monotonic_ns()
    peer.order()
    while time.thread_time_ns() < end_cpu:
        now = time.monotonic_ns()
        if now - seen > 60_000_000:
            break
        seen = now


async def handler():
    with planted("starved_stop", "stopped", rule="host-starved", evidence={"stopped_by": "signal"}):
        compute_until_stopped()


async def plant():
    await repeat(3, handler)


run(plant)
