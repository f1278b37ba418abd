/*
 * h1_framing: how a message's fields say where its content ends (RFC 9112 §6), with one reading or none.
 */
#ifndef REEVE_CODEC_H1_FRAMING_H
#define REEVE_CODEC_H1_FRAMING_H

#include "codec/h1_fields.h"

struct h1_framing {
	bool		has_length;
	bool		is_chunked;
	uint64_t	length;
};

/*
 * Refuses Content-Length with Transfer-Encoding, a Content-Length that is not 1 to 19 digits, Transfer-Encoding in a
 * 1.0 message, and any coding but one "chunked" (501 when only the codings before it are the trouble). Zeros that
 * lead a Content-Length are cut from the field's value, so that nobody who reads it later takes it for octal.
 */
enum h1_result	h1_framing_parse(struct fields *fields, unsigned minor, struct h1_framing *framing_out,
    struct h1_refusal *refusal_out);

/* What Connection says about keeping the connection (RFC 9112 §9.3). */
bool		h1_keep_alive(const struct fields *fields, unsigned minor);

#endif
