/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ends attachments.  Each end waits for grace periods of the kernel, 15 to 200 ms (measured on 6.18), but
 * several wait for the same: so each has a thread that does nothing else, and whoever watches waits for none.
 */
#ifndef DETACHER_H
#define DETACHER_H

struct bpf_link;
struct detacher;

int detacher_new(struct detacher **out);
/* Returns when all have ended. */
void detacher_free(struct detacher *detacher);
/* Takes the descriptor of a link. Waits for its end only if no thread can be had. */
void detacher_close(struct detacher *detacher, int fd);
void detacher_destroy(struct detacher *detacher, struct bpf_link *link);

#endif
