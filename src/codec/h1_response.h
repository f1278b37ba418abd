/*
 * h1_response: the head of an HTTP/1 response, as an upstream sends it.
 *
 * As strict as h1_request about everything that frames the message; what is refused becomes a 502 and the socket is
 * never used again. 1xx heads are returned like others (status < 200): the caller reads on. A head over
 * limits->header_size or header_count is refused, too; uri_size is not looked at. keep_alive is false when the body
 * ends with the connection, and for a 1xx or 204 whose fields promise content.
 */
#ifndef REEVE_CODEC_H1_RESPONSE_H
#define REEVE_CODEC_H1_RESPONSE_H

#include "codec/h1_request.h"

struct h1_response_head {
	unsigned	 status;
	struct span	 reason;
	uint8_t		 minor;
	enum h1_body	 body;			/* by RFC 9112 §6.3, knowing the request's method */
	uint64_t	 content_length;
	bool		 has_content_length;	/* also of HEAD and 304 */
	bool		 keep_alive;
	const char	*why;			/* H1_BAD */
};

enum h1_result	h1_response_parse(struct span bytes, enum http_method request_method, const struct h1_limits *limits,
    struct fields *fields, struct h1_response_head *head_out, size_t *used_out);

#endif
