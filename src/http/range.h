/*
 * range: byte ranges (RFC 9110 §14), resolved against a length.
 */
#ifndef REEVE_HTTP_RANGE_H
#define REEVE_HTTP_RANGE_H

#include "base/span.h"

struct byte_range {
	uint64_t	first;	/* inclusive */
	uint64_t	last;	/* inclusive */
};

enum range_result {
	RANGE_NONE,		/* absent, another unit, malformed, or more than `room` ranges: serve the whole */
	RANGE_SOME,
	RANGE_UNSATISFIABLE,	/* 416 */
};

/*
 * Fills at most `room` ranges of a representation of `length` bytes, as asked, unsatisfiable ones left out. More than
 * `room`, or ranges that overlap so that together they would send more than the whole: RANGE_NONE (RFC 9110 §14.2 lets
 * a server ignore abuse).
 */
enum range_result	range_parse(struct span value, uint64_t length, struct byte_range *ranges, size_t room,
    size_t *count_out);

#endif
