"""What the machine tells about itself and about processes; where processes run."""

from __future__ import annotations

import glob
import json
import os
import platform
import subprocess
import time

# Two CPUs, so that whoever is measured and whoever makes it busy do not share one.
CPU_MEASURED = min(os.sched_getaffinity(0))
CPU_OTHER = max(os.sched_getaffinity(0))

HOOKING = {"tracing", "tracepoint", "raw_tracepoint", "perf_event", "kprobe"}


def cpu_ns(pid: int) -> int:
    """utime + stime of a process, in nanoseconds instead of the clock ticks of /proc/PID/stat."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path) as file:
                total += int(file.read().split()[0])
        except OSError:
            pass  # the thread ended meanwhile
    return total


def queued_ns(pid: int) -> int:
    """How long the threads of a process have waited for a CPU that others had."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as file:
            total += int(file.read().split()[1])
    return total


def rss_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def stolen_ticks() -> dict[int, int]:
    """By CPU: what the hypervisor gave to others, in hundredths of a second."""
    with open("/proc/stat") as file:
        lines = [line.split() for line in file if line.startswith("cpu") and line[3].isdigit()]
    return {int(words[0][3:]): int(words[8]) for words in lines}


def load_average() -> float:
    return os.getloadavg()[0]


def describe() -> str:
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    kernel = ".".join(platform.release().split(".")[:2])
    python = platform.python_version()
    return f"{os.cpu_count()} CPUs ({model}), kernel {kernel}, CPython {python}"


def _hooking_programs() -> int:
    """BPF programs of the kind that makes somebody's calls dearer."""
    shown = subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, check=True)
    return sum(program.get("type") in HOOKING for program in json.loads(shown.stdout))


class Company:
    """Other people's BPF programs: how long to wait for their end, how often that was in vain."""

    patience_s = 300.0  # in all
    looked = found = 0


def wait_alone() -> None:
    """Before a measurement: until nobody's BPF programs are attached, or patience is at its end."""
    Company.looked += 1
    for _ in range(100):
        if not _hooking_programs():
            return
        if Company.patience_s <= 0:
            break
        time.sleep(0.1)
        Company.patience_s -= 0.1
    Company.found += 1
