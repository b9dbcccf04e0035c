/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Hashes that the kernel half and the reader must compute alike. */
#ifndef PYHASH_H
#define PYHASH_H

/* One round of splitmix64's finaliser: cheap, no multiply wider than 64 bits, good avalanche. */
static inline __attribute__((always_inline)) __u64 hash_mix(__u64 hash, __u64 value)
{
	hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6);
	hash ^= hash >> 30;
	hash *= 0xbf58476d1ce4e5b9ULL;
	hash ^= hash >> 27;
	return hash;
}

/*
 * Tells whether the code object at an address is still the one a frame ran: two code objects that
 * follow each other at one address share it only if they share these pointers and the first line.
 */
static inline __attribute__((always_inline)) __u32
py_code_fingerprint(__s32 firstlineno, __u64 filename_addr, __u64 name_addr, __u64 table_addr)
{
	__u64 hash = hash_mix((__u32)firstlineno, filename_addr);

	hash = hash_mix(hash, name_addr);
	hash = hash_mix(hash, table_addr);
	return (__u32)(hash ^ (hash >> 32));
}

#define PY_CO_OPTIMIZED 0x1 /* a function; the bodies of modules and classes, and what exec() runs, are not */
#define PY_TABLE_WORDS	8   /* of a line table, that are a part of the fingerprint below */

/*
 * What is no function runs once and is freed, and the next one may get all of its addresses: the
 * length of its line table and what it begins with (rest zero), and the end of its file's name, tell
 * them apart.
 */
static inline __attribute__((always_inline)) __u32
py_passing_fingerprint(__u32 fingerprint, __u64 table_bytes, const __u64 head[PY_TABLE_WORDS],
		       __u64 name_end)
{
	__u64 hash = hash_mix(hash_mix(fingerprint, table_bytes), name_end);
	int i;

	for (i = 0; i < PY_TABLE_WORDS; i++)
		hash = hash_mix(hash, head[i]);
	return (__u32)(hash ^ (hash >> 32));
}

#define PYSTR_LENGTH_AT 16 /* PyASCIIObject.length and .state, 3.9 to 3.15; free-threaded: see object_shift */
#define PYSTR_STATE_AT	32

/* Where the last eight bytes of a str of length bytes begin, if it is ASCII; else somewhere in it or behind. */
static inline __attribute__((always_inline)) __u64 py_name_end_addr(__u64 str_addr, __u64 data, __u64 length)
{
	return str_addr + data + (length > 8 ? length - 8 : 0);
}

#endif
