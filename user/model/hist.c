/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The histogram of iteration lengths: HIST_SUB linear buckets per power of two, as the kernel half
 * fills them.  Pure arithmetic.
 */
#include "model.h"

#define SUB_LOG2 2
_Static_assert(HIST_SUB == 1 << SUB_LOG2, "parts of a power of two");

unsigned hist_bucket(uint64_t length_ns)
{
	uint64_t units = length_ns >> HIST_SHIFT;
	unsigned exponent, bucket;

	if (units < HIST_SUB)
		return (unsigned)units;
	exponent = 63 - __builtin_clzll(units);
	bucket = (exponent - 1) * HIST_SUB + ((units >> (exponent - SUB_LOG2)) & (HIST_SUB - 1));
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

uint64_t hist_bucket_low_ns(unsigned bucket)
{
	unsigned shift;

	if (bucket < HIST_SUB)
		return (uint64_t)bucket << HIST_SHIFT;
	/* One past the end is fine: it closes the last bucket for who draws or interpolates it. */
	if (bucket > HIST_BUCKETS)
		bucket = HIST_BUCKETS;
	shift = bucket / HIST_SUB + 1 - SUB_LOG2;
	return (uint64_t)(HIST_SUB + bucket % HIST_SUB) << (shift + HIST_SHIFT);
}

uint64_t hist_quantile_ns(const uint64_t hist[HIST_BUCKETS], double share)
{
	double total = 0, rank, below = 0;
	unsigned last = 0;

	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		total += (double)hist[i];
		if (hist[i])
			last = i;
	}
	if (total == 0)
		return 0;
	rank = share > 0 ? (share < 1 ? share : 1) * total : 0;
	for (unsigned i = 0; i <= last; i++) {
		double low = (double)hist_bucket_low_ns(i);
		double high = (double)hist_bucket_low_ns(i + 1);

		if (hist[i] && below + (double)hist[i] >= rank) {
			/* The last bucket has no upper end: its lower one is all that is known. */
			if (i == HIST_BUCKETS - 1)
				return (uint64_t)low;
			return (uint64_t)(low + (high - low) * (rank - below) / (double)hist[i]);
		}
		below += (double)hist[i];
	}
	return hist_bucket_low_ns(last + 1 < HIST_BUCKETS ? last + 1 : last);
}
