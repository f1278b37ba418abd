/* The boundary is random, so that no file can hold it on purpose. */
#include "handler/files_parts.h"

#include "base/hash.h"

#include <inttypes.h>

void
files_parts_make(struct files_parts *parts, struct span type, uint64_t size, struct arena *arena)
{
	uint64_t a = random_number(), b = random_number();

	parts->length = 0;
	for (size_t i = 0; i < parts->count; i++) {
		struct byte_range range = parts->ranges[i];

		parts->heads[i] = span_text(arena_format(arena,
		    "\r\n--%016" PRIx64 "%016" PRIx64 "\r\nContent-Type: %.*s\r\n"
		    "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
		    a, b, (int)type.len, type.at, range.first, range.last, size));
		parts->length += parts->heads[i].len + byte_range_length(range);
	}
	parts->tail = span_text(arena_format(arena, "\r\n--%016" PRIx64 "%016" PRIx64 "--\r\n", a, b));
	parts->length += parts->tail.len;
	parts->content_type = span_text(arena_format(arena,
	    "multipart/byteranges; boundary=%016" PRIx64 "%016" PRIx64, a, b));
}
