/*
 * relay: one request of a client carried to a server of an upstream, and its response back. In every case it answers
 * the request, be it with 502, 503 or 504.
 *
 *      WAITING ──▶ CONNECTING ──▶ SENT ──▶ STREAMING ──▶ OVER          WAITING: in the upstream's queue
 *         ▲            │            │  └──▶ TUNNEL ─────▶ OVER         SENT: the head has left, no final response yet
 *         └────────────┴── retry ◀──┘
 *
 * Content is streamed both ways and never held up for more than a piece; a side that does not keep up stops the other.
 * A relay holds at most, beside its struct and what the request's arena has:
 *	a response head that is incomplete				RELAY_HEAD_MAX bytes
 *	request bytes that the server has not taken yet			one piece from the client and its frame
 *	content to be sent again, while that may be needed		RELAY_REPLAY_MAX bytes
 *
 * Sent again without being counted as a retry: a request whose kept socket turned out to be closed before any byte of
 * an answer, and a connection that is refused while the server's name has other addresses.
 */
#ifndef REEVE_UPSTREAM_RELAY_H
#define REEVE_UPSTREAM_RELAY_H

#include "request/request.h"
#include "upstream/options.h"

struct timeout_class;
struct upstream;

enum {
	RELAY_HEAD_MAX = 24 * 1024,	/* of a response */
	RELAY_FIELDS_MAX = 128,
	RELAY_REPLAY_MAX = 64 * 1024,
	RELAY_INFORM_MAX = 32,		/* 1xx responses of one request */
};

/* How long a relay waits; a class of NULL: for ever. */
struct relay_timeouts {
	struct timeout_class	*connect;
	struct timeout_class	*response;
	struct timeout_class	*idle;
};

/* What is sent. Borrowed for the call; what the spans point to lives as long as the request. */
struct relay_head {
	struct span			 target;	/* origin-form; the path of the server's URL goes before it */
	const struct fields		*fields;	/* end-to-end ones, with Host, no framing, no Connection;
							 * their items live as long as the request */
	bool				 may_upgrade;	/* passes the client's Upgrade on */
	const struct relay_timeouts	*timeouts;	/* NULL: the upstream's; outlives the request */
};

/* Takes the request. It may be over when this returns. */
void		relay_start(struct upstream *upstream, struct request *request, const struct relay_head *head);

/* The upstream's timeouts with what the override gives instead. */
void		relay_timeouts_make(const struct upstream *upstream, const struct upstream_timeouts *override,
    struct relay_timeouts *timeouts_out);

/* For Host when the client has sent none: that of the first server, as configured. */
struct span	relay_authority(const struct upstream *upstream);

#endif
