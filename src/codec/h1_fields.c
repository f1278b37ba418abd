/*
 * Each step either moves *at_io behind what it read, or leaves it and says AGAIN, or refuses.
 */
#include "codec/h1_fields.h"
#include "codec/h1_scan.h"
#include "http/byte_class.h"

#define BIT(id) ((uint64_t)1 << FIELD_##id)

/* A second one of these would be a second reading of the message. */
static const uint64_t only_once = BIT(HOST) | BIT(CONTENT_LENGTH) | BIT(TRANSFER_ENCODING);

enum h1_result
h1_refuse(struct h1_refusal *refusal, unsigned status, const char *why)
{
	*refusal = (struct h1_refusal){ status, why };
	return H1_BAD;
}

enum h1_result
h1_line_end_parse(const char **at_io, const char *end, struct h1_refusal *refusal_out)
{
	const char *at = *at_io;

	if (at == end)
		return H1_AGAIN;
	if (*at == '\n')
		return h1_refuse(refusal_out, 400, "a line ends in LF without CR");
	if (*at != '\r')
		return h1_refuse(refusal_out, 400, "a control character");
	if (at + 1 == end)
		return H1_AGAIN;
	if (at[1] != '\n')
		return h1_refuse(refusal_out, 400, "CR without LF");
	*at_io = at + 2;
	return H1_OK;
}

/* at: the first byte that is no part of a name. */
static enum h1_result
name_refuse(const char *start, const char *at, struct h1_refusal *refusal_out)
{
	bool is_first = at == start;

	switch (*at) {
	case ' ':
	case '\t':
		return h1_refuse(refusal_out, 400, is_first ? "a line starts with white space" :
		    "white space in or after a field name");
	case ':':
		return h1_refuse(refusal_out, 400, "a field without a name");
	case '\r':
		return h1_refuse(refusal_out, 400, "a field line without a colon");
	case '\n':
		return h1_refuse(refusal_out, 400, "a line ends in LF without CR");
	default:
		return h1_refuse(refusal_out, 400, "a byte that no field name may have");
	}
}

/* The byte after the last of the value, white space behind it included; HTAB is text here. */
static inline const char *
value_end(const char *at, const char *end)
{
	for (;;) {
		at = h1_scan_text(at, end, ' ');
		if (at == end || *at != '\t')
			return at;
		at++;
	}
}

static inline bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t';
}

enum h1_result
h1_field_line_parse(const char **at_io, const char *end, struct span *name_out, struct span *value_out,
    struct h1_refusal *refusal_out)
{
	const char *name = *at_io, *at = name, *value, *last;
	enum h1_result result;

	while (at < end && byte_is(*at, BYTE_TOKEN))
		at++;
	if (at == end)
		return H1_AGAIN;
	if (*at != ':' || at == name)
		return name_refuse(name, at, refusal_out);
	*name_out = span_between(name, at);

	for (at++; at < end && is_space(*at); at++)
		;
	value = at;
	last = at = value_end(at, end);
	result = h1_line_end_parse(&at, end, refusal_out);
	if (result != H1_OK)
		return result;
	while (last > value && is_space(last[-1]))
		last--;
	*value_out = span_between(value, last);
	*at_io = at;
	return H1_OK;
}

static const char *
repeated_why(enum field_name id)
{
	return id == FIELD_HOST ? "two Host fields" : id == FIELD_CONTENT_LENGTH ? "two Content-Length fields" :
	    "two Transfer-Encoding fields";
}

enum h1_result
h1_fields_parse(const char **at_io, const char *end, uint64_t max_count, struct fields *fields,
    struct h1_refusal *refusal_out)
{
	enum h1_result result;
	enum field_name id;
	struct span name, value;

	for (;;) {
		if (*at_io == end)
			return H1_AGAIN;
		if (**at_io == '\r')
			return h1_line_end_parse(at_io, end, refusal_out);
		if (fields->count >= max_count)
			return h1_refuse(refusal_out, 431, "too many fields");
		result = h1_field_line_parse(at_io, end, &name, &value, refusal_out);
		if (result != H1_OK)
			return result;
		id = field_name_of(name);
		if (((only_once & fields->seen) >> id) & 1)
			return h1_refuse(refusal_out, 400, repeated_why(id));
		fields_add_known(fields, id, name, value);
	}
}
