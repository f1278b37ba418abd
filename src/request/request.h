/*
 * request: the one request and its response, whatever protocol brought it.
 *
 *      HEAD ──▶ ROUTED ──▶ HANDLED ──▶ STARTED ──▶ FINISHED        the response's side: request->state
 *                  │           │           └──────▶ ABORTED
 *                  └───────────┴── an answer may come from any stage
 *
 * Three parties meet here and see nothing of each other:
 *	the transport (wire) brings it and carries the response away;
 *	the guide (route/) leads it through policies to a handler, and sees the response's head on its way back;
 *	the handler answers it; it hears of content, of room to send, and of the client's going.
 *
 * Everything of a request lives in its arena and goes with it. After finish or abort the handler must not touch it.
 * A handler that has been told on_gone must let go at once: that was its last call.
 */
#ifndef REEVE_REQUEST_REQUEST_H
#define REEVE_REQUEST_REQUEST_H

#include "base/address.h"
#include "base/arena.h"
#include "http/field.h"
#include "http/method.h"
#include "request/transport.h"

struct request;
struct client;
struct held_content;	/* policy/body_hold.h */

enum request_state {
	REQUEST_HEAD = 0,	/* being read and routed */
	REQUEST_HANDLED,	/* a handler has it */
	REQUEST_STARTED,	/* the response's head is decided */
	REQUEST_FINISHED,	/* all of it is given to the transport */
	REQUEST_ABORTED,	/* cut off */
};

enum { REQUEST_FIELDS_ROOM = 24, RESPONSE_FIELDS_ROOM = 16, REQUEST_CAPTURES_MAX = 16 };

/* What the handler of a request hears. Any may be NULL (not interested) but on_gone. */
struct request_events {
	/*
	 * A piece of content (borrowed: valid during the call), `last` with or after the final one (then it may be
	 * empty). It comes only while want_body is on.
	 */
	void	(*on_body)(struct request *request, struct span piece, bool last);

	/* What waited has been sent: more is welcome. */
	void	(*on_drained)(struct request *request);

	/* The client is gone or was cut off; the request is freed after this returns. */
	void	(*on_gone)(struct request *request);
};

/* What stands around every request: lent by route/. */
struct request_guide {
	/* The response's head is complete and about to leave: policies, in reverse order, may change it. */
	void	(*on_response)(struct request *request);

	/* Shape of an error answer (the `errors` policy): sets fields and returns the content, in the arena. */
	struct span	(*error_content)(struct request *request, unsigned status, const char *detail);

	/* The very end, answered or not: counted, logged, the site let go. */
	void	(*on_end)(struct request *request);
};

struct response {
	unsigned	status;
	struct fields	fields;		/* but Content-Length, Transfer-Encoding, Connection, Date: the transport's */
	bool		has_length;	/* content_length is known before the first byte */
	bool		keep_date;	/* fields hold a Date (of an upstream) already */
	bool		no_content;	/* HEAD, 204, 304: content is counted but not sent */
	bool		lasts;		/* what is written lives as long as the request: no transport need copy it */
	uint64_t	content_length;
};

struct request {
	const struct transport		*transport;	/* borrowed: static */
	const struct request_guide	*guide;		/* borrowed: static; NULL until it is routed */
	const struct request_events	*events;	/* borrowed: static; NULL until a handler has it */
	struct arena			*arena;		/* owned by the exchange */
	const struct client		*client;	/* borrowed: the connection's; outlives us */

	/* The head as it came. */
	enum http_method	method;
	struct span		method_name;
	struct span		target;		/* as sent */
	struct span		path;		/* normalised (http/uri.h) */
	struct span		query;		/* as sent, without '?' */
	bool			has_query;
	struct span		host;		/* lower case, without port; empty when the client sent none */
	struct span		authority;	/* as sent, with the port */
	struct fields		fields;
	struct fields		trailers;	/* complete when on_body said `last` */
	bool			has_body;	/* content follows (possibly empty) */
	bool			has_length;
	uint64_t		content_length;
	bool			expects_continue;
	bool			wants_upgrade;	/* Connection: upgrade with an Upgrade field */
	uint8_t			minor;		/* HTTP/1.minor; 2 for HTTP/2 */

	/* Limits that policies may set before the content is asked for. */
	uint64_t		 body_max;		/* bytes; 413 when more comes; UINT64_MAX: none */
	uint64_t		 body_timeout_ms;	/* between two reads; 0: the listener's limit */
	struct held_content	*held;	/* what the `body` policy reads before the handler; NULL: nothing */

	/* Who asked: the peer, or whom a trusted proxy names. Text in the arena or the client. */
	struct span	client_ip;
	struct address	client_address;	/* the same, for networks */
	struct span	scheme;		/* "http" or "https" as the client saw it */
	struct span	forwarded_host;	/* as a trusted proxy told, else authority */
	struct span	request_id;	/* "" until the policy has made one */

	/* The way through the house: route/ keeps these. */
	const void	*site;					/* ref, let go in on_end */
	const void	*route;					/* borrowed from the site; NULL: none matched */
	unsigned	 stage;					/* the next policy to ask */
	struct span	 captures[REQUEST_CAPTURES_MAX];	/* {name} of the path, decoded */
	const void	*handler;				/* the handler's own configuration */
	void		*work;					/* the handler's own state, arena */

	enum request_state	state;
	struct response		response;

	/* For the log and the counters. */
	uint64_t	 started_ms;	/* monotonic */
	uint64_t	 routed_ns;	/* monotonic; set by the `log` policy, 0 without it */
	uint64_t	 bytes_in;	/* content */
	uint64_t	 bytes_out;	/* content given to the transport */
	struct span	 upstream;	/* "127.0.0.1:3000", of the last try */
	uint64_t	 upstream_ms;	/* from the try's start to its response's head */
	unsigned	 retries;
	const char	*why;		/* what went wrong, a constant or arena; never sent to the client */

	struct field	fields_room[REQUEST_FIELDS_ROOM];
	struct field	response_room[RESPONSE_FIELDS_ROOM];
};

/* Zeroes, and sets up fields over arena. The transport fills in the head. */
void	request_init(struct request *request, const struct transport *transport, struct arena *arena,
    const struct client *client);

/* The handler's part: who hears from now on, with its state. */
void	request_take(struct request *request, const struct request_events *events, void *work);

/* Content: lets pieces come, or stops them. */
void	request_want_body(struct request *request, bool want);

#endif
