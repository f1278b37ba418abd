/*
 * relay_parts: what the files of a relay share. Internal to the room.
 *
 *	relay.c			its life: which server, how often, what is answered when it fails
 *	relay_body.c		the request's content: kept for another try, stopped while the server does not keep up
 *	relay_answer.c		the response's head and end: what it says of the server, what the client gets of it
 *	relay_h1_send.c		HTTP/1: the request on its way out
 *	relay_h1_receive.c	HTTP/1: the response on its way back
 *	relay_tunnel.c		HTTP/1: what follows a 101
 *	relay_h2.c		HTTP/2, both ways
 *
 * The first three know no protocol: what they ask of it stands in struct relay_wire.
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
#include "upstream/h2_link.h"
#include "upstream/relay.h"
#include "upstream/upstream.h"
#include "upstream/world.h"

#define RELAY_STATES(S) S(WAITING) S(CONNECTING) S(SENT) S(STREAMING) S(TUNNEL) S(OVER)
#define RELAY_STATE_ENUM(name) RELAY_##name,
enum relay_state { RELAY_STATES(RELAY_STATE_ENUM) RELAY_STATE_COUNT };
#undef RELAY_STATE_ENUM

struct relay;

/* What a protocol lends to a relay. */
struct relay_wire {
	/* A way to the relay's peer; as agent_borrow(). */
	enum borrow_result	(*borrow)(struct relay *relay);

	/* The head unless it has left in this try, then the piece. last: all content has come, and trailers with it. */
	void	(*send)(struct relay *relay, struct span piece, bool last);

	bool	(*is_waiting)(const struct relay *relay);	/* some has not left yet */
	bool	(*is_full)(const struct relay *relay);		/* so much that the client must wait */
	void	(*resume)(struct relay *relay);			/* the client keeps up again */
	bool	(*is_handshaking)(const struct relay *relay);	/* CONNECTING: connected, but not secure */

	/* Gives up the way, if there is one. is_reusable: the exchange is complete. */
	void	(*let_go)(struct relay *relay, bool is_reusable);
};

extern const struct relay_wire relay_h1;
extern const struct relay_wire relay_h2;

struct relay {
	struct waiter			 waiter;	/* in the queue; its node also links recycled calls */
	struct later			 later;		/* recycles it */
	struct timeout			 timeout;	/* of the state we are in */
	struct upstream_world		*world;		/* borrowed: outlives us */
	struct upstream			*upstream;	/* borrowed: lives as long as the request */
	struct request			*request;	/* borrowed; NULL when OVER */
	struct peer			*peer;		/* ref; NULL between tries */
	const struct relay_wire		*wire;		/* borrowed: static */
	const struct relay_timeouts	*timeouts;	/* borrowed */
	enum relay_state		 state;		/* relay_move() alone writes it */

	/* All tries together. */
	struct tried	 tried;
	uint64_t	 hash;		/* of the key, for BALANCE_HASH */
	uint64_t	 attempts;	/* retries so far */
	bool		 may_repeat;	/* the method or the configuration lets it happen twice */
	bool		 ever_sent;	/* some byte has reached a server in some try */
	bool		 wants_fresh;	/* a kept socket was dead: no more of those */
	unsigned	 free_tries;	/* repeated because the server had done nothing (HTTP/2) */
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
	bool		head_sent;	/* given to the socket in this try */
	bool		body_ended;	/* its last piece has come from the client */
	bool		send_broken;	/* the server takes no more; it may still answer */
	bool		keeps_body;	/* in `replay`, all of it so far */
	uint64_t	body_taken;	/* bytes of content that came from the client */
	struct text	replay;		/* content as it came */

	/* The response on its way back. */
	unsigned	informed;	/* 1xx passed on */
	struct fields	trailers;
	bool		is_paused;	/* the client does not keep up */

