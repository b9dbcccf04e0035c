"""What --latent adds to a watch: on system calls of others, and to a saturated server."""

from __future__ import annotations

from child import target
from daemon import Watch
from host import wait_alone
from meter import Meter
from program_time import counted, program_ns
from server import Server
from spread import spread
from table import Row, row

MODES = {"getppid": "getppid()", "zero": "read() of /dev/zero"}
OPTIONS: dict[bool, tuple[str, ...]] = {False: (), True: ("--latent",)}


def _syscalls(rounds: int, milliseconds: int) -> list[Row]:
    seen: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    with target("quiet_target.py", 1) as quiet, Meter() as meter:
        for _ in range(rounds):
            for is_latent, measurements in seen.items():
                wait_alone()
                with Watch(quiet.pid, arguments=OPTIONS[is_latent]).wait_attached() as watch:
                    measurements.append({mode: meter.measure(mode, milliseconds) for mode in MODES})
                    watch.stop()
    rows = []
    for mode, what in MODES.items():
        added = spread([with_it[mode] - without[mode] for without, with_it in zip(seen[False], seen[True])])
        without = spread([measurement[mode] for measurement in seen[False]]).median
        rows.append(row(f"{what} of an unrelated process, watched ({without:.0f} ns), --latent: added ns",
                        added.text("{:.0f}")))  # fmt: skip
    return rows


def _slice(server: Server, is_latent: bool, seconds: float) -> tuple:
    """(requests, CPU per request, in units of the machine's speed; share of our programs) of one slice."""
    wait_alone()
    with Watch(server.pid, arguments=OPTIONS[is_latent]).wait_attached() as watch, counted():
        before_ns = program_ns(watch.pid)
        work = server.work(seconds)
        taken_ns = program_ns(watch.pid) - before_ns
        watch.stop()
    return work.requests_per_gauge(), work.cpu_gauges(), taken_ns / work.cpu_ns


def _server(pairs: int, seconds: float) -> list[Row]:
    seen = []
    with Server("asyncio") as server, server.saturated():
        for number in range(pairs):
            order = (False, True) if number % 2 == 0 else (True, False)
            slices = {is_latent: _slice(server, is_latent, seconds) for is_latent in order}
            seen.append((slices[False], slices[True]))
    what = "aiohttp on asyncio, --latent / watched without"
    rate, cpu = (spread([latent[i] / plain[i] for plain, latent in seen]) for i in (0, 1))
    shares = [spread([100 * pair[i][2] for pair in seen]).text("{:.2f}") for i in (0, 1)]
    return [
        row(f"{what}: requests/s", rate.text()),
        row(f"{what}: CPU per request", cpu.text()),
        row("all our BPF programs, % of the server's CPU, without --latent", shares[0]),
        row("all our BPF programs, % of the server's CPU, with --latent", shares[1]),
    ]


def run(is_quick: bool) -> list[Row]:
    return _syscalls(*((3, 50) if is_quick else (15, 200))) + _server(*((4, 0.5) if is_quick else (30, 0.5)))
