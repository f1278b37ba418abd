/*
 * h2_head: a request's head, and its trailers, as HTTP/2 brings them: field by field, each judged as it comes
 * (RFC 9113 §8). nghttp2's own messaging checks are off; everything they hold is held here, and more.
 *
 *	h2_head_init ─▶ h2_head_add … ─▶ h2_head_end ─▶ the request        h2_trailers_init ─▶ h2_head_add … ─▶ h2_head_end
 *
 * Malformed, which is a stream error before anybody hears of the request: upper case in a name, or a byte that is no
 * token; control characters and white space around a value; connection-specific fields; TE other than "trailers";
 * pseudo-fields that are unknown, twice, behind a regular field, empty, or in trailers; missing ones; a path that does
 * not start with '/' (but OPTIONS *), or with a byte that no target has; an authority with userinfo or that is no
 * host[:port]; two Host or Content-Length fields, a Content-Length that is no number.
 *
 * Refused with a status, as HTTP/1 does: a head over the limits (431, 414), a Host that differs from :authority (400), a
 * scheme that is not http or https (400), an Expect other than 100-continue (417), a method of more than 32 bytes (501).
 *
 * What is kept is copied into the fields' arena. The caller bounds how much a peer may send after BOMB.
 */
#ifndef REEVE_CODEC_H2_HEAD_H
#define REEVE_CODEC_H2_HEAD_H

#include "codec/h1_request.h"

enum h2_verdict {
	H2_GOOD = 0,
	H2_MALFORMED,	/* RST_STREAM with PROTOCOL_ERROR */
	H2_REFUSED,	/* answer head->status; the rest of the block is of no use */
	H2_BOMB,	/* so far over the limit that it can only be meant so (HPACK bombs) */
};

enum { H2_FIELD_OVERHEAD = 32 };	/* of each field, RFC 9113 §6.5.2 */

struct h2_head {
	struct fields		*fields;	/* borrowed: request->fields or ->trailers */
	const struct h1_limits	*limits;	/* borrowed */
	bool			 is_trailers;
	bool			 has_regular;	/* no pseudo-field may follow */
	uint8_t			 verdict;	/* enum h2_verdict, of all so far */
	uint8_t			 pseudo;	/* which have come */
	uint16_t		 status;	/* REFUSED: what to answer */
	uint32_t		 count;		/* fields, a cookie's crumbs as one */
	uint64_t		 size;		/* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
	const char		*why;		/* not GOOD: a constant */
	struct span		 scheme;

	/* After h2_head_end() said GOOD. */
	enum http_method	method;
	struct span		method_name;
	struct span		target;		/* :path as sent; CONNECT: the authority */
	struct uri_target	uri;
	struct span		authority;	/* :authority, else Host */
	struct span		host;
	bool			has_length;
	bool			expects_continue;
	uint64_t		content_length;
};

void		h2_head_init(struct h2_head *head, struct fields *fields, const struct h1_limits *limits);
void		h2_trailers_init(struct h2_head *head, struct fields *trailers, const struct h1_limits *limits);

/* The verdict of all so far. After anything but GOOD fields are only counted. */
enum h2_verdict	h2_head_add(struct h2_head *head, struct span name, struct span value);

/* The block is complete; has_end: no content follows. */
enum h2_verdict	h2_head_end(struct h2_head *head, bool has_end);

#endif
