/*
 * text: bytes that grow, for building lines, heads, JSON and messages.
 *
 * Owns its bytes. Always NUL-terminated after the first add (the NUL is not counted). text_json_*() write RFC 8259:
 * invalid UTF-8 becomes U+FFFD, control characters are escaped.
 */
#ifndef REEVE_BASE_TEXT_H
#define REEVE_BASE_TEXT_H

#include "base/span.h"

#include <stdarg.h>

struct text {
	char	*bytes;	/* owned */
	size_t	 len;
	size_t	 room;
};

void		 text_init(struct text *text);	/* allocates nothing yet; {0} is the same */
void		 text_fini(struct text *text);
void		 text_clear(struct text *text);	/* empty again, keeps the room */
struct span	 text_span(const struct text *text);

/* Makes sure `count` more bytes fit and returns where they go; text->len is the caller's to raise. */
char		*text_reserve(struct text *text, size_t count);
void		 text_add(struct text *text, struct span bytes);
void		 text_add_text(struct text *text, const char *bytes);
void		 text_add_byte(struct text *text, char byte);
void		 text_add_number(struct text *text, uint64_t number);
void		 text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void		 text_format_list(struct text *text, const char *format, va_list list)
    __attribute__((format(printf, 2, 0)));

/* For HTML, also between quotes. */
void		 text_html(struct text *text, struct span bytes);

/* The string with its quotes. */
void		 text_json_string(struct text *text, struct span bytes);

/*
 * Members and elements with the comma where one is needed: none after '{', '[', ':' or a newline as the last byte.
 *	text_json_open(t, '{'); text_json_key(t, "pid"); text_json_number(t, 7); text_json_close(t, '}');
 */
void		 text_json_open(struct text *text, char bracket);
void		 text_json_close(struct text *text, char bracket);
void		 text_json_key(struct text *text, const char *key);
void		 text_json_span(struct text *text, struct span value);
void		 text_json_text(struct text *text, const char *value);	/* NULL: null */
void		 text_json_number(struct text *text, uint64_t value);
void		 text_json_signed(struct text *text, int64_t value);
void		 text_json_bool(struct text *text, bool value);
void		 text_json_decimal(struct text *text, double value, int digits);

#endif
