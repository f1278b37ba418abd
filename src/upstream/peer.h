/*
 * peer: one resolved address of one server of one upstream, and how it has been doing.
 *
 * A peer is available when the board does not say that it is down and its breaker lets requests through:
 *
 *      CLOSED ──failures──▶ OPEN ──after `for`, one request──▶ TRYING ──it succeeds──▶ CLOSED
 *                            ▲                                   ├──it fails──▶ OPEN again
 *                            └───────────────────────────────────┘
 *
 * The board is the prober's word, the same in all workers; the breaker is this worker's own experience. Peers are
 * counted by reference: an address that a name lost lives on while a relay uses it, without its upstream.
 */
#ifndef REEVE_UPSTREAM_PEER_H
#define REEVE_UPSTREAM_PEER_H

#include "store/board.h"
#include "upstream/agent.h"

struct probe;
struct server;
struct upstream;

#define BREAKER_STATES(S) S(CLOSED) S(OPEN) S(TRYING)
#define BREAKER_STATE_ENUM(name) BREAKER_##name,
enum breaker_state { BREAKER_STATES(BREAKER_STATE_ENUM) BREAKER_STATE_COUNT };
#undef BREAKER_STATE_ENUM

struct peer {
	struct list_node	 agent_node;	/* in agent->peers */
	unsigned		 refs;		/* the upstream, and relays */
	uint32_t		 number;	/* of this worker's peers; never used twice */
	struct upstream		*upstream;	/* borrowed; NULL: not part of it any more */
	struct server		*server;	/* borrowed, as upstream */
	struct agent		*agent;		/* ref */
	struct span		 name;		/* owned: "127.0.0.1:3000", "unix:/run/app.sock" */
	struct span		 path;		/* borrowed from the site: that of its URL, before every request's */
	uint64_t		 hash;		/* of the name */
	uint64_t		 key;		/* on the board */
	uint32_t		 weight;
	bool			 is_backup;

	/* For choosing. */
	int64_t			current;	/* smooth weighted round robin's */
	bool			is_candidate;	/* between two steps of one choice */
	enum board_state	health;		/* as read last */
	uint64_t		ramp_from_ms;	/* slow start; 0: full share */

	/* The breaker. */
	enum breaker_state	breaker;
	uint64_t		open_until_ms;
	uint64_t		window_from_ms;	/* of the first failure that counts; 0: none does */
	uint64_t		failures;	/* since then */
	uint64_t		successes;	/* since then */

	/* The log: a line a second. */
	uint64_t	told_ms;
	uint64_t	untold;	/* failures since that line */

	/* The prober's. */
	struct probe	*probe;		/* owned; NULL: none runs */
	uint64_t	 good_probes;	/* in a row */
	uint64_t	 bad_probes;
};

struct peer	*peer_create(struct upstream *upstream, struct server *server, const struct agent_address *address);
void		 peer_ref(struct peer *peer);
void		 peer_unref(struct peer *peer);	/* NULL is fine */

/* Its address is gone from the upstream: no new requests. Gives up the upstream's reference. */
void		 peer_retire(struct peer *peer);

/* The state that another site's peer of the same name and address had. */
void		 peer_inherit(struct peer *peer, const struct peer *from);

/* Whether it may get a request now, apart from its agent's room. */
bool		 peer_is_available(const struct peer *peer, uint64_t now_ms);

/* Its share, scaled by 256; less during a slow start, never 0. */
uint64_t	 peer_share(const struct peer *peer, uint64_t slow_start_ms, uint64_t now_ms);

/*
 * A request is about to go there. True: it is the one that tries an ejected peer, and must report one of the three
 * below.
 */
bool		 peer_begin(struct peer *peer);

/* How it ended. was_trial: what peer_begin() said. */
void		 peer_succeeded(struct peer *peer, bool was_trial);
void		 peer_failed(struct peer *peer, bool was_trial, const char *why);
void		 peer_let_go(struct peer *peer, bool was_trial);	/* it ended and told nothing of it */

/* What the board says now; starts the ramp of one that comes back. */
void		 peer_read_board(struct peer *peer);

/* Every upstream that waits for one of these peers' sockets is told. */
void		 peers_hear_of_room(struct list_node *agent_peers);

#endif
