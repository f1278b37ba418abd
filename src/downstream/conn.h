/*
 * conn: one client's connection, whatever is spoken on it: HTTP/1 is h1.h's, HTTP/2 is h2.h's.
 *
 *      PROXY ──▶ HANDSHAKE ──▶ IDLE ◀──▶ HEAD ──▶ REQUEST ──▶ IDLE …      PROXY: the PROXY header is awaited
 *                      └─▶ H2 ◀─┤ (preface) │         │
 *                           │   └───────────┴─────────┴──▶ LINGER         LINGER: we have said all, and read until
 *                           └─────────────────────────────▶ CLOSED                the peer ends
 *
 * An idle connection is this struct and nothing else: bytes are read into one buffer that the whole worker shares, and
 * only what is incomplete is held here. The struct is internal to the room.
 */
#ifndef REEVE_DOWNSTREAM_CONN_H
#define REEVE_DOWNSTREAM_CONN_H

#include "codec/h1_request.h"
#include "downstream/downstream.h"
#include "downstream/out.h"
#include "loop/timeout.h"
#include "request/client.h"
#include "request/request.h"

#define CONN_STATES(S) S(PROXY) S(HANDSHAKE) S(IDLE) S(HEAD) S(REQUEST) S(H2) S(LINGER) S(CLOSED)
#define CONN_STATE_ENUM(name) CONN_##name,
enum conn_state { CONN_STATES(CONN_STATE_ENUM) CONN_STATE_COUNT };
#undef CONN_STATE_ENUM

enum {
	CONN_HELD_MAX = 64 * 1024,		/* bytes held while a handler is busy; then the socket waits */
	CONN_OUT_HIGH = 64 * 1024,		/* bytes waiting for the client at which handlers are told to pause */
	CONN_DISCARD_MAX = 256 * 1024,		/* content nobody wanted that we read to keep the connection */
	CONN_LINGER_MS = 5000,
	CONN_FILE_QUANTUM = 1024 * 1024,	/* of a file, before others get their turn */
	CONN_HANDSHAKES_A_TURN = 16,		/* steps of TLS handshakes; the next ones wait for the next turn */
};

struct exchange;
struct h2;
struct secured;	/* secure.c */

struct conn {
	struct watch				 watch;
	struct timeout				 timeout;	/* of the state we are in */
	struct list_node			 node;		/* in downstream->conns */
	/* in downstream->handshakes, while it waits for its turn */
	struct list_node			 turn_node;
	struct later				 later;		/* settles, resumes or frees at the end of the turn */
	struct stream				 stream;
	uint8_t					 state;		/* enum conn_state; conn_move() alone writes it */
	bool					 read_ended;	/* the peer finished sending */
	bool					 consuming;	/* conn_consume() is on the stack */
	bool					 counted;	/* in the per-client table */
	bool					 cut;		/* the peer must see a reset, not an end */
	struct downstream			*downstream;	/* borrowed: outlives us */
	const struct downstream_listener	*listener;	/* borrowed: outlives us */
	struct exchange				*exchange;	/* owned; NULL between requests */
	struct h2				*h2;		/* owned; in the state H2 */
	/* owned: what client.tls points into; NULL: in the clear */
	struct secured				*secured;
	char					*held;		/* owned: input that waits; NULL when none */
	uint32_t				 held_len;
	uint32_t				 held_room;
	uint32_t				 searched;	/* of held: bytes known to hold no end of the head */
	uint32_t				 requests;	/* begun on this connection */
	struct address				 peer;
	struct client				 client;
	char					 ip_text[INET6_ADDRSTRLEN];
};

