/*
 * One scanner over the bytes that checks and skips a value; everything else is that scanner run again over what it has
 * passed. Nested values are scanned once a level when walked, which for records and reports of some kilobytes is less
 * work than a tree.
 */
#include "base/json.h"

#include <assert.h>

/* Bytes from `at` on; `failed` once something was not JSON. */
struct json_scan {
	const char	*at;
	const char	*end;
	bool		 failed;
};

static bool value_skip(struct json_scan *scan, unsigned depth);

static bool
scan_fail(struct json_scan *scan)
{
	scan->failed = true;
	scan->at = scan->end;
	return false;
}

/* The next byte, or NUL at the end: no JSON token holds a NUL. */
static char
scan_peek(const struct json_scan *scan)
{
	return scan->at < scan->end ? *scan->at : '\0';
}

static bool
scan_take(struct json_scan *scan, char byte)
{
	if (scan->at == scan->end || *scan->at != byte)
		return false;
	scan->at++;
	return true;
}

static void
space_skip(struct json_scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
		scan->at++;
}

static bool
word_skip(struct json_scan *scan, struct span word)
{
	if (!span_starts_with(span_between(scan->at, scan->end), word))
		return scan_fail(scan);
	scan->at += word.len;
	return true;
}

static bool
digits_skip(struct json_scan *scan)
{
	const char *from = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > from || scan_fail(scan);
}

/* §6: no leading zeros, digits on both sides of the point. */
static bool
number_skip(struct json_scan *scan)
{
	scan_take(scan, '-');
	if (!scan_take(scan, '0') && !digits_skip(scan))
		return false;
	if (scan_take(scan, '.') && !digits_skip(scan))
		return false;
	if (!scan_take(scan, 'e') && !scan_take(scan, 'E'))
		return true;
	if (!scan_take(scan, '+'))
		scan_take(scan, '-');
	return digits_skip(scan);
}

/* Four hex digits, or -1. */
static int
hex_read(const char *at, const char *end)
{
	int number = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char digit = byte_lower(at[i]);

		if (digit >= '0' && digit <= '9')
			number = number * 16 + (digit - '0');
		else if (digit >= 'a' && digit <= 'f')
			number = number * 16 + (digit - 'a' + 10);
		else
			return -1;
	}
	return number;
}

static bool
escape_skip(struct json_scan *scan)
{
	char byte = scan_peek(scan);

	if (byte == 'u') {
		if (hex_read(scan->at + 1, scan->end) < 0)
			return scan_fail(scan);
		scan->at += 5;
		return true;
	}
	if (byte == '\0' || strchr("\"\\/bfnrt", byte) == NULL)
		return scan_fail(scan);
	scan->at++;
	return true;
}

/* One character of more than one byte (RFC 3629 §4: no overlong forms, no surrogates, nothing past U+10FFFF). */
static bool
utf8_skip(struct json_scan *scan)
{
	unsigned char lead = (unsigned char)*scan->at;
	unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	ptrdiff_t count = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : 4;

	if (lead < 0xc2 || lead > 0xf4 || scan->end - scan->at < count)
		return scan_fail(scan);
	for (ptrdiff_t i = 1; i < count; i++, low = 0x80, high = 0xbf) {
		unsigned char byte = (unsigned char)scan->at[i];

		if (byte < low || byte > high)
			return scan_fail(scan);
	}
	scan->at += count;
	return true;
}

static bool
string_skip(struct json_scan *scan)
{
	if (!scan_take(scan, '"'))
		return scan_fail(scan);
	while (scan->at < scan->end) {
		unsigned char byte = (unsigned char)*scan->at;

		if (byte == '"') {
			scan->at++;
			return true;
		}
		if (byte < 0x20)
			break;
		if (byte >= 0x80) {
			if (!utf8_skip(scan))
				return false;
			continue;
		}
		scan->at++;
		if (byte == '\\' && !escape_skip(scan))
			return false;
	}
	return scan_fail(scan);
}

static bool
key_skip(struct json_scan *scan)
{
	if (!string_skip(scan))
		return false;
	space_skip(scan);
	if (!scan_take(scan, ':'))
		return scan_fail(scan);
	space_skip(scan);
	return true;
}

static bool
container_skip(struct json_scan *scan, bool has_keys, unsigned depth)
{
	char close = has_keys ? '}' : ']';

	if (depth == JSON_DEPTH)
		return scan_fail(scan);
	scan->at++;
	space_skip(scan);
	if (scan_take(scan, close))
		return true;
	for (;;) {
		if ((has_keys && !key_skip(scan)) || !value_skip(scan, depth + 1))
			return false;
		space_skip(scan);
		if (scan_take(scan, close))
			return true;
		if (!scan_take(scan, ','))
			return scan_fail(scan);
		space_skip(scan);
	}
}

static bool
value_skip(struct json_scan *scan, unsigned depth)
{
	switch (scan_peek(scan)) {
	case '{':
		return container_skip(scan, true, depth);
	case '[':
		return container_skip(scan, false, depth);
	case '"':
		return string_skip(scan);
	case 't':
		return word_skip(scan, SPAN_OF("true"));
	case 'f':
		return word_skip(scan, SPAN_OF("false"));
	case 'n':
		return word_skip(scan, SPAN_OF("null"));
	default:
		return number_skip(scan);
	}
}

