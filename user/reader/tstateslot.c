/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Linkers know three ways to a thread-local variable (Drepper, "ELF Handling For Thread-Local Storage"):
 * at a constant from the FS base in an executable; by a word of the GOT that holds that constant in a
 * library that is linked to it; by a module and an offset in any library, which __tls_get_addr() looks
 * up in the thread's vector of modules.  The getter's instructions tell which.  In the last case the
 * variable is at a constant from the FS base too, the same in all threads, as long as the library was
 * there when the program began; one that was opened later has it elsewhere in each thread.
 */
#include "tstateslot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util.h"

/*
 * glibc, nptl/descr.h: struct pthread holds specific_1stblock[32] of {seq, data}, 16 bytes each, at
 * 784 from the FS base; the value is the second word.  The same from glibc 2.31 to 2.43, and what
 * libc.so exports for debuggers as _thread_db_pthread_specific leads there too.
 */
#define GLIBC_SPECIFIC	    0x310
#define GLIBC_SPECIFIC_KEYS 32
/*
 * musl, src/internal/pthread_impl.h: struct pthread has a pointer `tsd` to void *[PTHREAD_KEYS_MAX], at 128 from the FS
 * base in 1.2.3.  Looked for around that place, since other versions have more or less before it.
 */
#define MUSL_TSD       128
#define MUSL_TSD_FIRST 96
#define MUSL_TSD_LAST  176
#define MUSL_KEYS      128
/* sysdeps/x86_64/nptl/tls.h: tcbhead_t.dtv, of {value, to free}; the first entry is a count. */
#define GLIBC_DTV	    8
#define DTV_ENTRY_BYTES	    16
#define DTV_MAX_MODULES	    4096

#define GETTER_BYTES	 64
#define MAX_STATIC_BYTES (1 << 20) /* of all thread-local variables below the FS base */

static int read_key(struct mem *mem, uint64_t key_addr, uint32_t nr_keys, uint32_t *key)
{
	struct {
		int32_t is_initialized;
		uint32_t key;
	} tss;
	int err = procmem_read(mem, key_addr - 4, &tss, sizeof(tss));

	if (err)
		return err;
	if (tss.is_initialized == 0)
		return -EAGAIN;
	if (tss.is_initialized != 1 || tss.key >= nr_keys)
		return -EBADMSG;
	*key = tss.key;
	return 0;
}

int tstateslot_of_key(struct mem *mem, uint64_t key_addr, int32_t *slot)
{
	uint32_t key;
	int err = read_key(mem, key_addr, GLIBC_SPECIFIC_KEYS, &key);

	if (!err)
		*slot = (int32_t)(GLIBC_SPECIFIC + 16 * key + 8);
	return err;
}

int tstateslot_of_musl_key(struct mem *mem, uint64_t key_addr, const struct tstateslot_thread *thread,
			   int32_t *slot)
{
	uint64_t words[(MUSL_TSD_LAST - MUSL_TSD_FIRST) / 8 + 1], value, empty = 0;
	uint32_t key;
	int err = read_key(mem, key_addr, MUSL_KEYS, &key);

	if (!err)
		err = procmem_read(mem, thread->fs_base + MUSL_TSD_FIRST, words, sizeof(words));
	if (err)
		return err;
	/* The pointer to the values is the one that leads where the list of threads leads. */
	for (uint32_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!words[i] || words[i] % 8 || procmem_read_u64(mem, words[i] + 8 * key, &value))
			continue;
		if (value == thread->tstate_addr) {
			*slot = (int32_t)((MUSL_TSD_FIRST + 8 * i) << 16 | 8 * key);
			return 0;
		}
		empty |= !value && MUSL_TSD_FIRST + 8 * i == MUSL_TSD;
	}
	return empty ? -EAGAIN : -ENOTSUP;
}

/* The getter's instructions, as far as they were understood. */
struct getter {
	uint8_t bytes[GETTER_BYTES];
	uint64_t addr;
	size_t at;
};

/* Is the next instruction this one?  Steps over it. */
static bool step_over(struct getter *getter, const char *bytes, size_t nr)
{
	if (nr > sizeof(getter->bytes) - getter->at || memcmp(getter->bytes + getter->at, bytes, nr) != 0)
		return false;
	getter->at += nr;
	return true;
}
#define NEXT(getter, bytes) step_over(getter, bytes, sizeof(bytes) - 1)

static int32_t take_number(struct getter *getter)
{
	int32_t number = 0;

	if (sizeof(number) > sizeof(getter->bytes) - getter->at)
		return 0;
	memcpy(&number, getter->bytes + getter->at, sizeof(number));
	getter->at += sizeof(number);
	return number;
}

