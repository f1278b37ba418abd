/*
 * resolver: names to addresses without blocking the loop (libevent's evdns: /etc/resolv.conf and /etc/hosts).
 *
 * One for each worker, made when first needed. Numeric hosts and "localhost" from /etc/hosts answer too, but from the
 * loop like all others.
 */
#ifndef REEVE_NET_RESOLVER_H
#define REEVE_NET_RESOLVER_H

#include "loop/loop.h"
#include "base/address.h"

struct resolver;
struct resolver_query;

/* addresses are in the answer's order, valid during the call; count 0: why says what went wrong. ttl is not known. */
typedef void resolver_fn(void *owner, const struct address *addresses, size_t count, const char *why);

struct resolver		*resolver_create(struct loop *loop, struct err *err);
void			 resolver_free(struct resolver *resolver);	/* open queries are never answered */

struct resolver_query	*resolver_ask(struct resolver *resolver, struct span host, uint16_t port,
    resolver_fn *on_answer, void *owner);
void			 resolver_cancel(struct resolver_query *query);	/* NULL is fine; not after its answer */

#endif
