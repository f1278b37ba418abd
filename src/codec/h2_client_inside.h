/*
 * h2_client_inside: what the files of h2_client share.
 *
 *	h2_client.c		sessions, and the verbs of their owners
 *	h2_client_receive.c	what nghttp2 tells of frames that have come
 *	h2_client_send.c	what it asks for when it makes frames
 */
#ifndef REEVE_CODEC_H2_CLIENT_INSIDE_H
#define REEVE_CODEC_H2_CLIENT_INSIDE_H

#include "codec/h2_client.h"

#include <nghttp2/nghttp2.h>

enum {
	H2_CLIENT_ROOM = 64,	/* fields of a response before the arena is needed */
	H2_CLIENT_WHY_MAX = 160,
};

struct h2_client {
	nghttp2_session			*session;			/* owned */
	const struct h2_client_events	*events;			/* borrowed: static */
	struct text			*out;				/* during h2_client_gather() */
	uint64_t			 gathered;			/* bytes, ever */
	struct h2_client_stream		*reading;	/* whose header block comes now; NULL: nobody listens */
	struct fields			 fields;			/* of that */
	size_t				 list_size;			/* of that, also of what nobody listens to */
	unsigned			 status;			/* of that; 0: none, as in trailers */
	unsigned			 chatter;
	unsigned			 continuations;			/* CONTINUATION frames of that block */
	nghttp2_nv			*pairs;				/* owned: of the request that is being asked */
	size_t				 pair_room;
	const char			*complaint;			/* nghttp2's last; NULL: none */
	char				 why[H2_CLIENT_WHY_MAX];	/* of the end; empty: nobody has said */
	struct field			 room[H2_CLIENT_ROOM];
};

static inline struct h2_client_stream *
h2_client_stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* nghttp2 knows it no longer; it may still be looked at. */
void	h2_client_detach(struct h2_client *client, struct h2_client_stream *stream);

/* Why the session ends; the first reason is the one that matters. */
void	h2_client_set_why(struct h2_client *client, const char *why);

/* Their callbacks. */
void	h2_client_receive_callbacks(nghttp2_session_callbacks *callbacks);
void	h2_client_send_callbacks(nghttp2_session_callbacks *callbacks);

/* The data provider of every request with content. */
ssize_t	h2_client_content_ask(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *owner);

#endif
