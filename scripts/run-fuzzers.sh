#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Runs each fuzz target for the given number of seconds, two on each CPU and one more (nine in two rounds on two CPUs), on a
# corpus of its own, thrown away afterwards.
set -eu

if [ "$1" != --one ]; then
	seconds=$1
	shift
	printf '%s\n' "$@" | xargs -P $((2 * $(nproc) + 1)) -n 1 "$0" --one "$seconds"
	exit
fi

seconds=$2 fuzzer=$3
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
seeds=tests/fuzz/corpus/$(basename "$fuzzer")
[ ! -d "$seeds" ] || cp "$seeds"/* "$corpus"
if ! "$fuzzer" -max_total_time="$seconds" -rss_limit_mb=1024 -artifact_prefix="$fuzzer-" "$corpus" \
	>"$fuzzer.log" 2>&1; then
	tail -n 30 "$fuzzer.log"
	echo "FAIL $fuzzer: the input is kept beside it"
	exit 255 # xargs begins no other
fi
echo "$(basename "$fuzzer"): $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$fuzzer.log")s"
