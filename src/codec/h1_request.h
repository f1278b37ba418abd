/*
 * h1_request: the head of an HTTP/1 request (RFC 9112), bytes to struct.
 *
 * Strict: one reading of every message or none. Refused with 400 (unless another code is said): bare CR or LF,
 * obs-fold, space before the colon or before the first field, a name or value with bytes it may not have, two Host
 * fields or none (HTTP/1.1), a Host that is no valid authority or differs from the absolute-form target's,
 * Content-Length with Transfer-Encoding, two of either, a malformed Content-Length, Transfer-Encoding in a 1.0 message,
 * any coding but a single final "chunked" (501 when a coding is unknown and chunked is last), versions other than 1.0
 * and 1.1 (505), an HTTP/0.9 request, a method of more than 32 bytes (501), a target whose form does not go with the
 * method. One or more empty lines (CRLF) before the request line are skipped (§2.2), at most 4.
 *
 * No I/O, no timers; spans point into the given bytes.
 */
#ifndef REEVE_CODEC_H1_REQUEST_H
#define REEVE_CODEC_H1_REQUEST_H

#include "http/field.h"
#include "http/method.h"
#include "http/uri.h"

enum h1_result {
	H1_OK = 0,
	H1_AGAIN,	/* the head is not complete */
	H1_BAD,		/* refuse and close; see status and why */
};

struct h1_limits {
	uint64_t	header_size;	/* bytes of the whole head: 431 */
	uint64_t	header_count;	/* 431 */
	uint64_t	uri_size;	/* bytes of the target: 414 */
};

enum h1_body {
	H1_BODY_NONE = 0,	/* no content */
	H1_BODY_LENGTH,		/* content_length bytes */
	H1_BODY_CHUNKED,
	H1_BODY_UNTIL_CLOSE,	/* responses only */
};

struct h1_request_head {
	enum http_method	 method;
	struct span		 method_name;
	struct span		 target;
	struct uri_target	 uri;			/* the target's parts, checked */
	struct span		 authority;		/* of the target, else Host; empty: none (1.0) */
	struct span		 host;			/* its host, as sent; valid (http/uri.h) */
	uint8_t			 minor;			/* HTTP/1.minor: 0 or 1 */
	enum h1_body		 body;
	uint64_t		 content_length;
	bool			 keep_alive;		/* what the client wants (§9.3) */
	bool			 expects_continue;	/* 1.1 only; another Expect: H1_BAD with 417 */
	bool			 has_upgrade;		/* Connection: upgrade with an Upgrade field */
	unsigned		 status;		/* H1_BAD: what to answer */
	const char		*why;			/* H1_BAD: for the log, a constant */
};

/*
 * Parses the head at the start of `bytes`. fields is initialised by the caller; what it holds is dropped first, so the
 * same one serves again after H1_AGAIN. On H1_OK *used_out counts the bytes up to and including the empty line.
 *
 * Refusals come as early as the bytes allow and do not change with more of them. The target is cut into its parts and
 * these are checked, but for the path, which uri_path_normalise() may refuse. Content-Length: 0 is H1_BODY_NONE.
 */
enum h1_result	h1_request_parse(struct span bytes, const struct h1_limits *limits, struct fields *fields,
    struct h1_request_head *head_out, size_t *used_out);

/*
 * Whether a head that was incomplete with its first `searched` bytes might be complete now (an empty line has come,
 * or something that is no CRLF): cheap, so that a client who sends byte by byte costs linear time. The caller parses
 * anyway once limits->header_size bytes are there, which then are refused.
 */
bool		h1_head_may_be_complete(struct span bytes, size_t searched);

#endif
