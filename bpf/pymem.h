/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reads of a target's memory, one name for three worlds: the kernel half; the reader, which defines
 * read_user() before it includes this; and, with BPF_HOST defined, a test that hands out fake memory.
 * A read copies all or fails; in the kernel it never faults a page in.
 */
#ifndef PYMEM_H
#define PYMEM_H

#if defined(read_user)
#elif defined(BPF_HOST)
int host_read_user(void *to, __u32 size, __u64 addr); /* the test's; 0 or not 0 */
#define read_user(to, size, addr) host_read_user(to, size, addr)

static inline long read_user_str(void *to, __u32 size, __u64 addr)
{
	char *text = to;

	for (__u32 i = 0; i < size; i++) {
		if (host_read_user(text + i, 1, addr + i))
			return -14;
		if (!text[i])
			return i + 1;
	}
	text[size - 1] = '\0';
	return size;
}
#else
#define read_user(to, size, addr) bpf_probe_read_user(to, size, (const void *)(addr))
/* Up to the NUL, which is always there then; the bytes with it, or negative. */
#define read_user_str(to, size, addr) bpf_probe_read_user_str(to, size, (const void *)(addr))
#endif

/* The 8 bytes at addr; 0 where they cannot be read, which no field that is followed may hold. */
static __always_inline u64 read_user_u64(u64 addr)
{
	u64 value = 0;

	if (!addr || read_user(&value, sizeof(value), addr))
		return 0;
	return value;
}

#endif
