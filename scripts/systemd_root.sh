#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Makes a root directory of this machine's release of Debian in which systemd can be process 1, for tests/packaging to
# start.  What is there already is kept; what was interrupted is done anew.  Prints where it is.
#
# It is $LOOPHOUND_CHROOTS/../systemd (default /var/cache/loophound/systemd).  The mirror is the one that apt uses here.
# What loophound's package depends on is fetched and not installed: that is for apt to do, in there, without network.
set -eu

chroots=${LOOPHOUND_CHROOTS:-/var/cache/loophound/chroots}
cache=${chroots%/*}
root=$cache/systemd
inside='systemd systemd-sysv dbus python3'
# The libraries as the image has them: one list, which packaging/container/Containerfile has.
libraries="procps $(sed -n 's/^\tlib/lib/p' "${0%/*}/../packaging/container/Containerfile" | tr -d '\\\n')"

fail()
{
	echo "systemd_root: $*" >&2
	exit 1
}

[ $# = 0 ] || fail "usage: $0"
[ "$(id -u)" = 0 ] || fail "needs root"
command -v debootstrap >/dev/null || fail "no debootstrap: scripts/setup.sh packaging"
# shellcheck source=/dev/null
. /etc/os-release
[ "$ID" = debian ] || fail "for Debian only"
mkdir -p "$cache"
exec 9>"$cache/systemd.lock"
flock 9
if [ "$(cat "$root/.loophound" 2>/dev/null)" != "$VERSION_CODENAME $inside $libraries" ]; then
	# shellcheck disable=SC2016 # apt's own variables
	mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian \([^ ]*\)$/\1/p' | head -n 1)
	[ -n "$mirror" ] || fail "apt knows no mirror of Debian: run apt-get update"
	echo "systemd_root: Debian $VERSION_CODENAME with systemd, below $cache: a minute or two" >&2
	rm -rf "$root.new"
	debootstrap --variant=minbase --include="$(echo "$inside" | tr ' ' ,)" "$VERSION_CODENAME" "$root.new" "$mirror" \
		>"$root.log" 2>&1 || fail "cannot make it: see $root.log"
	rm -f "$root.new"/var/cache/apt/archives/*.deb
	# shellcheck disable=SC2086 # a list of words
	chroot "$root.new" sh -c 'apt-get -q update && exec apt-get -q install -y --no-install-recommends --download-only "$@"' sh \
		$libraries >"$root.log" 2>&1 || fail "cannot fetch libraries: see $root.log"
	echo "$VERSION_CODENAME $inside $libraries" >"$root.new/.loophound"
	rm -rf "$root"
	mv "$root.new" "$root"
	rm "$root.log"
	echo "systemd_root: $(du -sm "$root" | cut -f 1) MB" >&2
fi
echo "$root"
