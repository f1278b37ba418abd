/*
 * One growing array, and JSON written straight into it. The JSON writer keeps no stack: whether a comma is due is seen
 * from the last byte, because inside a string the bytes it looks for can only stand before the closing quote.
 */
#include "base/text.h"

#include "base/memory.h"
#include "base/put.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#define ROOM_MIN 64

void
text_init(struct text *text)
{
	*text = (struct text){ 0 };
}

void
text_fini(struct text *text)
{
	memory_free(text->bytes);
	text_init(text);
}

void
text_clear(struct text *text)
{
	text->len = 0;
	if (text->bytes != NULL)
		text->bytes[0] = '\0';
}

struct span
text_span(const struct text *text)
{
	return span_make(text->bytes, text->len);
}

char *
text_reserve(struct text *text, size_t count)
{
	size_t room = text->room < ROOM_MIN ? ROOM_MIN : text->room;

	assert(count < SIZE_MAX / 4 - text->len);
	if (text->len + count < text->room)
		return text->bytes + text->len;
	while (room <= text->len + count)
		room *= 2;
	text->bytes = memory_resize(text->bytes, room);
	text->room = room;
	return text->bytes + text->len;
}

void
text_add(struct text *text, struct span bytes)
{
	char *to = text_reserve(text, bytes.len);

	if (bytes.len > 0)
		memcpy(to, bytes.at, bytes.len);
	to[bytes.len] = '\0';
	text->len += bytes.len;
}

void
text_add_text(struct text *text, const char *bytes)
{
	text_add(text, span_text(bytes));
}

void
text_add_byte(struct text *text, char byte)
{
	char *to = text_reserve(text, 1);

	to[0] = byte;
	to[1] = '\0';
	text->len++;
}

void
text_add_number(struct text *text, uint64_t number)
{
	char *to = text_reserve(text, NUMBER_DIGITS_MAX), *end = put_number(to, number);

	*end = '\0';
	text->len += (size_t)(end - to);
}

void
text_format(struct text *text, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	text_format_list(text, format, list);
	va_end(list);
}

void
text_format_list(struct text *text, const char *format, va_list list)
{
	va_list again;
	char *to = text_reserve(text, ROOM_MIN);
	size_t room = text->room - text->len;
	int len;

	va_copy(again, list);
	len = vsnprintf(to, room, format, list);
	assert(len >= 0);
	if ((size_t)len >= room) {
		to = text_reserve(text, (size_t)len);
		vsnprintf(to, (size_t)len + 1, format, again);
	}
	va_end(again);
	text->len += (size_t)len;
}

/* The five that HTML reads as markup somewhere. */
void
text_html(struct text *text, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		switch (bytes.at[i]) {
		case '&': text_add(text, SPAN_OF("&amp;")); break;
		case '<': text_add(text, SPAN_OF("&lt;")); break;
		case '>': text_add(text, SPAN_OF("&gt;")); break;
		case '"': text_add(text, SPAN_OF("&quot;")); break;
		case '\'': text_add(text, SPAN_OF("&#39;")); break;
		default: text_add_byte(text, bytes.at[i]);
		}
	}
}

/* -- JSON --------------------------------------------------------------------------------------------------------- */

/* 1: stands for itself in a JSON string. Everything from 0x80 on is looked at as UTF-8. */
static const unsigned char stands_for_itself[256] = {
	[' '] = 1, ['!'] = 1, ['#' ... '['] = 1, [']' ... 0x7f] = 1,
};

/* What the second byte may be after a lead byte (Unicode 15, table 3-7): no overlong forms, no surrogates. */
static bool
utf8_second_fits(unsigned char lead, unsigned char second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return second >= 0x80 && second <= 0xbf;
	}
}

static size_t
utf8_len_by_lead(unsigned char lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 1;
}

/*
 * How many bytes at the start belong together: a whole character, or (valid false) as much of one as could be read.
 * The latter becomes one U+FFFD (Unicode 15, §3.9, "substitution of maximal subparts").
 */
static size_t
utf8_take(struct span bytes, bool *valid_out)
{
	unsigned char lead = (unsigned char)bytes.at[0];
	size_t want = utf8_len_by_lead(lead);
	size_t have = 1;

	while (have < want && have < bytes.len) {
		unsigned char byte = (unsigned char)bytes.at[have];

		if (have == 1 ? !utf8_second_fits(lead, byte) : (byte & 0xc0) != 0x80)
			break;
		have++;
	}
	*valid_out = want > 1 && have == want;
	return have;
}

/* A quote, a backslash or a control character. */
static void
json_escape(struct text *text, unsigned char byte)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(letters) - 1; i += 2) {
		if ((unsigned char)letters[i] == byte) {
			text_add_byte(text, '\\');
			text_add_byte(text, letters[i + 1]);
			return;
		}
	}
	text_add(text, SPAN_OF("\\u00"));
	text_add_byte(text, hex[byte >> 4]);
	text_add_byte(text, hex[byte & 15]);
}

/* One character that does not stand for itself; what it took is returned. */
static size_t
json_special(struct text *text, struct span bytes)
{
	bool is_valid;
	size_t count;

	if ((unsigned char)bytes.at[0] < 0x80) {
		json_escape(text, (unsigned char)bytes.at[0]);
		return 1;
	}
	count = utf8_take(bytes, &is_valid);
	text_add(text, is_valid ? span_first(bytes, count) : SPAN_OF("\xef\xbf\xbd"));
	return count;
}

void
text_json_string(struct text *text, struct span bytes)
{
	text_reserve(text, bytes.len + 2);
	text_add_byte(text, '"');
	while (bytes.len > 0) {
		size_t run = 0;

		while (run < bytes.len && stands_for_itself[(unsigned char)bytes.at[run]])
			run++;
		text_add(text, span_first(bytes, run));
		bytes = span_skip(bytes, run);
		if (bytes.len > 0)
			bytes = span_skip(bytes, json_special(text, bytes));
	}
	text_add_byte(text, '"');
}

static void
json_comma(struct text *text)
{
	if (text->len > 0 && strchr("{[:\n", text->bytes[text->len - 1]) == NULL)
		text_add_byte(text, ',');
}

void
text_json_open(struct text *text, char bracket)
{
	json_comma(text);
	text_add_byte(text, bracket);
}

void
text_json_close(struct text *text, char bracket)
{
	text_add_byte(text, bracket);
}

void
text_json_key(struct text *text, const char *key)
{
	json_comma(text);
	text_json_string(text, span_text(key));
	text_add_byte(text, ':');
}

void
text_json_span(struct text *text, struct span value)
{
	json_comma(text);
	text_json_string(text, value);
}

void
text_json_text(struct text *text, const char *value)
{
	json_comma(text);
	if (value == NULL)
		text_add(text, SPAN_OF("null"));
	else
		text_json_string(text, span_text(value));
}

void
text_json_number(struct text *text, uint64_t value)
{
	json_comma(text);
	text_add_number(text, value);
}

void
text_json_signed(struct text *text, int64_t value)
{
	json_comma(text);
	if (value < 0)
		text_add_byte(text, '-');
	text_add_number(text, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void
text_json_bool(struct text *text, bool value)
{
	json_comma(text);
	text_add(text, value ? SPAN_OF("true") : SPAN_OF("false"));
}

/* JSON knows no infinity and no NaN (RFC 8259 §6): null. */
void
text_json_decimal(struct text *text, double value, int digits)
{
	json_comma(text);
	if (isfinite(value))
		text_format(text, "%.*f", digits, value);
	else
		text_add(text, SPAN_OF("null"));
}
