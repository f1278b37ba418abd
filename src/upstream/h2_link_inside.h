/*
 * h2_link_inside: what the files of h2_link share.
 *
 *	h2_link.c	connections: opened, found, ended
 *	h2_link_bytes.c	what they read and write
 *	h2_stream.c	the streams on them: what their owners ask for and hear
 */
#ifndef REEVE_UPSTREAM_H2_LINK_INSIDE_H
#define REEVE_UPSTREAM_H2_LINK_INSIDE_H

#include "upstream/h2_link.h"

struct h2_link {
	struct list_node	 node;		/* in agent->links or agent->full_links */
	struct later		 turn;
	struct later		 free;
	struct timeout		 idle;
	struct timeout		 pulse;		/* a sign of life was asked for */
	struct agent		*agent;		/* borrowed: lives while we have its socket */
	struct upstream_world	*world;		/* borrowed */
	struct agent_socket	*socket;	/* borrowed; NULL: closed */
	struct h2_client	*client;	/* owned */
	struct list_node	 streams;	/* struct h2_stream */
	struct list_node	 told;		/* those with something to tell their owners */
	unsigned		 count;		/* of streams */
	unsigned		 limit;
	struct text		 out;		/* gathered, not yet taken by the socket */
	size_t			 out_sent;	/* of it */
	uint64_t		 written;	/* bytes taken by the socket, ever */
	uint64_t		 opened_ms;
	uint64_t		 heard_ms;	/* when bytes came last */
	uint64_t		 requests;	/* begun on it */
	bool			 is_connecting;
	bool			 is_leaving;	/* takes no more streams */
	bool			 is_idle;	/* counted in agent->idle_links */
	bool			 has_room;	/* in which list it stands */
	bool			 send_broken;	/* the server takes nothing any more; it may still answer */
	bool			 is_on_stack;	/* of what it reads, makes or tells: not to be closed now */
};

/* -- h2_link.c ----------------------------------------------------------------------------------------------------- */

/* Room for another stream may have come or gone: in its count, its limits, what the server says. */
void	h2_link_update_room(struct h2_link *link);
void	h2_link_look_at_client(struct h2_link *link);

/* A request is on its way: is anybody there? */
void	h2_link_feel_pulse(struct h2_link *link);

/* The connection is gone: its streams are told. unread: as agent_socket_unread() has it. */
void	h2_link_fail(struct h2_link *link, uint64_t unread, const char *why);

/* It has not come about. */
void	h2_link_refuse(struct h2_link *link, int error, const char *why);

/* Between two turns: whether it stays. */
void	h2_link_settle(struct h2_link *link);

/* -- h2_link_bytes.c ----------------------------------------------------------------------------------------------- */

extern const struct socket_events h2_link_socket_events;

/* link->turn: the end of a turn in which something happened. */
void	h2_link_turn(struct later *later);

/* -- h2_stream.c --------------------------------------------------------------------------------------------------- */

extern const struct h2_client_events h2_link_codec_events;

/* The stream is on the link no longer; its owner is not told. */
void	h2_stream_unlink(struct h2_stream *stream);

/* Owners hear what has come for them. */
void	h2_link_tell(struct h2_link *link);

#endif
