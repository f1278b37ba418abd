/*
 * span: a piece of somebody else's bytes, by pointer and length.
 *
 * Everything that comes from outside (the network, a file) is passed as a span; NUL-terminated strings exist only at
 * the edge to libc. A span owns nothing: whoever keeps one longer than the call says where the bytes live.
 */
#ifndef REEVE_BASE_SPAN_H
#define REEVE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct span {
	const char	*at;	/* borrowed; may be NULL when len is 0 */
	size_t		 len;
};

/* A span of a string literal, also as a static initialiser. */
#define SPAN(literal) { "" literal, sizeof(literal) - 1 }
#define SPAN_OF(literal) ((struct span)SPAN(literal))

static inline struct span
span_make(const char *at, size_t len)
{
	return (struct span){ at, len };
}

static inline struct span
span_between(const char *from, const char *to)
{
	return (struct span){ from, (size_t)(to - from) };
}

/* text may be NULL: the empty span. */
static inline struct span
span_text(const char *text)
{
	return (struct span){ text, text ? strlen(text) : 0 };
}

/* For calls that only read, though iovec has no const. */
static inline struct iovec
span_iovec(struct span bytes)
{
	struct iovec piece = { .iov_len = bytes.len };

	memcpy(&piece.iov_base, &bytes.at, sizeof(piece.iov_base));
	return piece;
}

static inline bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool
span_is(struct span a, const char *text)
{
	return span_equal(a, span_text(text));
}

/* ASCII case is ignored; other bytes must be the same. */
bool		span_equal_nocase(struct span a, struct span b);
bool		span_starts_with(struct span a, struct span prefix);
bool		span_ends_with(struct span a, struct span suffix);
int		span_compare(struct span a, struct span b);	/* as memcmp, a shorter prefix first */

/* Offset of the first `byte`, or a.len when there is none. */
size_t		span_find(struct span a, char byte);
size_t		span_find_last(struct span a, char byte);

struct span	span_skip(struct span a, size_t count);		/* without its first `count` bytes (at most all) */
struct span	span_first(struct span a, size_t count);	/* its first `count` bytes (at most all) */
struct span	span_trim(struct span a);			/* without SP and HTAB at both ends (RFC 9110 OWS) */

/*
 * Takes the part before the next `separator` off *rest_io. False when nothing is left. "a,,b" gives "a", "", "b"; the
 * empty span gives nothing.
 */
bool		span_cut(struct span *rest_io, char separator, struct span *part_out);

/* Decimal digits only, no sign, no space; false when empty, other bytes or over `max`. */
bool		span_to_number(struct span a, uint64_t max, uint64_t *number_out);

static inline char
byte_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

#endif
