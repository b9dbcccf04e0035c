#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Builds a free-threaded CPython from Debian's source package, for tests: Debian has no binaries of one.  What is there
# already is kept; what was interrupted is done anew.
#
#   scripts/free_threaded.sh            makes what is missing, and prints the interpreter
#   scripts/free_threaded.sh --list     prints it if it is there, makes nothing
#
# It is below $LOOPHOUND_CHROOTS/../free-threaded (default /var/cache/loophound/free-threaded).  The mirror is the one that
# apt uses here.  Nothing outside that folder changes.
set -eu
# shellcheck source=scripts/suite.sh
. "$(dirname "$0")/suite.sh"

chroots=${LOOPHOUND_CHROOTS:-/var/cache/loophound/chroots}
cache=${chroots%/*}/free-threaded
suite=trixie
source=python3.13
name=python3.13t
# Without what no test needs and takes time to build.
options='--disable-gil --disable-test-modules --without-ensurepip --without-doc-strings
py_cv_module__tkinter=n/a py_cv_module__curses=n/a py_cv_module__curses_panel=n/a py_cv_module__dbm=n/a
py_cv_module__gdbm=n/a py_cv_module_readline=n/a py_cv_module__decimal=n/a'

fail()
{
	echo "free_threaded: $*" >&2
	exit 1
}

list()
{
	[ ! -e "$cache/$name/.loophound" ] || echo "$cache/$name/bin/$name"
}

# The source as upstream has released it.
fetch()
{
	state=$1 mirror=$(find_mirror)
	apt_begin "$state" "deb-src $mirror $suite main" || fail "$suite: $(apt_why "$state")"
	(cd "$state" && apt_of "$state" source --download-only "$source") >"$state/log" 2>&1 ||
		fail "cannot get the source of $source: $(apt_why "$state")"
	mkdir -p "$state/source"
	tar -xf "$state/${source}"_*.orig.tar.xz -C "$state/source" --strip-components=1
}

build()
{
	state=$1
	mkdir -p "$state/build"
	cd "$state/build"
	# shellcheck disable=SC2086 # a list of words
	../source/configure -q --prefix="$cache/$name" $options >"$state/log" 2>&1 || fail "cannot configure, see $state/log"
	make -s -j"$(nproc)" >"$state/log" 2>&1 || fail "cannot build, see $state/log"
}

# The little of an installation that it needs to run from there.
install_into()
{
	root=$1 state=$2
	mkdir -p "$root/bin" "$root/lib/$name/lib-dynload"
	cp "$state/build/python" "$root/bin/$name"
	(cd "$state/source/Lib" && tar -cf - --exclude=test --exclude=idlelib --exclude=tkinter --exclude=ensurepip .) |
		tar -xf - -C "$root/lib/$name"
	cp "$state/build/build"/lib.*/*.so "$root/lib/$name/lib-dynload"
	cp "$state/build/build"/lib.*/_sysconfigdata*.py "$root/lib/$name"
}

if [ "${1:-}" = --list ]; then
	list
	exit
fi
[ $# = 0 ] || fail "usage: $0 [--list]"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$cache/$name/.loophound" ]; then
	command -v apt-get >/dev/null || fail "not a Debian system: name a build of your own in LOOPHOUND_PYTHONS"
	echo "free_threaded: building $name below $cache: some minutes" >&2
	state=$cache/$name.build
	rm -rf "$state" "${cache:?}/$name"
	fetch "$state"
	(build "$state")
	install_into "$cache/$name" "$state"
	"$cache/$name/bin/$name" -c 'import asyncio, ssl, ctypes, sqlite3, zlib, sys; assert not sys._is_gil_enabled()' ||
		fail "$name does not run, or lacks modules: scripts/setup.sh free-threaded"
	: >"$cache/$name/.loophound"
	rm -rf "$state"
fi
list