static enum json_kind
kind_of(char first)
{
	switch (first) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

static bool
value_read(struct json_scan *scan, struct json_value *value_out)
{
	const char *from = scan->at;

	if (!value_skip(scan, 0))
		return false;
	*value_out = (struct json_value){ .kind = kind_of(*from), .raw = span_between(from, scan->at) };
	return true;
}

bool
json_parse(struct span bytes, struct json_value *value_out)
{
	struct json_scan scan;

	if (bytes.len == 0)
		return false;
	scan = (struct json_scan){ .at = bytes.at, .end = bytes.at + bytes.len };
	space_skip(&scan);
	if (!value_read(&scan, value_out))
		return false;
	space_skip(&scan);
	return scan.at == scan.end;
}

/* -- walking ------------------------------------------------------------------------------------------------------- */

struct json_walk
json_walk(struct json_value container)
{
	struct json_walk walk = { .has_keys = container.kind == JSON_OBJECT };

	if (container.kind == JSON_OBJECT || container.kind == JSON_ARRAY)
		walk.rest = span_make(container.raw.at + 1, container.raw.len - 2);
	return walk;
}

bool
json_next(struct json_walk *walk, struct span *key_out, struct json_value *value_out)
{
	struct json_scan scan;
	const char *from;
	bool is_read;

	if (walk->rest.len == 0)
		return false;
	scan = (struct json_scan){ .at = walk->rest.at, .end = walk->rest.at + walk->rest.len };
	space_skip(&scan);
	if (scan_take(&scan, ','))
		space_skip(&scan);
	if (scan.at == scan.end)
		return false;
	*key_out = span_make(scan.at, 0);
	if (walk->has_keys) {
		from = scan.at + 1;
		is_read = string_skip(&scan);
		assert(is_read);
		*key_out = span_between(from, scan.at - 1);
		space_skip(&scan);
		is_read = scan_take(&scan, ':');
		assert(is_read);
		space_skip(&scan);
	}
	is_read = value_read(&scan, value_out);
	assert(is_read);
	(void)is_read;
	walk->rest = span_between(scan.at, scan.end);
	return true;
}

bool
json_get(struct json_value object, const char *key, struct json_value *value_out)
{
	struct json_walk walk = json_walk(object);
	struct span found;

	if (object.kind != JSON_OBJECT)
		return false;
	while (json_next(&walk, &found, value_out)) {
		if (span_is(found, key))
			return true;
	}
	return false;
}

size_t
json_count(struct json_value container)
{
	struct json_walk walk = json_walk(container);
	struct json_value value;
	struct span key;
	size_t count = 0;

	while (json_next(&walk, &key, &value))
		count++;
	return count;
}

/* -- values -------------------------------------------------------------------------------------------------------- */

static void
utf8_add(struct text *to, unsigned code)
{
	if (code < 0x80) {
		text_add_byte(to, (char)code);
		return;
	}
	if (code < 0x800) {
		text_add_byte(to, (char)(0xc0 | code >> 6));
	} else {
		if (code < 0x10000) {
			text_add_byte(to, (char)(0xe0 | code >> 12));
		} else {
			text_add_byte(to, (char)(0xf0 | code >> 18));
			text_add_byte(to, (char)(0x80 | (code >> 12 & 0x3f)));
		}
		text_add_byte(to, (char)(0x80 | (code >> 6 & 0x3f)));
	}
	text_add_byte(to, (char)(0x80 | (code & 0x3f)));
}

/* After "\u": one character of one or two escapes (§7: surrogate pairs). Returns where it ends. */
static const char *
unicode_add(struct text *to, const char *at, const char *end)
{
	unsigned code = (unsigned)hex_read(at, end), second;

	at += 4;
	if (code >= 0xd800 && code <= 0xdbff && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
		second = (unsigned)hex_read(at + 2, end);
		if (second >= 0xdc00 && second <= 0xdfff) {
			utf8_add(to, 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00));
			return at + 6;
		}
	}
	utf8_add(to, code >= 0xd800 && code <= 0xdfff ? 0xfffd : code);
	return at;
}

static const char *
escape_add(struct text *to, const char *at, const char *end)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *letter = strchr(letters, *at);

	if (*at == 'u')
		return unicode_add(to, at + 1, end);
	text_add_byte(to, letter ? meanings[letter - letters] : *at);
	return at + 1;
}

void
json_string_add(struct json_value string, struct text *to)
{
	const char *at, *end;

	if (string.kind != JSON_STRING)
		return;
	at = string.raw.at + 1;
	end = string.raw.at + string.raw.len - 1;
	while (at < end) {
		size_t plain = span_find(span_between(at, end), '\\');

		text_add(to, span_make(at, plain));
		at += plain;
		if (at < end)
			at = escape_add(to, at + 1, end);
	}
}

bool
json_number(struct json_value number, uint64_t *number_out)
{
	return number.kind == JSON_NUMBER && span_to_number(number.raw, UINT64_MAX, number_out);
}
