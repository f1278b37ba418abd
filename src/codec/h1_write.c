/*
 * The largest size is added up first, so that laying down needs no checks on the way.
 *
 * A control character in a value is written as a space (RFC 9110 §5.5): no template of a configuration, whatever a
 * client makes it hold, can end a line and so split a message.
 */
#include "codec/h1_write.h"

#include "base/put.h"
#include "codec/h1_scan.h"

#include <assert.h>

static char *
put_value(char *to, struct span value)
{
	char *end = put_span(to, value);
	const char *at = to;

	while ((at = h1_scan_text(at, end, ' ')) < end) {
		if (*at != '\t')
			to[at - to] = ' ';
		at++;
	}
	return end;
}

size_t
h1_head_size_max(struct span first_line, const struct fields *fields)
{
	size_t size = first_line.len + 2;

	for (uint32_t i = 0; i < fields->count; i++)
		size += fields->items[i].name.len + fields->items[i].value.len + 4;
	return size;
}

size_t
h1_head_write(char *to, size_t room, struct span first_line, const struct fields *fields, struct span extra)
{
	char *at = to;

	if (h1_head_size_max(first_line, fields) + extra.len > room)
		return 0;
	at = put_span(at, first_line);
	for (uint32_t i = 0; i < fields->count; i++) {
		at = put_span(at, fields->items[i].name);
		*at++ = ':';
		*at++ = ' ';
		at = put_value(at, fields->items[i].value);
		*at++ = '\r';
		*at++ = '\n';
	}
	at = put_span(at, extra);
	*at++ = '\r';
	*at++ = '\n';
	assert((size_t)(at - to) <= room);
	return (size_t)(at - to);
}
