#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Runs test programs one after the other; 77 is a skip, which is a failure for root on a host with BTF.
set -u

passed=0 failed=0 skipped=0
for test in "$@"; do
	"$test" >"$test.log" 2>&1
	code=$?
	if [ $code = 0 ]; then
		passed=$((passed + 1))
	elif [ $code = 77 ]; then
		skipped=$((skipped + 1))
		echo "SKIP $test: $(tail -n 1 "$test.log")"
	else
		failed=$((failed + 1))
		echo "FAIL $test (exit $code)"
		grep -vE '^\[ +(RUN|OK) ' "$test.log" | tail -n 40
	fi
done
if [ $skipped -gt 0 ] && [ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ]; then
	failed=$((failed + skipped))
	echo "a skip is a failure here: root, and BTF is there"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
