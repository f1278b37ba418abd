/*
 * relay_parts: what the files of a relay share. Internal to the room.
 *
 *	relay.c		its life: which server, how often, what is answered when it fails
 *	relay_send.c	the request on its way out
 *	relay_receive.c	the response on its way back, and tunnels
 *
 * A struct relay is recycled, and freed at the end of a turn only: whoever is on the stack may look at relay->state
 * after anything that may have ended it. The verbs that answer a request come last, for nothing may be left then: not
 * even the upstream.
 */
#ifndef REEVE_UPSTREAM_RELAY_PARTS_H
#define REEVE_UPSTREAM_RELAY_PARTS_H

#include "codec/h1_chunked.h"
#include "codec/h1_response.h"
#include "request/response.h"
#include "upstream/relay.h"
#include "upstream/upstream.h"
#include "upstream/world.h"

#define RELAY_STATES(S) S(WAITING) S(CONNECTING) S(SENT) S(STREAMING) S(TUNNEL) S(OVER)
#define RELAY_STATE_ENUM(name) RELAY_##name,
enum relay_state { RELAY_STATES(RELAY_STATE_ENUM) RELAY_STATE_COUNT };
#undef RELAY_STATE_ENUM

struct relay {
	struct waiter			 waiter;	/* in the queue; its node also links recycled calls */
	struct later			 later;		/* recycles it */
	struct timeout			 timeout;	/* of the state we are in */
	struct upstream_world		*world;		/* borrowed: outlives us */
	struct upstream			*upstream;	/* borrowed: lives as long as the request */
	struct request			*request;	/* borrowed; NULL when OVER */
	struct peer			*peer;		/* ref; NULL between tries */
	struct agent_socket		*socket;	/* borrowed from the peer's agent; NULL between tries */
	const struct relay_timeouts	*timeouts;	/* borrowed */
	enum relay_state		 state;		/* relay_move() alone writes it */

	/* All tries together. */
	struct tried	 tried;
	uint64_t	 hash;		/* of the key, for BALANCE_HASH */
	uint64_t	 attempts;	/* retries so far */
	bool		 may_repeat;	/* the method or the configuration lets it happen twice */
	bool		 ever_sent;	/* some byte has reached a server in some try */
	bool		 wants_fresh;	/* a kept socket was dead: no more of those */
	const char	*why;		/* the last try failed; NULL: none has */
	unsigned	 failed_status;	/* what that one would have been answered with */
	bool		 may_upgrade;

	/* This try. */
	uint64_t	try_ms;		/* when it began */
	bool		is_reused;	/* its socket */
	bool		is_trial;	/* of an ejected peer */
	bool		has_heard;	/* some byte of an answer has come */
	bool		was_unread;	/* the server closed without having taken all that was sent */
	bool		sent_before;	/* ever_sent when this try began */
	uint64_t	try_sent;	/* bytes given to the socket */

	/* The request on its way out. */
	struct span	target;
	struct fields	fields;
	struct span	head;		/* arena: ready to be sent */
	struct span	head_path;	/* of the server that it was laid down for */
	bool		is_chunked;
	bool		head_sent;	/* given to the socket in this try */
	bool		body_ended;	/* its last piece has come from the client */
	bool		send_broken;	/* the server takes no more; it may still answer */
	bool		keeps_body;	/* in `replay`, all of it so far */
	uint64_t	body_taken;	/* bytes of content that came from the client */
	struct text	replay;		/* content as it came */
	struct text	out;		/* what the socket did not take */
	size_t		out_sent;	/* of out */

	/* The response on its way back. */
	struct text		partial;	/* a head that is not complete */
	size_t			searched;	/* of partial: no head ends there */
	unsigned		informed;	/* 1xx passed on */
	enum h1_body		body;
	uint64_t		body_left;
	struct h1_chunked	chunked;
	struct fields		trailers;
	bool			keep_alive;	/* the server's word */
	bool			is_paused;	/* the client does not keep up */
	bool			reads_off;	/* and the server went on sending */
};

/* -- relay.c ------------------------------------------------------------------------------------------------------- */

extern const struct socket_events relay_socket_events;

void		 relay_move(struct relay *relay, enum relay_state state);

/*
 * This try has failed: another one, or `status` for the client (an abort when the response has started). cause 0: it is
 * not to be tried again.
 */
void		 relay_failed(struct relay *relay, enum retry_cause cause, unsigned status, const char *why);

/* Whether another try may follow such a failure; then it is counted. */
bool		 relay_may_retry(struct relay *relay, enum retry_cause cause);
/* after relay_may_retry() said so */
void		 relay_retry(struct relay *relay, unsigned status, const char *why);

/* Lets the socket go: back to its agent when it can be used again. */
void		 relay_drop_socket(struct relay *relay, bool is_reusable);

/* The request is somebody else's from now on: returns it. The relay is OVER. */
struct request	*relay_end(struct relay *relay);

/* The timeout of what we wait for now. */
void		 relay_arm(struct relay *relay);

/* -- relay_send.c -------------------------------------------------------------------------------------------------- */

/* The socket is connected: sends the head, and lets content come. */
void	relay_send(struct relay *relay);
void	relay_writable(struct relay *relay);
void	relay_on_body(struct request *request, struct span piece, bool last);

/* All of the request has left. */
bool	relay_is_sent(const struct relay *relay);

/* What the socket must tell us: reads unless we are paused, writes while something waits. */
void	relay_watch(struct relay *relay);

/* -- relay_receive.c ----------------------------------------------------------------------------------------------- */

void	relay_readable(struct relay *relay);
void	relay_on_drained(struct request *request);

#endif