static int8_t take_byte(struct getter *getter)
{
	return getter->at < sizeof(getter->bytes) ? (int8_t)getter->bytes[getter->at++] : 0;
}

/* The address that a displacement from the instruction pointer, which comes next, leads to. */
static uint64_t take_relative(struct getter *getter)
{
	int32_t displacement = take_number(getter);

	return getter->addr + getter->at + (uint64_t)(int64_t)displacement;
}

/* The place of the pair {module, offset} is at pair_addr; the variable is displacement bytes further. */
static int through_dtv(struct mem *mem, uint64_t pair_addr, int32_t displacement, uint64_t fs_base,
		       int64_t *slot)
{
	uint64_t pair[2], dtv, block;
	int err = procmem_read(mem, pair_addr, pair, sizeof(pair));

	if (err)
		return err;
	if (!pair[0] || pair[0] > DTV_MAX_MODULES)
		return -ENOTSUP;
	err = procmem_read_u64(mem, fs_base + GLIBC_DTV, &dtv);
	if (!err)
		err = procmem_read_u64(mem, dtv + pair[0] * DTV_ENTRY_BYTES, &block);
	if (!err)
		*slot = (int64_t)(block + pair[1] + (uint64_t)(int64_t)displacement - fs_base);
	return err;
}

/* lea PAIR(%rip), %rdi; call __tls_get_addr; mov DISPLACEMENT(%rax), %rax; a frame may be made around it. */
static int decode_call(struct getter *getter, struct mem *mem, uint64_t fs_base, int64_t *slot)
{
	int32_t displacement = 0;
	uint64_t pair_addr;

	NEXT(getter, "\x66");
	if (!NEXT(getter, "\x48\x8d\x3d"))
		return -ENOTSUP;
	pair_addr = take_relative(getter);
	while (NEXT(getter, "\x66"))
		;
	NEXT(getter, "\x48");
	if (!NEXT(getter, "\xe8") && !NEXT(getter, "\xff\x15"))
		return -ENOTSUP;
	take_number(getter);
	if (!NEXT(getter, "\x5d"))
		NEXT(getter, "\x48\x83\xc4\x08");
	if (NEXT(getter, "\x48\x8b\x80")) {
		displacement = take_number(getter);
	} else if (NEXT(getter, "\x48\x8b\x40")) {
		displacement = take_byte(getter);
	} else if (!NEXT(getter, "\x48\x8b\x00")) {
		return -ENOTSUP;
	}
	return through_dtv(mem, pair_addr, displacement, fs_base, slot);
}

static int decode(struct getter *getter, struct mem *mem, uint64_t fs_base, int64_t *slot)
{
	uint64_t got_addr, value = 0;
	int err;

	NEXT(getter, "\xf3\x0f\x1e\xfa"); /* endbr64 */
	if (NEXT(getter, "\x55"))	  /* push %rbp; mov %rsp, %rbp */
		NEXT(getter, "\x48\x89\xe5");
	else
		NEXT(getter, "\x48\x83\xec\x08");
	if (NEXT(getter, "\x64\x48\x8b\x04\x25")) { /* mov %fs:CONSTANT, %rax */
		*slot = take_number(getter);
		return 0;
	}
	if (!NEXT(getter, "\x48\x8b\x05")) /* mov GOT(%rip), %rax; mov %fs:(%rax), %rax */
		return decode_call(getter, mem, fs_base, slot);
	got_addr = take_relative(getter);
	if (!NEXT(getter, "\x64\x48\x8b\x00"))
		return -ENOTSUP;
	err = procmem_read_u64(mem, got_addr, &value);
	*slot = (int64_t)value;
	return err;
}

int tstateslot_of_variable(struct mem *mem, uint64_t getter_addr,
			   const struct tstateslot_thread *thread, int32_t *slot)
{
	struct getter getter = { .addr = getter_addr };
	uint64_t value;
	int64_t found;
	int err;

	if (!getter_addr)
		return -ENOTSUP;
	err = procmem_read(mem, getter_addr, getter.bytes, sizeof(getter.bytes));
	if (!err)
		err = decode(&getter, mem, thread->fs_base, &found);
	if (err)
		return err;
	if (found >= 0 || found < -MAX_STATIC_BYTES)
		return -ENOTSUP;
	/* What was understood is believed if it leads where the list of threads leads. */
	err = procmem_read_u64(mem, thread->fs_base + (uint64_t)found, &value);
	if (err)
		return err;
	if (value != thread->tstate_addr)
		return value ? -ENOTSUP : -EAGAIN;
	*slot = (int32_t)found;
	return 0;
}
