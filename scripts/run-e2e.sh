#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Runs the end-to-end tests.  They compare what happened on a real kernel with what a program says by its own clocks; a
# host that takes the CPU away in between makes one of a thousand disagree.  So what fails is run once more, alone,
# and said; more than E2E_AGAIN of them, or one that fails twice, is a failure.
set -u

python=${PYTHON:-/usr/bin/python3}
most=${E2E_AGAIN:-15}
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT

"$python" -m pytest -q -o cache_dir="$cache" "$@"
code=$?
[ $code = 1 ] || exit $code
failed=$("$python" -c 'import json, sys; print(len(json.load(open(sys.argv[1]))))' "$cache/v/cache/lastfailed" 2>/dev/null || echo 0)
if [ "$failed" = 0 ] || [ "$failed" -gt "$most" ]; then
	exit 1
fi
echo "run-e2e: $failed failed; each is run once more, alone:"
"$python" - "$cache/v/cache/lastfailed" <<'EOF'
import json, sys
for test in json.load(open(sys.argv[1])):
    print("run-e2e:   again", test)
EOF
"$python" -m pytest -q -o cache_dir="$cache" --last-failed --last-failed-no-failures none "$@"
