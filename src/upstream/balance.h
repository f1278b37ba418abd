/*
 * balance: which of some peers gets the next request. Knows nothing of requests but a hash and what was tried already.
 *
 * Two questions in this order: who may (available, not tried, primary before backup, room in its agent), then who of
 * those (the upstream's `balance`).
 */
#ifndef REEVE_UPSTREAM_BALANCE_H
#define REEVE_UPSTREAM_BALANCE_H

#include "upstream/peer.h"

enum { TRIED_MAX = 16 };

/* What one request has behind it. */
struct tried {
	uint32_t	peers[TRIED_MAX];	/* numbers */
	unsigned	count;
};

void	tried_add(struct tried *tried, const struct peer *peer);	/* beyond TRIED_MAX: forgets */
bool	tried_holds(const struct tried *tried, const struct peer *peer);

struct balance {
	enum balance_kind	kind;
	uint64_t		slow_start_ms;
	size_t			turn;	/* where ties are broken */
};

enum choose_result {
	CHOOSE_PEER,
	CHOOSE_FULL,	/* some are available, but every one of their sockets is in use */
	CHOOSE_NONE,	/* none is available */
};

/*
 * `hash` of the request's key matters for BALANCE_HASH only. Peers not tried come before those that were, and among
 * both primaries before backups; backups are no overflow: busy primaries are waited for unless this is a retry.
 */
enum choose_result	balance_choose(struct balance *balance, struct peer *const *peers, size_t count,
    const struct tried *tried, uint64_t hash, uint64_t now_ms, struct peer **peer_out);

#endif
