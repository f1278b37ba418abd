/*
 * The normal form of a path: first one spelling for every byte, then no dot segments and no empty ones. Most paths are
 * normal as they come, and a look is all they cost.
 */
#include "base/put.h"
#include "http/byte_class.h"
#include "http/uri.h"

/* Whether a segment that starts with the dot at `at` is "." or "..". */
static bool
is_dot_segment(const char *at, const char *end)
{
	at++;
	if (at < end && *at == '.')
		at++;
	return at == end || *at == '/';
}

/* True only when nothing is to be done; a percent code is left to the slow way. */
static bool
is_plain(struct span path)
{
	const char *at = path.at, *end = path.at + path.len;

	for (; at < end; at++) {
		if (!byte_is(*at, BYTE_PATH))
			return false;
		if (*at == '.' && at[-1] == '/' && is_dot_segment(at, end))
			return false;
		if (*at == '/' && at > path.at && at[-1] == '/')
			return false;
	}
	return true;
}

/* Writes each byte in its one spelling; NULL when the path is refused. `to` has room for three times the path. */
static char *
spell(char *to, struct span path)
{
	const char *at = path.at, *end = path.at + path.len;
	unsigned char byte;

	while (at < end) {
		byte = (unsigned char)*at++;
		if (byte != '%') {
			if (byte == '#' || !byte_is((char)byte, BYTE_TARGET))
				return NULL;
			if (byte_is((char)byte, BYTE_PATH))
				*to++ = (char)byte;
			else
				to = put_percent_code(to, byte);
			continue;
		}
		if (end - at < 2 || !byte_is(at[0], BYTE_HEX) || !byte_is(at[1], BYTE_HEX))
			return NULL;
		byte = (unsigned char)(hex_value(at[0]) << 4 | hex_value(at[1]));
		at += 2;
		if (byte == 0)
			return NULL;
		if (byte_is((char)byte, BYTE_UNRESERVED))
			*to++ = (char)byte;
		else
			to = put_percent_code(to, byte);
	}
	return to;
}

/*
 * RFC 3986 §5.2.4 in place, after what file systems and most servers do with empty segments: "/a//../b" is "/b".
 * Returns the new end, or NULL when a ".." has nothing left to take away.
 */
static char *
remove_dot_segments(char *path, char *end)
{
	char *at = path, *to = path, *segment_end;
	size_t length;

	while (at < end) {	/* at: the '/' before a segment */
		segment_end = memchr(at + 1, '/', (size_t)(end - at - 1));
		if (segment_end == NULL)
			segment_end = end;
		length = (size_t)(segment_end - at);
		if (length == 1 && segment_end < end) {
			;	/* "//": merged */
		} else if (length == 2 && at[1] == '.') {
			if (segment_end == end)
				*to++ = '/';
		} else if (length == 3 && at[1] == '.' && at[2] == '.') {
			if (to == path)
				return NULL;
			while (*--to != '/')
				;
			if (segment_end == end)
				*to++ = '/';
		} else {
			memmove(to, at, length);
			to += length;
		}
		at = segment_end;
	}
	return to;
}

bool
uri_path_normalise(struct span path, struct arena *arena, struct span *path_out)
{
	char *normal, *end;

	*path_out = path;
	if (path.len == 0 || path.at[0] != '/')
		return false;
	if (is_plain(path))
		return true;
	normal = arena_alloc(arena, path.len * 3);
	end = spell(normal, path);
	if (end != NULL)
		end = remove_dot_segments(normal, end);
	if (end == NULL)
		return false;
	if (!span_equal(path, span_between(normal, end)))
		*path_out = span_between(normal, end);
	return true;
}
