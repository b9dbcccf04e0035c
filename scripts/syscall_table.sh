#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# Writes the C initialisers "[number] = name" of this architecture's system calls to standard output,
# from the kernel's own header, for user/rules/syscall_name.c.
set -eu

table=$(echo '#include <asm/unistd_64.h>' | "${CC:-cc}" -E -dM - |
	sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9][0-9]*\)$/\2 \1/p' | sort -n)
test -n "$table" || {
	echo "$0: <asm/unistd_64.h> names no system calls" >&2
	exit 1
}
# Newer than Debian 12's header; their numbers are the same on all architectures, and the kernel that runs may have them.
newer='451 cachestat
452 fchmodat2
453 map_shadow_stack
454 futex_wake
455 futex_wait
456 futex_requeue
457 statmount
458 listmount
462 mseal
463 setxattrat
464 getxattrat
465 listxattrat
466 removexattrat'
table=$(printf '%s\n%s\n' "$table" "$newer" | sort -n -u -k 1,1)
echo '/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */'
echo '/* Made by scripts/syscall_table.sh from <asm/unistd_64.h>. */'
echo "$table" | while read -r nr name; do
	printf '[%s] = "%s",\n' "$nr" "$name"
done
