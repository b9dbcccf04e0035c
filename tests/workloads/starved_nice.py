"""Plants a loop at nice 19 beside two busy processes on the one CPU that it may use."""

import os
import time

from peer import Peer
from truth import planted, repeat, run

cpu = min(os.sched_getaffinity(0))
peer = Peer("spin-later", cpu, 2)
evidence = {"nr_cpus": os.cpu_count(), "nr_running": (2, 100), "throttled_ns": 0, "quota_ns": None}


def work():
    end_ns = time.thread_time_ns() + 3_000_000
    while time.thread_time_ns() < end_ns:
        pass


async def handler():
    # A slice of it is followed by a second of waiting: around the work as well as in it.
    with planted("starved_nice", "run-queue", rule="host-starved", evidence=evidence, slack_ns=5 * 10**9):
        work()


async def plant():
    os.nice(19)
    peer.order()
    await repeat(2, handler)
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    peer.stop()


os.sched_setaffinity(0, {cpu})  # may sleep until the thread has been moved: not on the loop
run(plant)
peer.close()
