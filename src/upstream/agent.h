/*
 * agent: the keep-alive sockets of one worker to one target under one set of limits, as Node's http.Agent has them.
 *
 *      borrow ──▶ CONNECTING ──▶ HANDSHAKING ──▶ BUSY ──▶ give back ──▶ FREE ──▶ borrow …     last in, first out
 *                     │           (with TLS)      │           │
 *                     └────────────┴──────────────┴─────┬─────┘
 *                                                       ▼
 *                                                     closed    a free socket that says anything (even EOF) is closed
 *                                                               at once; what TLS says for itself is no such thing
 *
 * An agent belongs to the worker's world and is shared by every peer with its target and limits, of every site: a
 * reload leaves its sockets warm. Two that trust others, show other certificates or ask for another name never share
 * one. It knows no HTTP: its borrower hears of readiness and does the reading and writing.
 */
#ifndef REEVE_UPSTREAM_AGENT_H
#define REEVE_UPSTREAM_AGENT_H

#include "base/address.h"
#include "loop/timeout.h"
#include "net/stream.h"
#include "upstream/options.h"

struct upstream_world;

/* Where a server is: an internet address, or AF_UNIX and a path. */
struct agent_address {
	struct address	address;
	char		path[108];
};

enum { AGENT_ADDRESS_TEXT_MAX = 128 };

bool	agent_address_equal(const struct agent_address *a, const struct agent_address *b);
size_t	agent_address_format(const struct agent_address *address, char to[AGENT_ADDRESS_TEXT_MAX]);

/* A non-blocking socket on its way there: -1 and errno when that fails at once. *is_connected_out: already there. */
int	agent_address_dial(const struct agent_address *address, bool *is_connected_out);

/* What the borrower of a socket hears, from the loop only, and never after it let the socket go. */
struct socket_events {
	/* error: 0, or an errno, EPROTO for a handshake that failed. why: then the sentence; during the call only. */
	void	(*on_connected)(void *owner, int error, const char *why);
	void	(*on_readable)(void *owner);
	void	(*on_writable)(void *owner);
};

/* What makes an agent that one and no other. Borrowed for the call. */
struct agent_target {
	const struct agent_address	*address;
	const struct agent_limits	*limits;
	enum upstream_protocol		 protocol;	/* never two on one socket */
	struct tls_client		*tls;		/* NULL: plain */
	struct span			 host;		/* of the server's URL; plain: empty */
};

struct agent {
	struct list_node	 node;		/* in world->agents */
	struct upstream_world	*world;		/* borrowed: outlives us */
	struct agent_address	 address;
	struct agent_limits	 limits;
	enum upstream_protocol	 protocol;
	struct tls_client	*tls;		/* ref; NULL: plain */
	char			*host;		/* owned: whom TLS asks for; NULL: plain */
	struct tls_session	 session;	/* of the last handshake */
	struct list_node	 free;		/* struct agent_socket, the latest used first */
	struct list_node	 peers;		/* struct peer by agent_node, borrowed: they hear when there is room */
	unsigned		 refs;		/* peers */
	unsigned		 free_count;
	unsigned		 count;		/* sockets, free ones included */
	struct list_node	 links;		/* of UPSTREAM_H2: struct h2_link with room for a stream */
	struct list_node	 full_links;	/* the others */
	unsigned		 link_count;	/* each has a socket that is not free */
	unsigned		 idle_links;	/* of those, without a stream */
	unsigned		 streams;	/* on all links */
	unsigned		 streams_told;	/* how many the server allows on one, as it said last; 0: not yet */
	uint64_t		 told_seconds;	/* the last `Keep-Alive: timeout=` of the server; 0: none */
	uint64_t		 told_ms;	/* how long that lets us keep a free socket */
	uint64_t		 idle_ms;	/* what idle_class stands for */
	struct timeout_class	*idle_class;	/* of the sockets freed last; NULL: they are kept */
};

