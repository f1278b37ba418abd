/*
 * h2_session: a server's nghttp2 session, set up as reeve wants it. What its callbacks do is the caller's.
 *
 * nghttp2 frames, compresses, counts windows and schedules by RFC 9218; it does not judge messages (h2_head.h does), and
 * gives windows back only for what was consumed.
 */
#ifndef REEVE_CODEC_H2_SESSION_H
#define REEVE_CODEC_H2_SESSION_H

#include "base/span.h"

#include <nghttp2/nghttp2.h>

enum { H2_HELLO_MAX = 128, H2_FRAME_MAX = 9 + 16384 };

/* What the client is told. */
struct h2_session_limits {
	uint32_t	window;		/* of the connection */
	uint32_t	stream_window;
	uint32_t	header_size;	/* SETTINGS_MAX_HEADER_LIST_SIZE */
};

/* Our SETTINGS wait in it to go out first. callbacks, limits: borrowed for the call. */
nghttp2_session	*h2_session_create(const nghttp2_session_callbacks *callbacks, void *owner,
    const struct h2_session_limits *limits);
void		 h2_session_free(nghttp2_session *session);	/* NULL is fine */

/*
 * Our preface: the first bytes that go out, at `to`; returns how many. max_streams is told but not held by the session:
 * it would end the connection over one stream more (the caller refuses that stream, RFC 9113 §5.1.2).
 */
size_t		 h2_session_hello(nghttp2_session *session, uint32_t max_streams, char to[H2_HELLO_MAX]);

#endif
