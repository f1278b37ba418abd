/*
 * h2_link: one HTTP/2 connection of an agent and the streams on it. It borrows a socket of the agent for as long as it
 * lives, and belongs to the worker's world as that does: a reload leaves it open.
 *
 *      CONNECTING ──▶ OPEN ──────────────────────────────▶ closed      idle too long, or broken
 *                       └──▶ LEAVING ──its streams end──▶ closed      GOAWAY, max_requests, max_age
 *
 * Links with room for another stream stand in agent->links, the others in agent->full_links; a new one is opened only
 * when none has room. Until a server has told how many streams it allows, 100 are assumed. Streams may join a link that
 * is still connecting.
 *
 * What all streams of a link have to say in a turn leaves in one write at the turn's end; what one read brings a stream
 * comes to its owner in one call. An owner may leave from inside any event, and ask anew.
 */
#ifndef REEVE_UPSTREAM_H2_LINK_H
#define REEVE_UPSTREAM_H2_LINK_H

#include "codec/h2_client.h"
#include "upstream/agent.h"

enum {
	H2_LINK_STREAMS_MAX = 128,	/* however many the server allows */
	H2_STREAM_PIECES_MAX = 8,
};

struct h2_link;

/* What the owner of a stream hears; nothing after it left. Why's are valid during the call. */
struct h2_stream_events {
	/* After BORROW_CONNECTING: ask now, or, with an errno, it is off the link already. */
	void	(*on_connected)(void *owner, int error, const char *why);

	/* As h2_client's. */
	void	(*on_head)(void *owner, unsigned status, struct fields *fields);

	/* All that one read has brought: a head in any case, some content, the end. Valid during the call. */
	void	(*on_read)(void *owner, const struct iovec *pieces, unsigned count, bool ended);

	/* It is off the link. was_unread: the connection ended while bytes of ours were on the way. */
	void	(*on_failed)(void *owner, enum h2_failure failure, bool was_unread, const char *why);

	/* All content given is on its way. */
	void	(*on_taken)(void *owner);
};

/* Embedded in its owner; all zero to begin with. */
struct h2_stream {
	struct h2_client_stream		 codec;		/* first */
	struct list_node		 node;		/* in link->streams */
	struct list_node		 told_node;	/* in link->told */
	struct h2_link			*link;		/* borrowed; NULL: on none */
	const struct h2_stream_events	*events;	/* borrowed: static */
	void				*owner;		/* borrowed */
	struct fields			 trailers;	/* of the response, with on_read's `ended` */
	bool				 is_connecting;	/* waits for on_connected */
	bool				 has_news;	/* for on_read */
	bool				 has_ended;
	bool				 was_taken;
	bool				 was_refused;	/* by us: the link took no more when it was asked */
	unsigned			 piece_count;
	struct iovec			 pieces[H2_STREAM_PIECES_MAX];
};

/*
 * Puts the stream on a link of the agent. fresh, careful: as agent_borrow(). BORROW_REUSED, BORROW_CONNECTED: ask now.
 */
enum borrow_result	h2_stream_join(struct h2_stream *stream, struct agent *agent, bool fresh, bool careful,
    const struct h2_stream_events *events, void *owner);

/* Once, when connected. The arena is the request's. head->scheme is set here. */
void			h2_stream_ask(struct h2_stream *stream, struct arena *arena, struct h2_client_head *head,
    bool has_content);
void			h2_stream_write(struct h2_stream *stream, struct span piece, bool last,
    const struct fields *trailers);

/* The content that came has been taken. */
void			h2_stream_consume(struct h2_stream *stream);

/* Connected, but TLS is not agreed on yet. */
bool			h2_stream_is_handshaking(const struct h2_stream *stream);

/* Off the link, whatever became of it; safe twice. */
void			h2_stream_leave(struct h2_stream *stream);

/* For the agent, when nobody needs it any more. */
void			h2_links_close_idle(struct agent *agent);

#endif
