/*
 * ticket_ring: the keys of TLS session tickets, for all workers to read, written by the primary only.
 *
 *	NEXT ──rotate──▶ CURRENT ──rotate──▶ PREVIOUS ──rotate──▶ gone          one step every TICKET_ROTATE_MS
 *
 * New tickets are made with CURRENT; the other two are read, NEXT because a worker may not have noticed yet that others
 * rotated. A seqlock over all three: no reader waits for long, none sees half a key. Shared memory, kept out of core
 * dumps, made by the primary before the first fork: it outlives workers and reloads.
 */
#ifndef REEVE_STORE_TICKET_RING_H
#define REEVE_STORE_TICKET_RING_H

#include "base/err.h"
#include "net/tls_tickets.h"

#include <stdint.h>

#define TICKET_ROTATE_MS ((uint64_t)12 * 3600 * 1000)

struct ticket_ring;

struct ticket_ring	*ticket_ring_create(struct err *err);	/* with three keys from getrandom(2) */
void			 ticket_ring_free(struct ticket_ring *ring);
bool			 ticket_ring_rotate(struct ticket_ring *ring, struct err *err);	/* the primary's */

/* The worker's view; borrowed by every tls_server. */
struct tls_ticket_keys	 ticket_ring_keys(const struct ticket_ring *ring);

#endif
