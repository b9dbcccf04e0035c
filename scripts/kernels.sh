#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Unpacks kernels of Debian's releases, for tests in a virtual machine; nothing is installed.  What is there is kept.
#
#   scripts/kernels.sh NAME...    makes those that are missing (names: below), and prints the folder of each
#
# A folder has vmlinuz and the few modules that a disk and sock_diag need.  They are below
# $LOOPHOUND_CHROOTS/../kernels (default /var/cache/loophound/kernels).
set -eu
# shellcheck source=scripts/suite.sh
. "$(dirname "$0")/suite.sh"

chroots=${LOOPHOUND_CHROOTS:-/var/cache/loophound/chroots}
cache=${chroots%/*}/kernels

# Name, suite, the package that depends on the kernel.
kernels='5.10 bullseye linux-image-amd64
6.1 bookworm linux-image-amd64
6.12 trixie linux-image-amd64
newest sid linux-image-amd64'
# In any order; a kernel that has one built in has no such file.
modules='virtio virtio_ring virtio_pci virtio_pci_modern_dev virtio_pci_legacy_dev virtio_blk
crc16 crc32c_generic libcrc32c crc32c-cryptoapi mbcache jbd2 ext4 inet_diag tcp_diag unix_diag'

fail()
{
	echo "kernels: $*" >&2
	exit 1
}

fetch_packages()
{
	state=$1
	shift
	(cd "$state" && apt_of "$state" download "$@") >"$state/log" 2>&1 || fail "cannot get $*: $(apt_why "$state")"
}

# The kernel is in one package, or its modules are in another: all that are called after a version.
fetch_kernel()
{
	package=$1 state=$2
	apt_of "$state" install -s "$package" >"$state/plan" 2>"$state/log" || fail "$package: $(apt_why "$state")"
	names=$(sed -n 's/^Inst \(linux-\(image\|binary\|modules\)-[0-9][^ ]*\) .*/\1/p' "$state/plan" | grep -v -- '-extra-')
	[ -n "$names" ] || fail "$package: no kernel in what it depends on"
	# shellcheck disable=SC2086 # a list of words
	fetch_packages "$state" $names
}

unpack()
{
	new=$1 state=$2
	mkdir -p "$new/modules" "$state/all"
	for deb in "$state"/linux-*.deb; do
		dpkg-deb -x "$deb" "$state/all"
	done
	cp "$state"/all/boot/vmlinuz-* "$new/vmlinuz" 2>/dev/null || cp "$state"/all/usr/lib/modules/*/vmlinuz "$new/vmlinuz"
	for module in $modules; do
		find "$state/all" -path '*/kernel/*' \( -name "$module.ko" -o -name "$module.ko.*" \) -exec cp {} "$new/modules" \;
	done
	for packed in "$new"/modules/*.xz; do
		[ ! -e "$packed" ] || xz -d "$packed"
	done
}

make_kernel()
{
	name=$1 suite=$2 package=$3
	new=$cache/$name.new state=$cache/$name.apt
	[ -e "$cache/$name/vmlinuz" ] && return
	rm -rf "$new" "$state"
	echo "kernels: $name of $suite, below $cache" >&2
	mirror=$(find_mirror)
	apt_begin "$state" "deb $mirror $suite main" || fail "$suite: $(apt_why "$state")"
	fetch_kernel "$package" "$state"
	unpack "$new" "$state"
	rm -rf "${cache:?}/$name" "$state"
	mv "$new" "$cache/$name"
}

[ $# -gt 0 ] || fail "usage: $0 NAME..."
command -v apt-get >/dev/null || fail "not a Debian system"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
for wanted in "$@"; do
	row=$(echo "$kernels" | awk -v name="$wanted" '$1 == name')
	[ -n "$row" ] || fail "no kernel $wanted: one of $(echo "$kernels" | cut -d ' ' -f 1 | paste -s -d ' ')"
	# shellcheck disable=SC2086 # a list of words
	make_kernel $row
	echo "$cache/$wanted"
done