	/* HTTP/1. */
	struct agent_socket	*socket;	/* borrowed from the peer's agent; NULL between tries */
	struct span		 head;		/* arena: ready to be sent */
	struct span		 head_path;	/* of the server that it was laid down for */
	bool			 is_chunked;
	struct text		 out;		/* what the socket did not take */
	size_t			 out_sent;	/* of out */
	struct text		 partial;	/* a head that is not complete */
	size_t			 searched;	/* of partial: no head ends there */
	enum h1_body		 body;
	uint64_t		 body_left;
	struct h1_chunked	 chunked;
	bool			 keep_alive;	/* the server's word */
	bool			 reads_off;	/* paused, and the server went on sending */

	/* HTTP/2. */
	struct h2_stream	stream;
	bool			has_answer;	/* the head is in request->response, but not passed on yet */
	uint32_t		fields_before;	/* of request->response, before that head */
	uint64_t		seen_before;
};

/* -- relay.c ------------------------------------------------------------------------------------------------------- */

void		 relay_move(struct relay *relay, enum relay_state state);

/* A way to the server has come about, or has not; error and why: as struct socket_events. */
void		 relay_connected(struct relay *relay, int error, const char *why);

/*
 * This try has failed: another one, or `status` for the client (an abort when the response has started). cause 0: it is
 * not to be tried again. why: a constant, or in the request's arena.
 */
void		 relay_failed(struct relay *relay, enum retry_cause cause, unsigned status, const char *why);

/* The server has done nothing with it, and that is no failure of it: another try without being counted, for a while. */
void		 relay_unprocessed(struct relay *relay, const char *why);

/* Whether another try may follow such a failure; then it is counted. */
bool		 relay_may_retry(struct relay *relay, enum retry_cause cause);
/* after relay_may_retry() said so */
void		 relay_retry(struct relay *relay, unsigned status, const char *why);

/* The request is somebody else's from now on: returns it. The relay is OVER. */
struct request	*relay_end(struct relay *relay);

/* The timeout of what we wait for now. */
void		 relay_arm(struct relay *relay);

/* -- relay_body.c -------------------------------------------------------------------------------------------------- */

/* Connected: sends the head, and lets content come. */
void	relay_send(struct relay *relay);
void	relay_on_body(struct request *request, struct span piece, bool last);

/* What waited has left. */
void	relay_body_left(struct relay *relay);

/* All of the request has left. */
bool	relay_is_sent(const struct relay *relay);

/* -- relay_answer.c ------------------------------------------------------------------------------------------------ */

/* A head as a protocol has read it. */
struct relay_answer {
	unsigned		 status;
	bool			 has_length;
	uint64_t		 content_length;
	const struct fields	*fields;
	/* that the fields point into and that do not stay; empty: their texts are in the arena */
	struct span		 bytes;
	struct span		 via;	/* "1.1 reeve" */
};

/* A final head: what it says of the server is noted. False: another server is asked instead, or all is over. */
bool	relay_take_head(struct relay *relay, const struct relay_answer *answer);

/* Puts it into request->response. */
void	relay_fill(struct relay *relay, const struct relay_answer *answer);

/* Passes on a 1xx, of which the fields are changed. False: the relay is over. */
bool	relay_inform(struct relay *relay, unsigned status, struct fields *fields);

/* The end of a response that has started, with its last pieces and relay->trailers. */
void	relay_complete(struct relay *relay, const struct iovec *pieces, unsigned count, bool is_reusable);

/* -- relay_h1_send.c ----------------------------------------------------------------------------------------------- */

void	relay_bytes_send(struct relay *relay, const struct iovec *pieces, unsigned count);
void	relay_writable(struct relay *relay);
bool	relay_out_waits(const struct relay *relay);

/* What the socket must tell us: reads unless we are paused, writes while something waits. */
void	relay_watch(struct relay *relay);

/* -- relay_h1_receive.c -------------------------------------------------------------------------------------------- */

void	relay_readable(struct relay *relay);

/* -- relay_tunnel.c ------------------------------------------------------------------------------------------------ */

/* A 101 has come, and behind it `rest`. */
void	relay_tunnel_begin(struct relay *relay, const struct relay_answer *answer, struct span rest);
void	relay_tunnel_take(struct relay *relay, struct span bytes);
void	relay_tunnel_send(struct relay *relay, struct span piece);
void	relay_tunnel_left(struct relay *relay);	/* what waited has left */

#endif
