/*
 * upstream: one `upstreams:` entry of one site in one worker: its servers, their peers, and the requests that wait.
 *
 *	servers ──resolve──▶ peers ──choose──▶ one peer ──▶ its agent's sockets
 *	                       └── all busy ──▶ queue, first come first served
 */
#ifndef REEVE_UPSTREAM_UPSTREAM_H
#define REEVE_UPSTREAM_UPSTREAM_H

#include "upstream/balance.h"
#include "upstream/budget.h"
#include "upstream/relay.h"
#include "upstream/server.h"

struct upstream_world;

/* Who stands in the queue; embedded. on_turn: there is room, or there will be none at all; it may free anything. */
struct waiter {
	struct list_node	node;
	void			(*on_turn)(struct waiter *waiter);
};

struct upstream {
	struct list_node		 world_node;	/* in world->upstreams */
	const struct upstream_options	*options;	/* borrowed from the site's arena */
	struct upstream_world		*world;		/* borrowed; NULL: checking only, then there are no peers */
	struct tls_client		*tls;		/* ref; NULL: no server speaks it */
	bool				 is_used;	/* a route names it */

	struct server	*servers;	/* owned */
	size_t		 server_count;
	struct peer	**peers;	/* owned, refs */
	size_t		 peer_count;
	size_t		 peer_room;

	struct balance	balance;
	struct budget	budget;
	uint64_t	board_version;	/* that the peers' health was read at */

	struct list_node	 queue;	/* struct waiter */
	size_t			 queued;
	struct later		 pump;
	struct timeout_class	*queue_timeout;
	struct relay_timeouts	 timeouts;

	struct timer	resolve_timer;
	struct timer	probe_timer;
};

/* options live longer. world NULL: checking only. tls: for servers with https://; takes a reference of its own. */
struct upstream		*upstream_create(const struct upstream_options *options, struct upstream_world *world,
    struct tls_client *tls);
void			 upstream_free(struct upstream *upstream);

/* predecessor: the upstream of that name in the site before, or NULL. */
void			 upstream_start(struct upstream *upstream, const struct upstream *predecessor);
/* no more resolving and probing; relays go on */
void			 upstream_stop(struct upstream *upstream);

/* takes the reference */
void			 upstream_add_peer(struct upstream *upstream, struct peer *peer);
void			 upstream_remove_peer(struct upstream *upstream, size_t index);

/* CHOOSE_FULL also while a name is being resolved for the first time. */
enum choose_result	 upstream_choose(struct upstream *upstream, const struct tried *tried, uint64_t hash,
    struct peer **peer_out);

/* Whether another of its peers could take over. */
bool			 upstream_has_other(const struct upstream *upstream, const struct peer *peer);

/* Whole seconds after which it is worth asking again. */
unsigned		 upstream_retry_after(const struct upstream *upstream);
const char		*upstream_why_none(const struct upstream *upstream);	/* after CHOOSE_NONE, for the log */

/* False: the queue is full. */
bool			 upstream_wait(struct upstream *upstream, struct waiter *waiter);
void			 upstream_stop_waiting(struct upstream *upstream, struct waiter *waiter);

/* A socket or a peer has become free: at the end of this turn whoever waits is called. */
void			 upstream_has_room(struct upstream *upstream);

#endif
