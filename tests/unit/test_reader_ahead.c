/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is read ahead of a process, and from when on it is the process as it is now. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "readahead.h"
#include "util.h"

static uint64_t words[READAHEAD_MAX + 2]; /* of the process that is read, which is this one */
static uint8_t large[READAHEAD_MAX_BYTES + 1];
static struct readahead_list list;
static struct readahead ahead;
static struct mem under, mem;

static int setup(void **state)
{
	(void)state;
	memset(&list, 0, sizeof(list));
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = i;
	return 0;
}

static void begin(void)
{
	procmem_of_process(&under, getpid(), 1 << 20);
	readahead_begin(&ahead, getpid(), &under, &list, &mem);
}

static uint64_t word(unsigned i)
{
	uint64_t value = 0;

	assert_int_equal(procmem_read_u64(&mem, (uintptr_t)&words[i], &value), 0);
	return value;
}

/* As the last time: 0 to nr - 1, of the process as it was when that began. */
static void knows(unsigned nr)
{
	begin();
	for (unsigned i = 0; i < nr; i++)
		word(i);
	readahead_end(&ahead);
	assert_int_equal(list.nr, nr);
}

static void what_was_read_the_last_time_is_read_at_once(void **state)
{
	(void)state;
	begin();
	words[0] = 7;
	assert_int_equal(word(0), 7); /* the first time nothing is known */
	readahead_end(&ahead);
	begin();
	words[0] = 8;
	assert_int_equal(word(0), 7);
	readahead_end(&ahead);
	begin();
	assert_int_equal(word(0), 8);
}

static void from_another_read_on_it_is_the_process_as_it_is_now(void **state)
{
	(void)state;
	knows(3);
	begin();
	words[0] = words[2] = 70;
	assert_int_equal(word(0), 0);
	assert_int_equal(word(2), 70); /* 1 was next */
	words[1] = 71;
	assert_int_equal(word(1), 71);
	readahead_end(&ahead);
	assert_int_equal(list.nr, 3);
	begin();
	words[2] = 71;
	assert_int_equal(word(0), 70);
	assert_int_equal(word(2), 70); /* that is the way now */
}

static void a_read_of_another_length_is_another(void **state)
{
	uint32_t half = 0;

	(void)state;
	knows(1);
	begin();
	words[0] = 9;
	assert_int_equal(procmem_read_u32(&mem, (uintptr_t)&words[0], &half), 0);
	assert_int_equal(half, 9);
}

static void what_is_read_twice_is_read_ahead_twice(void **state)
{
	(void)state;
	begin();
	word(0);
	word(0);
	readahead_end(&ahead);
	begin();
	words[0] = 5;
	assert_int_equal(word(0), 0);
	assert_int_equal(word(0), 0);
	assert_int_equal(word(0), 5);
}

static void the_list_has_an_end(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		word(i);
	readahead_end(&ahead);
	assert_int_equal(list.nr, READAHEAD_MAX);
	begin();
	words[READAHEAD_MAX - 1] = words[READAHEAD_MAX] = 1;
	for (unsigned i = 0; i < READAHEAD_MAX; i++)
		assert_int_equal(word(i), i);
	assert_int_equal(word(READAHEAD_MAX), 1);
}

static void a_long_read_ends_it(void **state)
{
	uint8_t copy[sizeof(large)];

	(void)state;
	begin();
	word(0);
	assert_int_equal(procmem_read(&mem, (uintptr_t)large, copy, sizeof(copy)), 0);
	word(1);
	readahead_end(&ahead);
	assert_int_equal(list.nr, 1);
}

static void what_is_not_there_any_more_ends_it(void **state)
{
	uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), value;

	(void)state;
	begin();
	word(0);
	assert_int_equal(procmem_read_u64(&mem, (uintptr_t)page, &value), 0);
	word(1);
	readahead_end(&ahead);
	munmap(page, 4096);
	begin();
	words[0] = 3;
	assert_int_equal(word(0), 0);
	assert_int_equal(procmem_read_u64(&mem, (uintptr_t)page, &value), -EFAULT);
	assert_int_equal(word(1), 1);
}

static void half_of_a_read_is_none(void **state)
{
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), copy[16];
	struct mem plain;

	(void)state;
	begin();
	assert_int_equal(procmem_read(&mem, (uintptr_t)pages + 4088, copy, sizeof(copy)), 0);
	readahead_end(&ahead);
	munmap(pages + 4096, 4096);
	procmem_of_process(&plain, getpid(), 16);
	assert_int_equal(procmem_read(&plain, (uintptr_t)pages + 4088, copy, sizeof(copy)), -EFAULT);
	begin();
	assert_int_equal(procmem_read(&mem, (uintptr_t)pages + 4088, copy, sizeof(copy)), -EFAULT);
}

static void a_budget_is_kept(void **state)
{
	uint64_t value;

	(void)state;
	knows(2);
	procmem_of_process(&under, getpid(), 8);
	readahead_begin(&ahead, getpid(), &under, &list, &mem);
	word(0);
	assert_int_equal(procmem_read_u64(&mem, (uintptr_t)&words[1], &value), -E2BIG);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_read_the_last_time_is_read_at_once),
		TEST(from_another_read_on_it_is_the_process_as_it_is_now),
		TEST(a_read_of_another_length_is_another),
		TEST(what_is_read_twice_is_read_ahead_twice),
		TEST(the_list_has_an_end),
		TEST(a_long_read_ends_it),
		TEST(what_is_not_there_any_more_ends_it),
		TEST(half_of_a_read_is_none),
		TEST(a_budget_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
