#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Runs the end-to-end tests: `run-e2e.sh DIRECTORY [OPTION OF PYTEST ...]`.  With options, as pytest does.  Without, in
# two streams, since most of them wait for what a program does, and then alone what looks at the whole host or takes its CPUs.
#
# They compare what happened on a real kernel with what a program says by its own clocks; a host that takes the
# CPU away in between makes one of a thousand disagree.  So what fails is run once more, alone, and said;
# more than E2E_AGAIN of them, or one that does not pass then, is a failure.
set -u

python=${PYTHON:-/usr/bin/python3}
most=${E2E_AGAIN:-15}
tests=$1
shift
work=$(mktemp -d)
stream=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$stream" ] || kill "$stream"; exit 130' INT TERM

# run NAME TEST...: what failed is kept below $work/NAME; that pytest could not run the tests, or skipped one, is final.
run() {
	name=$1
	shift
	"$python" -m pytest -q -o cache_dir="$work/$name" "$@"
	code=$?
	[ $code = 0 ] || { [ $code = 1 ] && [ -s "$work/$name/v/cache/lastfailed" ]; } || echo $code >"$work/broken"
}

if [ $# -gt 0 ]; then
	run all "$tests" "$@"
else
	beside='' alone='' rest=''
	for file in "$tests"/test_*.py; do
		case ${file##*/} in
		test_workloads.py | test_latent.py | test_loops.py | test_other_loops.py | test_task_counts.py | test_versions.py) beside="$beside $file" ;;
		test_busy_machine.py | test_serve*.py | test_harmless.py | test_processes.py | test_coverage.py) alone="$alone $file" ;;
		*) rest="$rest $file" ;;
		esac
	done
	# shellcheck disable=SC2086 # file names of ours, without blanks
	{
		run beside $beside >"$work/log" 2>&1 &
		stream=$!
		run rest $rest
		wait "$stream" || echo $? >"$work/broken"
		stream=
		cat "$work/log"
		run alone $alone
	}
fi
if [ -e "$work/broken" ]; then
	code=$(cat "$work/broken")
	printf '\nrun-e2e: a run of pytest ended with %s, see above: nothing is run again\n' "$code"
	exit "$code"
fi
exec "$python" - "$most" "$work" <<'EOF'
import glob, json, shutil, sys

import pytest

most, work = int(sys.argv[1]), sys.argv[2]
failed = [test for path in sorted(glob.glob(f"{work}/*/v/cache/lastfailed")) for test in json.load(open(path))]
shutil.rmtree(work)


def listed(word, tests):
    return "".join(f"\nrun-e2e:   {word} {test}" for test in tests)


class Passed:
    """Which tests have, in all their parts."""

    def __init__(self):
        self.passed, self.others = set(), set()

    def pytest_runtest_logreport(self, report):
        (self.passed if report.passed else self.others).add(report.nodeid)


# One that fails and whose teardown fails too counts twice in pytest's last line, and once here.
if len(failed) > most:
    sys.exit(f"run-e2e: {len(failed)} tests failed, more than {most}:{listed('failed', failed)}")
if failed:
    print(f"run-e2e: {len(failed)} tests failed; each is run once more, alone:{listed('again', failed)}", flush=True)
    second = Passed()
    code = pytest.main(["-q", "-p", "no:cacheprovider", *failed], plugins=[second])
    bad = [test for test in failed if test not in second.passed - second.others]
    print(f"run-e2e: {len(failed) - len(bad)} of {len(failed)} passed alone{listed('not', bad)}", flush=True)
    sys.exit(code or bool(bad))
EOF
