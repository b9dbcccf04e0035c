/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Are the histogram's buckets contiguous, and its quantiles inside them? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model.h"

static void buckets_are_contiguous(void **state)
{
	(void)state;
	assert_int_equal(hist_bucket_low_ns(0), 0);
	for (unsigned i = 1; i < HIST_BUCKETS; i++) {
		uint64_t low = hist_bucket_low_ns(i);

		assert_true(low > hist_bucket_low_ns(i - 1));
		assert_int_equal(hist_bucket(low), i);
		assert_int_equal(hist_bucket(low - 1), i - 1);
	}
}

static void the_first_power_of_two_follows_the_linear_part(void **state)
{
	(void)state;
	for (uint64_t units = 0; units < 8; units++)
		assert_int_equal(hist_bucket(units << HIST_SHIFT), units);
	assert_int_equal(hist_bucket(8ULL << HIST_SHIFT), 8);
	assert_int_equal(hist_bucket(9ULL << HIST_SHIFT), 8);
	assert_int_equal(hist_bucket(10ULL << HIST_SHIFT), 9);
}

static void the_last_bucket_holds_everything_above(void **state)
{
	(void)state;
	assert_int_equal(hist_bucket_low_ns(HIST_BUCKETS - 1), 7ULL << 34);
	assert_int_equal(hist_bucket(7ULL << 34), HIST_BUCKETS - 1);
	assert_int_equal(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
	assert_true(hist_bucket_low_ns(HIST_BUCKETS) > hist_bucket_low_ns(HIST_BUCKETS - 1));
	assert_int_equal(hist_bucket_low_ns(UINT32_MAX), hist_bucket_low_ns(HIST_BUCKETS));
}

static void quantiles_lie_in_their_bucket(void **state)
{
	uint64_t hist[HIST_BUCKETS] = { 0 };

	(void)state;
	assert_int_equal(hist_quantile_ns(hist, 0.5), 0);
	hist[10] = 90;
	hist[20] = 10;
	assert_int_equal(hist_quantile_ns(hist, 0), hist_bucket_low_ns(10));
	assert_int_equal(hist_quantile_ns(hist, 0.9), hist_bucket_low_ns(11));
	assert_int_equal(hist_quantile_ns(hist, 0.45),
			 (hist_bucket_low_ns(10) + hist_bucket_low_ns(11)) / 2);
	assert_int_equal(hist_quantile_ns(hist, 0.95),
			 (hist_bucket_low_ns(20) + hist_bucket_low_ns(21)) / 2);
	assert_int_equal(hist_quantile_ns(hist, 1), hist_bucket_low_ns(21));
	assert_int_equal(hist_quantile_ns(hist, 7), hist_bucket_low_ns(21));
	assert_int_equal(hist_quantile_ns(hist, -7), hist_bucket_low_ns(10));
}

static void huge_counts_do_not_overflow(void **state)
{
	uint64_t hist[HIST_BUCKETS];

	(void)state;
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		hist[i] = UINT64_MAX;
	assert_in_range(hist_quantile_ns(hist, 0.5), hist_bucket_low_ns(43),
			hist_bucket_low_ns(45));
	assert_int_equal(hist_quantile_ns(hist, 1), hist_bucket_low_ns(HIST_BUCKETS - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_contiguous),
		cmocka_unit_test(the_first_power_of_two_follows_the_linear_part),
		cmocka_unit_test(the_last_bucket_holds_everything_above),
		cmocka_unit_test(quantiles_lie_in_their_bucket),
		cmocka_unit_test(huge_counts_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
