/*
 * listeners: the listening sockets, which the primary opens and keeps whatever happens to workers.
 *
 * A listener is counted by reference: a new edition of the configuration takes over those that stay as they are and
 * opens the others, so that giving up either edition closes exactly what only it had. A unix socket's path goes with
 * the last reference. Shared listeners have one socket, reuse_port ones have one for each seat of a worker.
 */
#ifndef REEVE_PRIMARY_LISTENERS_H
#define REEVE_PRIMARY_LISTENERS_H

#include "primary/orders.h"

struct listener;

struct listeners {
	struct listener	**items;	/* refs, owned; in the orders' sequence */
	size_t		 count;
};

/* What `orders` want, with what `before` has of it already. False: nothing has changed, and the sentence says why. */
bool		listeners_open(struct listeners *listeners, const struct orders *orders, const struct listeners *before,
    struct err *err);
void		listeners_close(struct listeners *listeners);	/* lets them go; safe twice and on zeroed memory */

/* The edition is in use: settings that need no new socket (backlog) are made so. */
void		listeners_settle(const struct listeners *listeners, const struct orders *orders);

/* Whether `listeners` has it under another or no id than `before`, so that workers must be given its socket. */
bool		listener_is_new(const struct listeners *before, const struct listener *listener);

uint64_t	listener_id(const struct listener *listener);
int		listener_fd(const struct listener *listener, unsigned seat);
size_t		listener_format(const struct listener *listener, char to[128]);

/* How many wait to be accepted, over all its sockets, and how many may. */
void		listener_queue(const struct listener *listener, uint64_t *waiting_out, uint64_t *room_out);

#endif