/* What all connections of a worker share. */
struct downstream {
	struct loop			*loop;
	const struct downstream_events	*events;
	void				*owner;
	struct slot			*slot;			/* borrowed: shared memory */
	struct downstream_settings	 settings;
	struct h1_limits		 head_limits;
	struct timeout_class		*header_timeout;
	struct timeout_class		*body_timeout;
	struct timeout_class		*send_timeout;
	struct timeout_class		*keepalive_timeout;
	struct timeout_class		*linger_timeout;
	struct timeout_class		*drain_timeout;		/* while draining: instead of keepalive_timeout */
	struct list_node		 conns;
	size_t				 count;
	bool				 full;
	bool				 draining;
	bool				 emptied;		/* on_empty has been said */
	bool				 freed;			/* its owner is going, too: he hears nothing more */
	struct exchange			*free_exchanges;
	size_t				 free_count;
	struct h2_exchange		*free_h2_exchanges;
	size_t				 free_h2_count;
	struct per_client		*per_client;		/* owned; NULL: not limited */
	struct list_node		 handshakes;		/* struct conn by turn_node: first come, first served */
	struct timer			 handshake_timer;	/* the next turn, while somebody waits for it */
	uint64_t			 handshake_turn;	/* of the loop, that `handshake_steps` counts in */
	unsigned			 handshake_steps;
	char				*buffer;		/* owned: input of whoever reads now */
	size_t				 buffer_size;
};

/* downstream.c: all of them; counted, and on_full and on_empty said when they are due */
void			 downstream_add(struct downstream *downstream, struct conn *conn);
void			 downstream_remove(struct downstream *downstream, struct conn *conn);

/* conn.c: the life of a connection */
void			 conn_open(struct downstream *downstream, int fd, const struct address *peer,
    const struct downstream_listener *listener);
void			 conn_close(struct conn *conn);	/* at once; an exchange on it is cut off */
void			 conn_name_client(struct conn *conn);			/* conn->client from conn->peer */
void			 conn_trust(struct conn *conn);	/* whether the peer is a trusted proxy now */
bool			 conn_is_over_client_limit(struct conn *conn);	/* counts it, once its address is known */
void			 conn_linger(struct conn *conn);	/* ends our side; the peer's is read and forgotten */
void			 conn_say_last(struct conn *conn, struct span answer);	/* bytes of ours, then the end */
void			 conn_drain(struct conn *conn);
void			 conn_update(struct conn *conn);	/* asks the loop for the readiness that matters now */
void			 conn_arm(struct conn *conn);				/* the timeout of the state we are in */
void			 conn_move(struct conn *conn, enum conn_state state);

/* secure.c: from the first bytes of a TLS connection to its protocol */
void			 conn_handshake(struct conn *conn);	/* a step, or a place in the queue for one */
/* Its first bytes, read already: TLS begins, or is refused and the connection not secure when it returns. */
void			 conn_secure_with(struct conn *conn, struct span bytes);
void			 conn_handshake_late(struct conn *conn);
void			 handshakes_run(void *downstream);	/* handshake_timer: those who wait */
void			 secured_free(struct secured *secured);	/* NULL is fine */

/* conn_input.c: bytes to whatever protocol they are */
void			 conn_readable(struct conn *conn);
void			 conn_await_head(struct conn *conn);	/* something has begun that may become a request */

/*
 * Something has changed that lets held input be used, or the exchange is over: goes on from there. Never before whoever
 * calls has returned, because an exchange that is over is released then.
 */
void			 conn_go_on(struct conn *conn);
void			 conn_resume(struct conn *conn);	/* what conn_go_on() leaves to the end of the turn */

/* h1_exchange.c, h2_exchange.c: those kept for the next requests */
void			 h1_exchanges_free(struct downstream *downstream);
void			 h2_exchanges_free(struct downstream *downstream);

/* count.c: every request, whatever its protocol */
void			 downstream_count_begin(struct downstream *downstream);
void			 downstream_count_end(struct downstream *downstream, const struct request *request);

/*
 * head.c: what every protocol makes of a request's head; uri and host lie in the request's arena, request->authority is
 * set. False: why_out says what is wrong with it (400).
 */
bool			 head_complete(struct request *request, const struct uri_target *uri, struct span host,
    const struct networks *trusted_proxies, const char **why_out);

/* per_client.c: how many connections an address has */
struct per_client;
struct per_client	*per_client_create(void);
void			 per_client_free(struct per_client *table);
unsigned		 per_client_add(struct per_client *table, const struct address *address);	/* new count */
void			 per_client_remove(struct per_client *table, const struct address *address);

#endif
