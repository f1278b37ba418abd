/*
 * h1_fields: header and trailer lines of HTTP/1, for h1_request, h1_response and h1_chunked alike.
 *
 * Strictly one reading: "name:" without space, a value without control characters but HTAB, CRLF (RFC 9112 §5). Lines
 * are refused at the first byte that cannot stand there, so a refusal never changes when more bytes come.
 */
#ifndef REEVE_CODEC_H1_FIELDS_H
#define REEVE_CODEC_H1_FIELDS_H

#include "codec/h1_request.h"

/* Why H1_BAD. */
struct h1_refusal {
	unsigned	 status;
	const char	*why;	/* a constant */
};

/* Always H1_BAD, so that a step can `return h1_refuse(…)`. */
enum h1_result	h1_refuse(struct h1_refusal *refusal, unsigned status, const char *why);

/* "\r\n" at *at_io, which then stands behind it. */
enum h1_result	h1_line_end_parse(const char **at_io, const char *end, struct h1_refusal *refusal_out);

/* One line at *at_io, which then stands at the next; name_out is not empty. */
enum h1_result	h1_field_line_parse(const char **at_io, const char *end, struct span *name_out, struct span *value_out,
    struct h1_refusal *refusal_out);

/*
 * Lines up to and including the empty one. Host, Content-Length and Transfer-Encoding may stand once only.
 */
enum h1_result	h1_fields_parse(const char **at_io, const char *end, uint64_t max_count, struct fields *fields,
    struct h1_refusal *refusal_out);

#endif
