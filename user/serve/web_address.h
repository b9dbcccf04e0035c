/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who a client is, as far as his address tells: one host, or what one is given for its own.  Pure.
 */
#ifndef WEB_ADDRESS_H
#define WEB_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 address as IPv6 maps it, the network (/64) of an IPv6 address, or ::1 for all of
 * loopback. */
struct web_address {
	uint8_t bytes[16];
};

/* NULL or another family: all zero, which is one address too. */
void web_address_of(const struct sockaddr *from, struct web_address *out);
bool web_address_equal(const struct web_address *a, const struct web_address *b);

#endif
