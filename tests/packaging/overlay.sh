#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# overlay.sh DIR COMMAND...: runs it as root of a copy of this machine's files that is gone afterwards, without network.
# DIR is /mnt inside.  No systemd runs there.
set -eu
dir=$1
shift

if [ "${OVERLAY_STAGE:-}" != inside ]; then
	OVERLAY_STAGE=inside exec unshare --mount --net --propagation private "$0" "$dir" "$@"
fi
mount --bind "$dir" "$dir"
mount -t tmpfs -o mode=755 overlay /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
mount -t tmpfs -o mode=755 run /mnt/root/run
mount -t proc proc /mnt/root/proc
mount --rbind /dev /mnt/root/dev
mount --bind "$dir" /mnt/root/mnt
exec chroot /mnt/root env DEBIAN_FRONTEND=noninteractive "$@"
