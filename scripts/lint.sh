#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# House rules as a script: a rule that matters is checked.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
complain() { echo "lint: $1"; failed=1; }

c_files=$(git ls-files --cached --others --exclude-standard '*.c' '*.h')
for file in $c_files; do
	case $file in tests/*fixtures*) continue ;; esac
	head -n 1 "$file" | grep -q 'SPDX-License-Identifier' || complain "$file: no SPDX line first"
	lines=$(wc -l <"$file")
	[ "$lines" -le 450 ] || complain "$file: $lines lines, more than 450: it has a second job"
	long=$(expand -t 8 "$file" | awk 'length($0) > 120 { print NR; exit }')
	[ -z "$long" ] || complain "$file:$long: longer than 120 columns"
	case $file in tests/*) continue ;; esac
	awk -v file="$file" '
		/^[a-z_].*\(.*[^;]$/ { start = NR; name = $0 }
		/^}/ { if (start && NR - start > 75) { print file ":" start ": a function of " NR - start " lines"; bad = 1 } start = 0 }
		END { exit bad }' "$file" || failed=1
done

grep -rnE '^[[:space:]]+goto ' user && complain "goto in user code: use cleanup attributes"
grep -rln 'fprintf(stderr' user --include='*.[ch]' | grep -v user/base/log.c && complain "messages go through base/log.h"
grep -rln 'probes.skel.h' user | grep -v user/probe/probes.c && complain "only probe/probes.c knows the skeleton"
grep -rnE 'uretprobe|PTRACE_(ATTACH|SEIZE)' bpf user && complain "never on a target"

# A stage never includes the header of a later one.
order='base stream model rules report reader probe target serve cli'
seen=
for stage in $order; do
	seen="$seen $stage"
	for file in user/"$stage"/*.[ch]; do
		[ -e "$file" ] || continue
		for header in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$file"); do
			found=$(ls user/*/"$header" 2>/dev/null | head -n 1)
			[ -n "$found" ] || continue
			of=$(basename "$(dirname "$found")")
			case " $seen " in *" $of "*) ;; *) complain "$file: includes $header of the later stage $of" ;; esac
		done
	done
done

scripts=$(git ls-files --cached --others --exclude-standard '*.sh' .ci/run)
# shellcheck disable=SC2086 # a list of files
command -v shellcheck >/dev/null && { shellcheck -S warning $scripts || failed=1; }
[ $failed = 0 ] && echo "lint: clean"
exit $failed
