/*
 * put: bytes laid down one piece after the other, in room that was measured before.
 *
 * Each returns where the next piece goes. Nothing is checked and nothing NUL-terminated: whoever cannot say beforehand
 * how much it will be takes a text (text.h).
 */
#ifndef REEVE_BASE_PUT_H
#define REEVE_BASE_PUT_H

#include "base/span.h"

enum { NUMBER_DIGITS_MAX = 20 };	/* of a uint64_t */

static inline char *
put_span(char *to, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.at, bytes.len);
	return to + bytes.len;
}

static inline char *
put_number(char *to, uint64_t number)
{
	char digits[NUMBER_DIGITS_MAX];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return put_span(to, span_make(digits + at, sizeof(digits) - at));
}

/* "%2F": upper case, the one spelling (RFC 3986 §6.2.2.1). */
static inline char *
put_percent_code(char *to, unsigned char byte)
{
	static const char hex[] = "0123456789ABCDEF";

	*to++ = '%';
	*to++ = hex[byte >> 4];
	*to++ = hex[byte & 15];
	return to;
}

#endif
