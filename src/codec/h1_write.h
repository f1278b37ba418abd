/*
 * h1_write: request and response heads, laid down in one pass.
 *
 * The caller has decided every field; nothing is added here but separators, and control characters in a value become
 * spaces (RFC 9110 §5.5). Names, first_line and extra are written as they are: they never come from a client
 * unchecked. What does not fit is not written: the result is 0 and the caller offers more room (h1_head_size_max()
 * says how much is always enough).
 */
#ifndef REEVE_CODEC_H1_WRITE_H
#define REEVE_CODEC_H1_WRITE_H

#include "http/field.h"

/* What h1_head_write() needs when extra is empty; add extra.len. */
size_t	h1_head_size_max(struct span first_line, const struct fields *fields);

/*
 * first_line with its CRLF (http_status_line()), the fields, `extra` (whole lines with CRLF, may be empty), the empty
 * line.
 */
size_t	h1_head_write(char *to, size_t room, struct span first_line, const struct fields *fields, struct span extra);

#endif
