#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Runs tests on other kernels, each in a virtual machine without KVM: `check-kernels.sh BUILD NAME...`, names as
# scripts/kernels.sh has them.  BUILD is where loophound was built, and perhaps the programs of tests/bpf/.
#
#   VM_COMMAND  run inside, in a copy of this checkout with what was built, instead of tests/vm/
#   VM_SECONDS  the most that one kernel may take (default 900)
#
# The machine's disk is made of files of this machine's packages and of this checkout; what is written to it is gone
# with it.  Its console is in BUILD/vm/NAME.log.
set -eu
cd "$(dirname "$0")/.."
build=$1
shift
seconds=${VM_SECONDS:-900}
work=$build/vm
# What the tests start; with all that it depends on.
packages='dash coreutils util-linux mount grep sed mawk findutils iproute2 libbpf1 libcap-ng0 libmicrohttpd12 libgnutls30 libseccomp2 libyaml-0-2
libcmocka0 python3 python3-pytest python3-pytest-timeout libpython3.11'

fail()
{
	echo "check-kernels: $*" >&2
	exit 1
}

# shellcheck disable=SC2086 # a list of words
package_files()
{
	apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances $packages | grep '^[a-z0-9]' | sort -u | xargs dpkg -L 2>/dev/null | sort -u |
		grep -vE '^/usr/share/(doc|man|locale|info|lintian|bug)/'
}

make_disk()
{
	root=$work/root
	rm -rf "$root"
	mkdir -p "$root/loophound/build/tests/bpf" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/run"
	# Of a merged /usr packages know the old names.
	for link in bin lib lib64 sbin; do
		mkdir -p "$root/usr/$link"
		ln -s "usr/$link" "$root/$link"
	done
	package_files | while read -r file; do
		[ -d "$file" ] && [ ! -L "$file" ] || echo "$file"
	done | tar -cf - --ignore-failed-read -T - 2>/dev/null | tar -xf - -C "$root" --keep-directory-symlink
	cp /bin/busybox "$root/bin"
	cp -a /etc/alternatives /etc/ld.so.conf /etc/ld.so.conf.d "$root/etc"
	ldconfig -r "$root"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	: >"$root/etc/resolv.conf"
	cp -a tests scripts packaging "$root/loophound"
	cp "$build/loophound" "$root/loophound/build"
	[ ! -d "$build/tests/bpf" ] ||
		find "$build/tests/bpf" -name 'test_*' -perm -100 -exec cp {} "$root/loophound/build/tests/bpf" \;
	command_of >"$root/loophound/command"
	rm -f "$work/disk"
	mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$work/disk" 1G >/dev/null
}

# What is run inside, in /loophound.
command_of()
{
	if [ -n "${VM_COMMAND:-}" ]; then
		echo "$VM_COMMAND"
		return
	fi
	echo 'python3 -m pytest -v --color=no --tb=short -p no:cacheprovider tests/vm'
}

make_initramfs()
{
	kernel=$1 into=$2
	rm -rf "$work/initramfs"
	mkdir -p "$work/initramfs/bin" "$work/initramfs/dev" "$work/initramfs/root"
	cp /bin/busybox "$work/initramfs/bin"
	cp tests/vm/init "$work/initramfs"
	cp -r "$kernel/modules" "$work/initramfs"
	(cd "$work/initramfs" && find . | cpio -o -H newc --quiet) >"$into"
}

# The console's last line tells; without it the machine hung, or its kernel died.
boot()
{
	name=$1 kernel=$2 log=$work/$1.log
	make_initramfs "$kernel" "$work/$name.cpio"
	: >"$log"
	began=$(date +%s)
	# One thread for both CPUs: with two, QEMU 7.2 misses now and then that the kernel patched its code, and both spin at a
	# tracepoint in do_exit() whose bytes are a nop again.
	timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 2 -m 1536 -M q35 \
		-nodefaults -display none -no-reboot -serial "file:$log" \
		-kernel "$kernel/vmlinuz" -initrd "$work/$name.cpio" -append "console=ttyS0 panic=-1 quiet nokaslr" \
		-drive "file=$work/disk,if=none,id=disk,format=raw,snapshot=on" -device virtio-blk-pci,drive=disk \
		</dev/null >"$work/$name.qemu" 2>&1 || echo "check-kernels: $name: $(tail -n 1 "$work/$name.qemu")"
	took="$(($(date +%s) - began)) s"
	verdict=$(tr -d '\r' <"$log" | sed -n 's/^vm: \([0-9]* of .*\)/\1/p')
	case $verdict in
	"0 of "*) echo "PASS $name (${verdict#* of }), $took: $(grep -aoE '[0-9]+ (passed|failed).*[0-9a-z]' "$log" | tr '\n' ';')" ;;
	*)
		echo "FAIL $name (${verdict:-no end within $seconds s}), $took, $log:"
		tr -d '\r' <"$log" | tail -n 60
		return 1
		;;
	esac
}

[ $# -gt 0 ] || fail "usage: $0 BUILD NAME..."
[ "$(uname -m)" = x86_64 ] || fail "for x86-64 only"
folders=$(scripts/kernels.sh "$@")
mkdir -p "$work"
make_disk
failed=0
for folder in $folders; do
	boot "${folder##*/}" "$folder" || failed=1
done
exit $failed
