#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# boot.sh DIR ROOT UNIT: a systemd and a journald of their own over the files of ROOT, for UNIT.
# DIR/upper holds what is on top of the files, DIR/shared is /run/machine inside, DIR/root has to be there, empty.
# Mounts, cgroups and IPC are in namespaces of their own and /proc/sys cannot be written.  It ends when its cgroup, whose
# name is the first line of the output, is killed.
# ROOT /: this machine's files and processes.  So systemd is not process 1 but a user's manager, of root, which confines a
# service by the same code; UNIT is in DIR/upper/etc/systemd/user.
# Another ROOT (scripts/systemd_root.sh): a container.  systemd is its process 1; it has no network but its own loopback.
set -eu
dir=$1 lower=$2 unit=$3
more=
[ "$lower" = / ] || more='--pid --fork --kill-child --net --uts'

case ${BOOT_STAGE:-} in
"") # a cgroup of its own, which is the root of what is inside
	export BOOT_STAGE=cgroup BOOT_CGROUP="loophound-boot-$$"
	exec unshare --mount --propagation private "$0" "$@"
	;;
cgroup)
	mount -t cgroup2 cgroup2 /mnt
	mkdir "/mnt/$BOOT_CGROUP"
	echo $$ >"/mnt/$BOOT_CGROUP/cgroup.procs"
	umount /mnt
	echo "$BOOT_CGROUP"
	export BOOT_STAGE=inside
	# shellcheck disable=SC2086 # a list of words
	exec unshare --mount --ipc --cgroup --propagation private $more "$0" "$@"
	;;
esac

root=$dir/root
mount -t tmpfs -o mode=755 boot /mnt # an overlay takes its upper half from there
mkdir /mnt/upper /mnt/work
cp -a "$dir/upper/." /mnt/upper/
mount -t overlay -o "lowerdir=$lower,upperdir=/mnt/upper,workdir=/mnt/work" overlay "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tracefs -o ro tracefs "$root/sys/kernel/tracing" || :
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
	touch "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm" "$root/dev/pts" "$root/run/machine"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount --bind "$dir/shared" "$root/run/machine"
cd "$root"
pivot_root . mnt
umount -l /mnt
path=/usr/sbin:/usr/bin:/sbin:/bin
if [ "$lower" != / ]; then
	ln -s null /dev/console
	exec env -i container=loophound PATH=$path /lib/systemd/systemd --unit="$unit" --log-target=journal --show-status=no </dev/null
fi
mkdir -p /run/systemd/journal /run/systemd/system /run/user/0 /run/systemd/inaccessible/dir
touch /run/systemd/inaccessible/reg # what process 1 makes: laid over what a service must not see
mkfifo /run/systemd/inaccessible/fifo
mknod /run/systemd/inaccessible/chr c 0 0
mknod /run/systemd/inaccessible/blk b 0 0
chmod 0 /run/systemd/inaccessible/*
/lib/systemd/systemd-journald &
umask 0 # process 1 has that: who is not root can write to the socket that READY=1 goes to
exec env -i XDG_RUNTIME_DIR=/run/user/0 HOME=/root PATH=$path \
	/lib/systemd/systemd --user --unit="$unit" --log-target=journal </dev/null
