/*
 * tls_ticket_seal: session tickets under the keys of net/tls_tickets.h (AES-256-CBC, HMAC-SHA256), for OpenSSL.
 */
#ifndef REEVE_NET_TLS_TICKET_SEAL_H
#define REEVE_NET_TLS_TICKET_SEAL_H

#include "net/tls_tickets.h"

struct ssl_ctx_st;

/* The keys outlive every connection of the context. */
bool	tls_tickets_apply(struct ssl_ctx_st *context, const struct tls_ticket_keys *keys);

#endif
