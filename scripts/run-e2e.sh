#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Runs the end-to-end tests: `run-e2e.sh DIRECTORY [OPTION OF PYTEST ...]`.  With options, as pytest does.  Without, in
# two streams, since most of them wait for what a program does, and then alone what looks at the whole host or takes its CPUs.
#
# They compare what happened on a real kernel with what a program says by its own clocks; a host that takes the
# CPU away in between makes one of a thousand disagree.  So what fails is run once more, alone, and said;
# more than E2E_AGAIN of them, or one that fails twice, is a failure.
set -u

python=${PYTHON:-/usr/bin/python3}
most=${E2E_AGAIN:-15}
tests=$1
shift
work=$(mktemp -d)
stream=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$stream" ] || kill "$stream"; exit 130' INT TERM

# run NAME TEST...: what failed is kept below $work/NAME; that pytest could not run the tests is final.
run() {
	name=$1
	shift
	"$python" -m pytest -q -o cache_dir="$work/$name" "$@"
	code=$?
	# 1 and nothing failed: it was skipped, which is as bad (conftest.py).
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
		wait "$stream"
		stream=
		cat "$work/log"
		run alone $alone
	}
fi
[ ! -e "$work/broken" ] || exit "$(cat "$work/broken")"
exec "$python" - "$most" "$work" <<'EOF'
import glob, json, shutil, subprocess, sys

most, work = int(sys.argv[1]), sys.argv[2]
failed = [test for path in sorted(glob.glob(f"{work}/*/v/cache/lastfailed")) for test in json.load(open(path))]
shutil.rmtree(work)
if len(failed) > most:
    sys.exit(f"run-e2e: {len(failed)} failed, more than {most}")
if failed:
    print(f"run-e2e: {len(failed)} failed; each is run once more, alone:", *failed, sep="\nrun-e2e:   again ", flush=True)
    sys.exit(subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *failed]).returncode)
EOF
