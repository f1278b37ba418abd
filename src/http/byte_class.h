/*
 * byte_class: which bytes the grammars of HTTP and URI allow where, as one constant table.
 */
#ifndef REEVE_HTTP_BYTE_CLASS_H
#define REEVE_HTTP_BYTE_CLASS_H

#include "base/span.h"

enum byte_class {
	BYTE_TOKEN	= 1 << 0,	/* tchar, RFC 9110 §5.6.2 */
	BYTE_VALUE	= 1 << 1,	/* field value: VCHAR, obs-text, SP, HTAB (§5.5) */
	BYTE_TARGET	= 1 << 2,	/* what a request target may arrive with: VCHAR and 0x80–0xFF */
	BYTE_UNRESERVED	= 1 << 3,	/* RFC 3986 §2.3 */
	BYTE_PATH	= 1 << 4,	/* pchar and '/', but not '%' (§3.3) */
	BYTE_REG_NAME	= 1 << 5,	/* unreserved and sub-delims (§3.2.2) */
	BYTE_HEX	= 1 << 6,
	BYTE_DIGIT	= 1 << 7,
};

extern const unsigned char byte_classes[256];

/* Whether the byte is in one of the classes. */
static inline bool
byte_is(char byte, unsigned classes)
{
	return (byte_classes[(unsigned char)byte] & classes) != 0;
}

/* How many bytes at the start are in one of the classes. */
static inline size_t
bytes_while(struct span bytes, unsigned classes)
{
	size_t count = 0;

	while (count < bytes.len && byte_is(bytes.at[count], classes))
		count++;
	return count;
}

/* The value of a hex digit; the caller knows that it is one. */
static inline unsigned
hex_value(char digit)
{
	return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)((digit | 0x20) - 'a' + 10);
}

/* Whether it starts with a percent code: "%2F" (RFC 3986 §2.1). */
static inline bool
percent_code_leads(struct span from)
{
	return from.len >= 3 && from.at[0] == '%' && byte_is(from.at[1], BYTE_HEX) && byte_is(from.at[2], BYTE_HEX);
}

/* The byte that the percent code there stands for. */
static inline char
percent_code_value(const char *at)
{
	return (char)(hex_value(at[1]) << 4 | hex_value(at[2]));
}

#endif
