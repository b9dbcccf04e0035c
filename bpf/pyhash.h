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

#define PYBYTES_SIZE 16 /* ob_size of a bytes object; its hash follows, then its bytes at 32 */

/* The head of a line table, a bytes object, from PYBYTES_SIZE on. */
struct py_table_head {
	__u64 size;
	__u64 hash; /* -1 until somebody asks for it: no part of what a table is */
	__u64 start; /* its first bytes; what is behind a shorter table is what is there */
};

/*
 * Tells whether the code object at an address is still the one a frame ran.  Addresses are reused
 * together: exec() of one text after another gives code objects that differ in their line table only.
 */
static inline __attribute__((always_inline)) __u32
py_code_fingerprint(__s32 firstlineno, __u64 filename_addr, __u64 name_addr, __u64 table_addr,
		    const struct py_table_head *table)
{
	__u64 hash = hash_mix((__u32)firstlineno, filename_addr), start = table->start;

	if (table->size < sizeof(start))
		start &= (1ULL << (8 * table->size)) - 1;
	hash = hash_mix(hash, name_addr);
	hash = hash_mix(hash, table_addr);
	hash = hash_mix(hash, table->size);
	hash = hash_mix(hash, start);
	return (__u32)(hash ^ (hash >> 32));
}

#endif
