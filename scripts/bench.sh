#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# What loophound costs, beside its budgets: scripts/bench.sh [--quick] [PART...].  `make bench` comes here.
set -eu

die() {
	echo "bench: $*" >&2
	exit 1
}

cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || die "loading BPF programs needs root: run \`sudo make bench\`"
[ -x build/loophound ] || die "build/loophound is not there: run \`make\`"
command -v bpftool >/dev/null || PATH=$PATH:/usr/sbin
command -v bpftool >/dev/null || die "bpftool is missing: apt-get install bpftool"
/usr/bin/python3 -c 'import aiohttp, uvloop' 2>/dev/null ||
	die "aiohttp or uvloop is missing: apt-get install python3-aiohttp python3-uvloop"
make -s -f tests/bench/Makefile
exec /usr/bin/python3 tests/bench/bench.py "$@"
