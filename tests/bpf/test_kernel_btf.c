/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A part of the kernel's types against all of them: each member is where it was, as wide as it was. */
#include "watched.h"

#include <bpf/btf.h>
#include <sys/mman.h>

#include "kernel_btf.h"

/* Sorted, as kernel_btf_names() has them. */
static const char *const roots[] = { "cfs_rq", "inode", "mm_struct", "sock", "task_struct", "upid" };

static struct btf *written(const char *const *names, unsigned nr)
{
	int fd = memfd_create("btf", 0);
	char path[32];
	struct btf *copy;

	assert_true(fd >= 0);
	assert_int_equal(kernel_btf_write(&(struct kernel_btf_names){ (char **)names, nr }, fd), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = btf__parse(path, NULL);
	assert_non_null(copy);
	close(fd);
	return copy;
}

static unsigned nr_members, nr_bitfields;

static void is_same(const struct btf *copy, int copy_id, const struct btf *whole, int whole_id)
{
	const struct btf_type *a, *b;

	copy_id = btf__resolve_type(copy, (unsigned)copy_id);
	whole_id = btf__resolve_type(whole, (unsigned)whole_id);
	if (whole_id <= 0)
		return;
	a = btf__type_by_id(copy, (unsigned)copy_id);
	b = btf__type_by_id(whole, (unsigned)whole_id);
	assert_int_equal(btf_kind(a), btf_is_enum64(b) ? BTF_KIND_ENUM : btf_kind(b));
	if (btf_is_array(b)) {
		assert_int_equal(btf_array(a)->nelems, btf_array(b)->nelems);
		is_same(copy, (int)btf_array(a)->type, whole, (int)btf_array(b)->type);
	}
	if (btf_is_int(b) || btf_is_composite(b))
		assert_int_equal(a->size, b->size);
	if (!btf_is_composite(b))
		return;
	assert_int_equal(btf_vlen(a), btf_vlen(b));
	for (unsigned i = 0; i < btf_vlen(b); i++) {
		assert_string_equal(btf__name_by_offset(copy, btf_members(a)[i].name_off),
				    btf__name_by_offset(whole, btf_members(b)[i].name_off));
		assert_int_equal(btf_member_bit_offset(a, i), btf_member_bit_offset(b, i));
		assert_int_equal(btf_member_bitfield_size(a, i), btf_member_bitfield_size(b, i));
		nr_members++;
		nr_bitfields += btf_member_bitfield_size(b, i) != 0;
		is_same(copy, (int)btf_members(a)[i].type, whole, (int)btf_members(b)[i].type);
	}
}

static void members_are_where_they_were(void **state)
{
	struct btf *whole = btf__load_vmlinux_btf(), *copy;

	(void)state;
	copy = written(roots, ARRAY_SIZE(roots));
	for (unsigned i = 0; i < ARRAY_SIZE(roots); i++) {
		int id = btf__find_by_name_kind(copy, roots[i], BTF_KIND_STRUCT);

		assert_true(id > 0);
		is_same(copy, id, whole, btf__find_by_name_kind(whole, roots[i], BTF_KIND_STRUCT));
	}
	assert_true(nr_members > 500 && nr_bitfields > 20);
	assert_true(btf__type_cnt(copy) < btf__type_cnt(whole) / 20);
	btf__free(copy);
	btf__free(whole);
}

static void what_is_not_there_is_left_out(void **state)
{
	static const char *const names[] = { "no_structure_of_the_kernel" };
	struct btf *copy = written(names, 1);

	(void)state;
	assert_int_equal(btf__type_cnt(copy), 1);
	btf__free(copy);
}

static void names_are_those_of_an_object(void **state)
{
	struct btf *of = btf__new_empty();
	struct kernel_btf_names names;

	(void)state;
	assert_true(btf__add_struct(of, "zebra", 4) > 0 && btf__add_union(of, "ape___old", 4) > 0);
	assert_true(btf__add_struct(of, NULL, 4) > 0 && btf__add_int(of, "int", 4, BTF_INT_SIGNED) > 0);
	assert_int_equal(kernel_btf_names(of, &names), 0);
	assert_int_equal(names.nr, 2);
	assert_string_equal(names.names[0], "ape");
	assert_string_equal(names.names[1], "zebra");
	kernel_btf_free(&names);
	btf__free(of);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_where_they_were),
		cmocka_unit_test(what_is_not_there_is_left_out),
		cmocka_unit_test(names_are_those_of_an_object),
	};

	require_host();
	return cmocka_run_group_tests_name("bpf/kernel_btf", tests, NULL, NULL);
}
