/*
 * call_parts: what the files of a call share. Internal to the room.
 *
 *	call.c		its life: which server, how often, what is answered when it fails
 *	call_send.c	the request on its way out
 *	call_receive.c	the response on its way back, and tunnels
 *
 * A struct call is recycled, and freed at the end of a turn only: whoever is on the stack may look at call->state after
 * anything that may have ended it. The verbs that answer a request come last, for nothing may be left then: not even
 * the upstream.
 */
#ifndef REEVE_UPSTREAM_CALL_PARTS_H
#define REEVE_UPSTREAM_CALL_PARTS_H

#include "codec/h1_chunked.h"
#include "codec/h1_response.h"
#include "request/response.h"
#include "upstream/call.h"
#include "upstream/upstream.h"
#include "upstream/world.h"

#define CALL_STATES(S) S(WAITING) S(CONNECTING) S(SENT) S(STREAMING) S(TUNNEL) S(OVER)
#define CALL_STATE_ENUM(name) CALL_##name,
enum call_state { CALL_STATES(CALL_STATE_ENUM) CALL_STATE_COUNT };
#undef CALL_STATE_ENUM

struct call {
	struct waiter			 waiter;	/* in the queue; its node also links recycled calls */
	struct later			 later;		/* recycles it */
	struct timeout			 timeout;	/* of the state we are in */
	struct upstream_world		*world;		/* borrowed: outlives us */
	struct upstream			*upstream;	/* borrowed: lives as long as the request */
	struct request			*request;	/* borrowed; NULL when OVER */
	struct peer			*peer;		/* ref; NULL between tries */
	struct agent_socket		*socket;	/* borrowed from the peer's agent; NULL between tries */
	const struct call_timeouts	*timeouts;	/* borrowed */
	enum call_state			 state;		/* call_move() alone writes it */

	/* All tries together. */
	struct tried			 tried;
	uint64_t			 hash;		/* of the key, for BALANCE_HASH */
	uint64_t			 attempts;	/* retries so far */
	bool				 may_repeat;	/* the method, or the configuration, lets it be carried out twice */
	bool				 ever_sent;	/* some byte has left in some try */
	bool				 wants_fresh;	/* a kept socket was dead: no more of those */
	const char			*why;		/* the last try failed; NULL: none has */
	unsigned			 failed_status;	/* what that one would have been answered with */
	bool				 may_upgrade;

	/* This try. */
	uint64_t			 try_ms;	/* when it began */
	bool				 is_reused;	/* its socket */
	bool				 is_trial;	/* of an ejected peer */
	bool				 has_heard;	/* some byte of an answer has come */

	/* The request on its way out. */
	struct span			 head;		/* arena: ready to be sent */
	bool				 is_chunked;
	bool				 head_sent;	/* given to the socket in this try */
	bool				 body_ended;	/* its last piece has come from the client */
	bool				 send_broken;	/* the server takes no more; it may still answer */
	bool				 keeps_body;	/* in `replay`, all of it so far */
	uint64_t			 body_taken;	/* bytes of content that came from the client */
	struct text			 replay;	/* content as it came */
	struct text			 out;		/* what the socket did not take */
	size_t				 out_sent;	/* of out */

	/* The response on its way back. */
	struct text			 partial;	/* a head that is not complete */
	size_t				 searched;	/* of partial: no head ends there */
	unsigned			 informed;	/* 1xx passed on */
	enum h1_body			 body;
	uint64_t			 body_left;
	struct h1_chunked		 chunked;
	struct fields			 trailers;
	bool				 keep_alive;	/* the server's word */
	bool				 is_paused;	/* the client does not keep up */
	bool				 reads_off;	/* and the server went on sending */
};

/* -- call.c --------------------------------------------------------------------------------------------------------- */

extern const struct socket_events call_socket_events;

void	call_move(struct call *call, enum call_state state);

/*
 * This try has failed: another one, or `status` for the client (an abort when the response has started). cause 0: it is
 * not to be tried again.
 */
void	call_failed(struct call *call, enum retry_cause cause, unsigned status, const char *why);

/* Whether another try may follow such a failure; then it is counted. */
bool	call_may_retry(struct call *call, enum retry_cause cause);
void	call_retry(struct call *call, unsigned status, const char *why);	/* after call_may_retry() said so */

/* Lets the socket go: back to its agent when it can be used again. */
void	call_drop_socket(struct call *call, bool is_reusable);

/* The request is somebody else's from now on: returns it. The call is OVER. */
struct request *call_end(struct call *call);

/* The timeout of what we wait for now. */
void	call_arm(struct call *call);

/* -- call_send.c ---------------------------------------------------------------------------------------------------- */

void	call_lay_head(struct call *call, const struct call_head *head);

/* The socket is connected: sends the head, and lets content come. */
void	call_send(struct call *call);
void	call_writable(struct call *call);
void	call_on_body(struct request *request, struct span piece, bool last);

/* All of the request has left. */
bool	call_is_sent(const struct call *call);

/* What the socket must tell us: reads unless we are paused, writes while something waits. */
void	call_watch(struct call *call);

/* -- call_receive.c ------------------------------------------------------------------------------------------------- */

void	call_readable(struct call *call);
void	call_on_drained(struct request *request);

#endif
