"""Leaves the service on while a host lives fast: does it hold on to anything?

Programs come and go, are scraped, killed and forked by the hundred; the configuration is read again; the reader and the
web process are killed, but in the first third only, or nothing that they hold on to would show.  Memory, descriptors and
entries of BPF maps and of the daemon's tables are read off between two rounds, and the last third is compared with the first.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from growth import figures  # noqa: E402
from interpreters import find_interpreters  # noqa: E402
from process import PATIENCE, poll  # noqa: E402
from service import Service, children  # noqa: E402
from workload import Workload  # noqa: E402

CHURN = ("time_sleep", "two_sites", "two_loops", "task_names", "cpu_python", "gc_explicit")
# More than this is growth. Others' processes on the host are targets as well: some slack is theirs.
MOST_RSS_KIB, MOST_FDS, MOST_ENTRIES = 8 * 1024, 24, 96
STORM_FORKS = 1500
FIRST_STORM_FORKS = 30_000  # a minute of 500 a second
# Who was forked in a storm of the last ten seconds is still there; and names of tasks are a cache without owners.
MOST_OF_TABLE = {"targets": STORM_FORKS, "tasks": 8192}
STORM_EVERY = 6  # rounds
PER_SECOND = 500  # forks of a storm


def run_programs(service: Service, interpreters, rng: random.Random) -> None:
    programs = [Workload(rng.choice(CHURN), rng.choice(interpreters)) for _ in range(4)]
    for program in programs:
        program.wait_ready()
        program.go()
    rng.choice(programs).process.kill()  # one of them in the middle of it
    for program in programs:
        while program.process.poll() is None and not any('"done"' in line for line in program.out.lines):
            service.ask(rng.choice(("/metrics", "/api/v1/breaches", "/api/v1/loops", "/", "/-/ready")))
            time.sleep(0.05)  # a scrape takes its time
        program.__exit__()


def run_throng(interpreter, what: str, number: int) -> None:
    with Workload("throng", interpreter, what, str(number)) as throng:
        throng.wait_ready()
        throng.go()
        throng.expect("its done line", lambda line: '"done"' in line, PATIENCE + number / PER_SECOND)


def disturb(service: Service, number: int, may_kill: bool) -> str:
    if number % 3 == 0:
        service.send(signal.SIGHUP)
        return "reload"
    if not may_kill:
        return "nothing"
    name = ("loophound-web", "loophound-reader")[number % 3 - 1]
    victim = children(service.pid).get(name)
    if victim:
        os.kill(victim, signal.SIGKILL)
    poll("its successor", lambda: children(service.pid).get(name) not in (None, victim))
    return f"kill {name}"


def alive(service: Service) -> bool:
    try:
        return service.ask("/-/ready").status == 200
    except OSError:
        return False


def say(at_s: float, round_number: int, what: str, seen: dict) -> None:
    rss, fds = seen["rss_kib"], seen["fds"]
    print(
        f"{at_s:6.0f} s  round {round_number:3}  main {rss['main']} KiB, reader {rss.get('loophound-reader', 0)} KiB, "
        f"web {rss.get('loophound-web', 0)} KiB; descriptors {fds['main']}; "
        f"map entries {sum(seen['entries'].values())}; tables {' '.join(f'{k} {v}' for k, v in seen['tables'].items())}; {what}",
        flush=True,
    )


def growth(seen: list[dict]) -> list[str]:
    """What is more in most rounds of the last third than in most of the first."""
    third, found = max(1, len(seen) // 3), []
    thirds = (seen[:third], seen[third:-third] or seen[-third:], seen[-third:])

    def compare(what: str, value, most: int) -> None:
        values = [sorted(map(value, part)) for part in thirds]
        middles = [int(statistics.median(part)) for part in values]
        print(f"{what}: " + ", ".join(f"{mid} [{part[0]} .. {part[-1]}]" for mid, part in zip(middles, values)))
        if middles[-1] > middles[0] + most:
            found.append(f"{what} grew from {middles[0]} to {middles[-1]}")

    for name in ("main", "loophound-reader", "loophound-web"):
        compare(f"memory of {name}, KiB", lambda each: each["rss_kib"].get(name, 0), MOST_RSS_KIB)
        compare(f"descriptors of {name}", lambda each: each["fds"].get(name, 0), MOST_FDS)
    for name in seen[0]["entries"]:
        compare(f"entries of map {name}", lambda each: each["entries"].get(name, 0), MOST_ENTRIES)
    for name in seen[0]["tables"]:
        compare(f"entries of table {name}", lambda each: each["tables"].get(name, 0), MOST_OF_TABLE.get(name, MOST_ENTRIES))
    return found


def soak(seconds: float, seed: int) -> int:
    rng, interpreters = random.Random(seed), find_interpreters()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "c.yaml"
        config.write_text(f"breaches: {{to: file, file: {folder}/b.jsonl, max_bytes: 65536, keep: 2}}\n")
        with Service("-c", str(config)) as service:
            service.wait_serving()
            begin, seen, number = time.monotonic(), [], 0
            while time.monotonic() - begin < seconds:
                number += 1
                run_programs(service, interpreters, rng)
                if number % STORM_EVERY == 1:
                    run_throng(rng.choice(interpreters), "forks", STORM_FORKS if seen else FIRST_STORM_FORKS)
                    run_throng(rng.choice(interpreters), "loops", 200)
                what = disturb(service, number, time.monotonic() - begin < seconds / 3)
                poll("the service to answer", lambda: alive(service))
                seen.append(figures(service))
                say(time.monotonic() - begin, number, what, seen[-1])
            found = growth(seen)
            print("\n".join(line for line in service.metrics().splitlines() if "dropped_total{" in line or "restarts_total" in line))
            service.process.terminate()
            code = service.wait()
    if code:
        found.append(f"it ended with {code}")
    print("FAIL: " + "; ".join(found) if found else f"flat over {number} rounds, seed {seed}")
    return bool(found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    sys.exit(soak(arguments.seconds, arguments.seed))
