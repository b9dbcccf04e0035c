"""What a service holds on to: memory, descriptors of its three processes, entries of its BPF maps and of its tables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from service import Service, children

# Entries of an array are there from the start, and an LRU map is a cache that is full one day and stays so, in
# memory that it has from the start. Entries of these are taken out by hand.
COUNTED = {"hash", "percpu_hash", "task_storage"}
BPFTOOL = "/usr/sbin/bpftool" if os.path.exists("/usr/sbin/bpftool") else shutil.which("bpftool") or "bpftool"


def bpftool(*arguments: str) -> tuple[list, int]:
    """What it prints, and the process it was."""
    with subprocess.Popen([BPFTOOL, "-j", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        printed = run.stdout.read()
    return json.loads(printed) if run.returncode == 0 and printed.strip() else [], run.pid


def map_ids(pid: int) -> set[int]:
    ids = set()
    for fd in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = dict(line.split(":", 1) for line in fd.read_text().splitlines() if ":" in line)
        except OSError:
            continue  # closed since
        if "map_id" in lines:
            ids.add(int(lines["map_id"]))
    return ids


def _entries(number: int) -> int:
    """Without the one of bpftool, which is new on the host as any other and is looked at while it counts."""
    elements, pid = bpftool("map", "dump", "id", str(number))
    return sum(element.get("formatted", {}).get("key") != pid for element in elements)


def map_entries(pid: int) -> dict[str, int]:
    kinds = {each["id"]: each for each in bpftool("map", "show")[0]}
    return {
        kinds[number]["name"]: _entries(number)
        for number in sorted(map_ids(pid))
        if number in kinds and kinds[number]["type"] in COUNTED
    }


def rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def table_entries(service: Service) -> dict[str, int]:
    lines = (line.split() for line in service.metrics().splitlines() if line.startswith("loophound_table_entries{"))
    return {name.split('"')[1]: int(float(value)) for name, value in lines}


def _figures(service: Service) -> dict:
    processes = {"main": service.pid, **children(service.pid)}
    return {
        "rss_kib": {name: rss_kib(pid) for name, pid in processes.items()},
        "fds": {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in processes.items()},
        "entries": map_entries(service.pid),
        "tables": table_entries(service),
    }


def figures(service: Service) -> dict:
    """Of main, which must live, and of its children: one of these may end while it is looked at, and has a successor."""
    while True:
        try:
            return _figures(service)
        except FileNotFoundError:
            assert service.process.poll() is None, service.dump()
