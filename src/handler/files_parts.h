/*
 * files_parts: several ranges of a file in one answer: multipart/byteranges (RFC 9110 §14.6).
 *
 *	head[0] bytes  head[1] bytes  …  tail
 */
#ifndef REEVE_HANDLER_FILES_PARTS_H
#define REEVE_HANDLER_FILES_PARTS_H

#include "base/arena.h"
#include "http/range.h"

enum { FILES_RANGES_MAX = 16 };

struct files_parts {
	size_t			count;
	struct byte_range	ranges[FILES_RANGES_MAX];
	struct span		heads[FILES_RANGES_MAX];	/* arena; each with the line break before it */
	struct span		tail;
	uint64_t		length;				/* of everything */
	struct span		content_type;			/* with the boundary */
};

/* ranges and count are filled in; makes the rest. type: of the file; size: its length. */
void	files_parts_make(struct files_parts *parts, struct span type, uint64_t size, struct arena *arena);

static inline uint64_t
byte_range_length(struct byte_range range)
{
	return range.last - range.first + 1;
}

#endif
