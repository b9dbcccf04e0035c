#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# The golden recordings: tests/golden/app.py under `loophound watch --record`, once per version of CPython,
# and what `report` says about them.
#   golden.sh refresh   writes the reports anew from the recordings: after a change of what is reported
#   golden.sh record [3.N]...
#                       (root) makes the recordings anew as well, all or those: after a change of the records
# A recording holds no path of the machine that made it: the application is at /srv/app, an interpreter that
# is not the distribution's, or its root directory, at /opt/python3.N, the host is called "host".
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
golden=$here/tests/golden
python=${PYTHON:-/usr/bin/python3}
LOOPHOUND=${LOOPHOUND:-$here/build/loophound}
case $LOOPHOUND in /*) ;; *) LOOPHOUND=$PWD/$LOOPHOUND ;; esac
export LOOPHOUND
dns_address=127.53.254.254

die() {
	echo "golden: $*" >&2
	exit 1
}

refresh() {
	for recording in "$golden"/3.*.rec; do
		[ -e "$recording" ] || die "no recordings: \`scripts/golden.sh record\` makes them"
		"$LOOPHOUND" report "$recording" >"${recording%.rec}.txt"
		"$LOOPHOUND" report "$recording" --format jsonl >"${recording%.rec}.jsonl"
	done
}

# One line for each version of CPython: version, executable, prefix, root; the distribution's own comes first.
interpreters() {
	PYTHONPATH=$here/tests/e2e PYTHONDONTWRITEBYTECODE=1 "$python" -c '
import subprocess
from interpreters import find_interpreters
chosen = {}
for each in sorted(find_interpreters(), key=lambda each: (bool(each.root), not each.path.startswith("/usr/bin/"))):
    chosen.setdefault(each.version[1], each)
for minor, each in sorted(chosen.items()):
    probe = each.command("-c", "import sys; print(sys.base_prefix)")
    print(f"3.{minor}", each.path, subprocess.check_output(probe, text=True).strip(), each.root)'
}

# Runs in namespaces of its own: what is mounted here is gone when it ends.
record_one() {
	version=$1 target=$2 prefix=$3 root=$4 work=$5
	echo host >/proc/sys/kernel/hostname
	printf 'nameserver %s\noptions attempts:1 timeout:1\n' "$dns_address" >"$work/resolv.conf"
	mount --bind "$work/resolv.conf" /etc/resolv.conf
	if [ -n "$root" ] || [ "$prefix" != /usr ]; then
		mkdir "$work/prefix"
		mount --bind "${root:-$prefix}" "$work/prefix"
		mount -t tmpfs tmpfs /opt
		mkdir "/opt/python$version"
		mount --move "$work/prefix" "/opt/python$version"
		[ -n "$root" ] || target=/opt/python$version${target#"$prefix"}
		root=${root:+/opt/python$version}
	fi
	mount -t tmpfs tmpfs /srv
	mkdir /srv/app
	: >/srv/app/app.py
	mount --bind "$golden/app.py" /srv/app/app.py
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/tests/e2e "$python" "$golden/record.py" \
		"$root" "$target" "$work/recording" "$dns_address"
}

record() {
	[ "$(id -u)" = 0 ] || die "recording needs root"
	case $here/ in /opt/* | /srv/*) die "the checkout must not be in /opt or /srv: both are covered" ;; esac
	all=$(mktemp -d)
	trap 'rm -rf "$all"' EXIT
	interpreters | while read -r version target prefix root; do
		case " $* " in *" $version "* | "  ") ;; *) continue ;; esac
		mkdir "$all/$version"
		unshare --mount --uts "$0" record-one "$version" "$target" "$prefix" "$root" "$all/$version"
		install -m 644 "$all/$version/recording" "$golden/$version.rec"
		echo "golden: $version.rec, $(wc -c <"$golden/$version.rec") bytes, from $root$target"
	done
}

case ${1:-} in
refresh) refresh ;;
record) shift && record "$@" && refresh ;;
record-one) shift && record_one "$@" ;;
*) die "usage: $0 refresh|record" ;;
esac
