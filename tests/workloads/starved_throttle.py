"""Plants a CPU quota that runs out within a callback; the test puts the process in such a cgroup.

32 ms of work stay below cpu-bound's limit, but need more than three periods' quota of 10 ms in 100 ms.
Between the stalls the loop idles for so long that nothing else is throttled.
"""

import time
from pathlib import Path

from truth import planted, run, sleep

MILLISECOND = 1_000_000


def cpu_cgroup():
    """Name of this process's cgroup in the hierarchy that has the CPU controller, and its folder."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, controllers, name in lines:
        if "cpu" in controllers.split(","):
            return name, Path("/sys/fs/cgroup/cpu" + name)
    name = next(name for number, _, name in lines if number == "0")
    return name, Path("/sys/fs/cgroup" + name)


def throttled_ns(folder):
    stat = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
    return int(stat["throttled_time"]) if "throttled_time" in stat else int(stat["throttled_usec"]) * 1000


def work():
    end_ns = time.thread_time_ns() + 32 * MILLISECOND
    while time.thread_time_ns() < end_ns:
        pass


async def handler():
    name, folder = cpu_cgroup()
    evidence = {"cgroup": name, "quota_ns": 10 * MILLISECOND, "period_ns": 100 * MILLISECOND}
    before = throttled_ns(folder)
    with planted("starved_throttle", "throttled", rule="host-starved", evidence=evidence):
        work()
        lost = throttled_ns(folder) - before
        # Looked at from outside, it begins a little earlier and ends a little later.
        evidence["throttled_ns"] = lost - 5 * MILLISECOND, lost + 150 * MILLISECOND
        evidence["nr_throttled"] = 2, 6


async def plant():
    for _ in range(3):
        await sleep(0.25)
        await handler()
    await sleep(0.25)


run(plant)
