/*
 * tls_ciphers: the ciphers of TLS 1.2, as OpenSSL writes lists of them.
 */
#ifndef REEVE_NET_TLS_CIPHERS_H
#define REEVE_NET_TLS_CIPHERS_H

#include "base/err.h"
#include "base/span.h"

/* Mozilla intermediate (5.7), less its DHE: every client that speaks TLS 1.2 with GCM speaks ECDHE. */
extern const char tls_ciphers_default[];

/* OpenSSL passes over what it does not know; here it is an error. The list is NUL-terminated. */
bool	tls_ciphers_check(struct span list, struct err *err);

#endif
