/* Looking at and narrowing down spans. Nothing here allocates, and nothing reads past `len`. */
#include "base/span.h"

bool
span_equal_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (byte_lower(a.at[i]) != byte_lower(b.at[i]))
			return false;
	}
	return true;
}

bool
span_starts_with(struct span a, struct span prefix)
{
	return a.len >= prefix.len && span_equal(span_first(a, prefix.len), prefix);
}

bool
span_ends_with(struct span a, struct span suffix)
{
	return a.len >= suffix.len && span_equal(span_skip(a, a.len - suffix.len), suffix);
}

int
span_compare(struct span a, struct span b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared == 0 ? 0 : memcmp(a.at, b.at, shared);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

size_t
span_find(struct span a, char byte)
{
	const char *found = a.len == 0 ? NULL : memchr(a.at, byte, a.len);

	return found == NULL ? a.len : (size_t)(found - a.at);
}

size_t
span_find_last(struct span a, char byte)
{
	const char *found = a.len == 0 ? NULL : memrchr(a.at, byte, a.len);

	return found == NULL ? a.len : (size_t)(found - a.at);
}

/* A NULL `at` stays as it is: adding even 0 to NULL is undefined in C17. */
struct span
span_skip(struct span a, size_t count)
{
	if (count > a.len)
		count = a.len;
	return count == 0 ? a : span_make(a.at + count, a.len - count);
}

struct span
span_first(struct span a, size_t count)
{
	return span_make(a.at, count < a.len ? count : a.len);
}

static bool
is_optional_whitespace(char byte)
{
	return byte == ' ' || byte == '\t';
}

struct span
span_trim(struct span a)
{
	while (a.len > 0 && is_optional_whitespace(a.at[0]))
		a = span_skip(a, 1);
	while (a.len > 0 && is_optional_whitespace(a.at[a.len - 1]))
		a.len--;
	return a;
}

bool
span_cut(struct span *rest_io, char separator, struct span *part_out)
{
	size_t end;

	if (rest_io->len == 0)
		return false;
	end = span_find(*rest_io, separator);
	*part_out = span_first(*rest_io, end);
	*rest_io = span_skip(*rest_io, end + 1);
	return true;
}

bool
span_to_number(struct span a, uint64_t max, uint64_t *number_out)
{
	uint64_t number = 0;

	if (a.len == 0)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		unsigned digit = (unsigned)(unsigned char)a.at[i] - '0';

		if (digit > 9 || number > UINT64_MAX / 10 || number * 10 > UINT64_MAX - digit)
			return false;
		number = number * 10 + digit;
	}
	if (number > max)
		return false;
	*number_out = number;
	return true;
}
