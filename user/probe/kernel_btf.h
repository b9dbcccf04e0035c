/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel's structures that an object of BPF is relocated by, without all the rest.  For each structure that a
 * program reads libbpf looks through all of the kernel's types, a hundred thousand and more: a millisecond each.
 */
#ifndef KERNEL_BTF_H
#define KERNEL_BTF_H

struct btf;

/* The names of a BTF's structures and unions. */
struct kernel_btf_names {
	char **names; /* sorted */
	unsigned nr;
};

/* 0 or -ENOMEM. */
int kernel_btf_names(const struct btf *of, struct kernel_btf_names *names);
void kernel_btf_free(struct kernel_btf_names *names);

/*
 * Writes to fd the kernel's structures and unions of these names, with all that they have within, as BTF.  What they
 * point to is left out.  0 or a negative errno.
 */
int kernel_btf_write(const struct kernel_btf_names *names, int fd);

#endif
