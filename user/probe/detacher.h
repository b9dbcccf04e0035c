/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ends attachments.  Each end waits for grace periods of the kernel, 15 to 200 ms (measured on 6.18), but
 * several wait for the same: so they have threads that do nothing else, and whoever watches waits for none.
 */
#ifndef DETACHER_H
#define DETACHER_H

/*
 * A watch has 1,024 attachments to 256 processes.  61 threads end them in 1.1 s, 128 in 0.66, 192 in 0.65, one for
 * each in 0.8 to 1.1 (6.18, 2 CPUs): what is left is work that the kernel does for one after the other.
 * The unit's TasksMax has room for them.
 */
#define DETACHER_MAX_THREADS 128

struct bpf_link;
struct detacher;

int detacher_new(struct detacher **out);
/* Returns when all have ended. */
void detacher_free(struct detacher *detacher);
/* Takes the descriptor of a link. Waits for its end only if no thread can be had. */
void detacher_close(struct detacher *detacher, int fd);
void detacher_destroy(struct detacher *detacher, struct bpf_link *link);

#endif
