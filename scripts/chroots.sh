#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Unpacks Debian's builds of the CPythons that this machine's release does not have, into root directories for tests to
# chroot into.  What is there already is kept; what was interrupted is done anew.
#
#   scripts/chroots.sh            makes those that are missing, and prints the interpreters: ROOT:/usr/bin/python3.N
#   scripts/chroots.sh --list     prints those that are there, makes nothing
#
# They are below $LOOPHOUND_CHROOTS (default /var/cache/loophound/chroots).  The mirror is the one that apt uses here.
# Packages are only unpacked: no script of theirs is run, nothing outside that folder changes.
set -eu
# shellcheck source=scripts/suite.sh
. "$(dirname "$0")/suite.sh"

cache=${LOOPHOUND_CHROOTS:-/var/cache/loophound/chroots}

# Folder, suites that are tried in this order, interpreters, what else goes in: what workloads start.  The newest
# versions must be had, or this fails: tests would vanish unnoticed.  The older ones are wanted for their USDT probes
# and may be gone from the mirror with their suite: that is said, and the rest goes on.
roots='newest:sid testing:python3.14 python3.15:libpython3.15 python3-uvloop python3-trio python3-anyio python3-twisted python3-gevent dash coreutils libc-bin
3.13:trixie:python3.13:python3-uvloop python3-trio python3-anyio python3-twisted python3-gevent dash coreutils libc-bin
3.9:bullseye:python3.9:python3-gevent dash coreutils libc-bin'
must='newest'
loops='anyio anyio._backends._trio twisted.internet.reactor twisted.internet.threads gevent gevent.subprocess uvloop'

fail()
{
	echo "chroots: $*" >&2
	exit 1
}

list()
{
	for root in "$cache"/*/; do
		[ -e "$root/.loophound" ] || continue
		for python in "$root"usr/bin/python3.*; do
			case ${python##*/} in
			python3.*[!0-9]*) ;;
			*) echo "${root%/}:/usr/bin/${python##*/}" ;;
			esac
		done
	done
}

# Fetches what is missing of the packages and all that they depend on; says why it cannot.
fetch()
{
	suite=$1 packages=$2 state=$3
	if ! apt_begin "$state" "deb $mirror $suite main"; then
		echo "chroots: $suite: the mirror does not have it, or is not reached: $(apt_why "$state")" >&2
		return 1
	fi
	# shellcheck disable=SC2086 # a list of words
	if ! apt_of "$state" install -y --download-only base-files $packages >"$state/log" 2>&1; then
		echo "chroots: $suite: cannot get $packages: $(apt_why "$state")" >&2
		return 1
	fi
}

unpack()
{
	root=$1 state=$2
	mkdir -p "$root"
	# base-files has the links of a merged /usr, which must be there before what goes through them.
	for deb in "$state"/cache/archives/base-files_*.deb "$state"/cache/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -x --keep-directory-symlink ||
			fail "cannot unpack $deb"
	done
	mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run" "$root/etc"
	[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
	: >"$root/etc/resolv.conf"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
}

# One of the suites will do.
make_root()
{
	name=$1 suites=$2 pythons=$3 others=$4
	new=$cache/$name.new state=$cache/$name.apt
	[ "$(cat "$cache/$name/.loophound" 2>/dev/null)" = "$pythons $others" ] && return
	[ "$(uname -m)" = x86_64 ] || fail "for x86-64 only"
	mirror=$(find_mirror)
	for suite in $suites; do
		echo "chroots: $pythons of Debian $suite, below $cache" >&2
		# What was fetched before an interruption is not fetched again.
		fetch "$suite" "$pythons $others" "$state" && break
		suite=
	done
	[ -n "$suite" ] || return 1
	fetched=$(du -smc "$state/lists" "$state/cache/archives" | tail -n 1 | cut -f 1)
	rm -rf "$new"
	unpack "$new" "$state"
	for python in $pythons; do
		chroot "$new" "/usr/bin/$python" -c 'import asyncio, ssl' || fail "$suite: $python does not run"
		for loop in $loops; do # and its bytecode is kept; not every package is made for each of them
			chroot "$new" "/usr/bin/$python" -c "import $loop" 2>/dev/null || :
		done
	done
	echo "$pythons $others" >"$new/.loophound"
	rm -rf "${cache:?}/$name"
	mv "$new" "$cache/$name"
	rm -rf "$state"
	echo "chroots: fetched $fetched MB, unpacked $(du -sm "$cache/$name" | cut -f 1) MB" >&2
}

if [ "${1:-}" = --list ]; then
	list
	exit
fi
[ $# = 0 ] || fail "usage: $0 [--list]"
command -v apt-get >/dev/null || fail "not a Debian system: set LOOPHOUND_PYTHONS to interpreters of your own"
[ "$(id -u)" = 0 ] || fail "needs root"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
while IFS=: read -r name suites pythons others; do
	make_root "$name" "$suites" "$pythons" "$others" && continue
	[ "$name" != "$must" ] || fail "tests need $pythons: mend the mirror, or name its suite in $0"
	echo "chroots: going on without $pythons" >&2
done <<END
$roots
END
list
