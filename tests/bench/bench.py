"""What loophound costs, beside what it may cost: bench.py [--quick] [PART...].

Every measurement with loophound is taken in turn with one without, in the same run.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

import hooks
import part_attach
import part_connections
import part_flood
import part_iteration
import part_latency
import part_latent
import part_quiet
import part_server
import part_stop
import part_storm
import part_syscall
import part_targets
import part_tasks
from host import Company, describe, load_average
from slices import Pieces
from table import render_rows

PARTS = {
    "asyncio": part_server.run_asyncio,
    "uvloop": part_server.run_uvloop,
    "iteration": part_iteration.run,
    "syscall": part_syscall.run,
    "attach": part_attach.run,
    "latency": part_latency.run,
    "quiet": part_quiet.run,
    "flood": part_flood.run,
    "latent": part_latent.run,
    "storm": part_storm.run,
    "targets": part_targets.run,
    "connections": part_connections.run,
    "tasks": part_tasks.run,
    "stop": part_stop.run,
}
HOOKS = "hooks"
HOOKS_HEAD = """
Hot-path alternatives: what each adds, in ns a call or switch (ticks: in us a second), and how often it
runs for a watched thread that spins"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description="Measures what loophound costs.")
    parser.add_argument("--quick", action="store_true", help="about a minute: whether all of it runs")
    parser.add_argument("--seconds", type=float, metavar="N", help="measure each server no longer (default 240)")
    parser.add_argument("--add", type=Path, metavar="FILE", help="go on where this file's slices of the servers end")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join([*PARTS, HOOKS])} (default: all)")
    options = parser.parse_args()
    unknown = set(options.parts) - {*PARTS, HOOKS}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    wanted = options.parts or [*PARTS, HOOKS]

    if options.quick:
        Company.patience_s = 5.0
        Pieces.seconds = 10.0
    if options.seconds is not None:
        Pieces.seconds = options.seconds
    Pieces.file = options.add
    print(f"{describe()}; load average at the start {load_average():.1f}\n", flush=True)
    rows, failed = [], []
    hooks_table = ""
    for name in wanted:
        print(f"  measuring: {name} ...", file=sys.stderr, flush=True)
        try:
            if name == HOOKS:
                hooks_table = hooks.run(options.quick)
            else:
                rows += PARTS[name](options.quick)
        except Exception:
            traceback.print_exc()
            failed.append(name)
    if rows:
        print(render_rows(rows))
    if hooks_table:
        print(HOOKS_HEAD, hooks_table, sep="\n\n")
    if Company.found:
        print(f"\nSomebody else's BPF programs were attached at {Company.found} of {Company.looked} slices.")
    if failed:
        print(f"\nbench: failed to run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