struct agent_socket {
	struct watch			 watch;
	struct timeout			 idle;		/* while it is free */
	struct list_node		 node;		/* in agent->free */
	struct list_node		 inside_node;	/* in world->inside */
	struct later			 later;
	struct agent			*agent;		/* borrowed: it lives while it has sockets */
	const struct socket_events	*events;	/* of the borrower; NULL: free or closed */
	void				*owner;		/* borrowed */
	struct stream			 stream;	/* owned */
	uint64_t			 opened_ms;
	uint64_t			 requests;	/* begun on it */
	uint64_t			 sent;		/* bytes of the borrower's */
	/* by the server's kernel when it was lent; UINT64_MAX: unknown */
	uint64_t			 acknowledged;
	unsigned			 wants;		/* the borrower's, enum watch_for */
	bool				 is_connecting;
	bool				 is_handshaking;
};

enum borrow_result {
	BORROW_REUSED,		/* a free socket: write now */
	BORROW_CONNECTED,	/* a new one, connected at once: write now */
	BORROW_CONNECTING,	/* on_connected will tell */
	BORROW_FULL,		/* max_sockets are in use: agent_has_room() was not asked */
	BORROW_FAILED,		/* errno says why */
};

/* The agent of that target, made when it is the first. The caller has a reference. */
struct agent	*agent_for(struct upstream_world *world, const struct agent_target *target);
void		 agent_unref(struct agent *agent);	/* the last one closes the free sockets */

/* Requests in flight: sockets in use, and streams on those that are links. */
static inline unsigned
agent_busy(const struct agent *agent)
{
	return agent->count - agent->free_count - agent->link_count + agent->streams;
}

static inline bool
agent_has_room(const struct agent *agent)
{
	return agent->free_count > 0 || agent->count < agent->limits.max_sockets || !list_is_empty(&agent->links);
}

/*
 * fresh: not a used one. careful: a free socket is looked at once more (a system call) before it is lent, because what
 * is sent on it cannot be sent again.
 */
enum borrow_result	 agent_borrow(struct agent *agent, bool fresh, bool careful, const struct socket_events *events,
    void *owner, struct agent_socket **socket_out);

/* The server's own words on how long it keeps an idle connection (`Keep-Alive: timeout=5`). */
void			 agent_hear_keep_alive(struct agent *agent, struct span value);

/* After a complete exchange. Kept, or closed when the limits say so. */
void			 agent_socket_give_back(struct agent_socket *socket);
void			 agent_socket_close(struct agent_socket *socket);

/* The verbs of net/stream.h for borrowers. Bytes that then wait inside of TLS come as another on_readable. */
enum stream_result	 agent_socket_read(struct agent_socket *socket, char *to, size_t room, size_t *count_out);
enum stream_result	 agent_socket_write(struct agent_socket *socket, const struct iovec *pieces, unsigned count,
    size_t *count_out);
void			 agent_socket_shutdown(struct agent_socket *socket);	/* after all was taken */

/* After STREAM_BROKEN: stream_why(); it is gone with the socket. */
const char		*agent_socket_why(const struct agent_socket *socket);

/*
 * After the server has closed: bytes of ours that it did not take, as when it closes an idle connection while a
 * request is on its way. UINT64_MAX: some, nobody knows how many. 0: it has read the request, and then closed.
 *
 * With TLS it is all of them, when nothing that left since the socket was lent has been acknowledged, or else
 * UINT64_MAX. Never a part: what is one of ours to which of its bytes, only records know. Never 0: a server says
 * close_notify before it closes, and a request that crosses it is acknowledged though nobody reads it. So what may
 * happen twice is sent again, and what may not is only when the server cannot have seen any of it.
 */
uint64_t		 agent_socket_unread(struct agent_socket *socket);

/* For the busy: whether on_readable and on_writable come. A borrowed socket starts with reads only. */
void			 agent_socket_want(struct agent_socket *socket, unsigned wants);

/* How long a socket is kept while nobody uses it. NULL: for ever. */
struct timeout_class	*agent_idle_class(struct agent *agent);

/* What no request uses: free sockets, links without streams. */
void			 agent_close_free(struct agent *agent);

/* The world's timer: those whose bytes wait inside of TLS. */
void			 agents_hear_again(struct upstream_world *world);

#endif
