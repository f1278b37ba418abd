/*
 * Every field is judged alone when it comes, by tables; what they mean together is judged at the end of the block.
 */
#include "codec/h2_head.h"

#include "base/count.h"
#include "codec/h1_scan.h"
#include "codec/h2_nv.h"
#include "codec/trailers.h"
#include "http/byte_class.h"

#include <assert.h>

enum { METHOD_MAX = 32, LENGTH_DIGITS_MAX = 19, BOMB_FACTOR = 4, BOMB_MIN = 256 * 1024,
	SHARED_MIN = 256 };

enum { PSEUDO_METHOD = 1, PSEUDO_SCHEME = 2, PSEUDO_AUTHORITY = 4, PSEUDO_PATH = 8 };

static enum h2_verdict
judge(struct h2_head *head, enum h2_verdict verdict, unsigned status, const char *why)
{
	/* The worst holds: what could have two readings is never merely refused. */
	if (head->verdict == H2_GOOD || head->verdict == H2_REFUSED) {
		if (head->verdict == H2_GOOD || verdict != H2_REFUSED) {
			head->verdict = (uint8_t)verdict;
			head->status = (uint16_t)status;
			head->why = why;
		}
	}
	return (enum h2_verdict)head->verdict;
}

static enum h2_verdict
malformed(struct h2_head *head, const char *why)
{
	return judge(head, H2_MALFORMED, 0, why);
}

static enum h2_verdict
refused(struct h2_head *head, unsigned status, const char *why)
{
	return judge(head, H2_REFUSED, status, why);
}

void
h2_head_init(struct h2_head *head, struct fields *fields, const struct h1_limits *limits)
{
	*head = (struct h2_head){ .fields = fields, .limits = limits };
}

void
h2_trailers_init(struct h2_head *head, struct fields *trailers, const struct h1_limits *limits)
{
	h2_head_init(head, trailers, limits);
	head->is_trailers = true;
}

/* -- bytes --------------------------------------------------------------------------------------------------------- */

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* RFC 9113 §8.2.1 forbids NUL, CR, LF and white space around; RFC 9110 §5.5 the other control characters. */
static bool
value_is_good(struct span value)
{
	const char *at = value.at, *end;

	if (value.len == 0)
		return true;
	end = at + value.len;
	if (is_space(*at) || is_space(end[-1]))
		return false;
	while ((at = h1_scan_text(at, end, ' ')) < end) {
		if (*at != '\t')
			return false;
		at++;
	}
	return true;
}

static bool
name_is_good(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (!byte_is(name.at[i], BYTE_TOKEN) || byte_lower(name.at[i]) != name.at[i])
			return false;
	}
	return name.len > 0;
}

/* -- pseudo-fields ------------------------------------------------------------------------------------------------- */

static enum h2_verdict
method_take(struct h2_head *head, struct span value)
{
	head->method = http_method_of(value);
	if (head->method != HTTP_METHOD_OTHER) {
		head->method_name = span_text(http_method_name(head->method));
		return H2_GOOD;
	}
	if (!field_name_is_valid(value))
		return malformed(head, "a :method that is no token");
	if (value.len > METHOD_MAX)
		return refused(head, 501, "a method name longer than any that is known");
	head->method_name = arena_copy(head->fields->arena, value);
	return H2_GOOD;
}

static enum h2_verdict
scheme_take(struct h2_head *head, struct span value)
{
	if (span_equal_nocase(value, SPAN_OF("https")))
		head->scheme = SPAN_OF("https");
	else if (span_equal_nocase(value, SPAN_OF("http")))
		head->scheme = SPAN_OF("http");
	else if (value.len == 0)
		return malformed(head, "an empty :scheme");
	else
		return refused(head, 400, "a scheme that is not http or https");
	return H2_GOOD;
}

static enum h2_verdict
authority_take(struct h2_head *head, struct span value)
{
	head->authority = arena_copy(head->fields->arena, value);
	return H2_GOOD;
}

static enum h2_verdict
path_take(struct h2_head *head, struct span value)
{
	if (value.len == 0)
		return malformed(head, "an empty :path");
	if (value.len > head->limits->uri_size)
		return refused(head, 414, "the target is too long");
	if (h1_scan_text(value.at, value.at + value.len, '!') < value.at + value.len)
		return malformed(head, "a :path with white space or a control character");
	head->target = arena_copy(head->fields->arena, value);
	return H2_GOOD;
}

static const struct pseudo {
	struct span	name;
	uint8_t		bit;
	enum h2_verdict	(*take)(struct h2_head *head, struct span value);
} pseudos[] = {
	{ SPAN(":method"),	PSEUDO_METHOD,		method_take },
	{ SPAN(":path"),	PSEUDO_PATH,		path_take },
	{ SPAN(":scheme"),	PSEUDO_SCHEME,		scheme_take },
	{ SPAN(":authority"),	PSEUDO_AUTHORITY,	authority_take },
};

static enum h2_verdict
pseudo_add(struct h2_head *head, struct span name, struct span value)
{
	if (head->is_trailers)
		return malformed(head, "a pseudo-field in trailers");
	if (head->has_regular)
		return malformed(head, "a pseudo-field behind a regular one");
	for (size_t i = 0; i < COUNT(pseudos); i++) {
		if (!span_equal(name, pseudos[i].name))
			continue;
		if (head->pseudo & pseudos[i].bit)
			return malformed(head, "a pseudo-field twice");
		head->pseudo |= pseudos[i].bit;
		return pseudos[i].take(head, value);
	}
	return malformed(head, "a pseudo-field that requests do not have");
}

/* -- regular fields ------------------------------------------------------------------------------------------------ */

static enum h2_verdict
length_take(struct h2_head *head, struct span *value_io)
{
	struct span value = *value_io;

	if (fields_have(head->fields, FIELD_CONTENT_LENGTH))
		return malformed(head, "two Content-Length fields");
	if (value.len == 0 || value.len > LENGTH_DIGITS_MAX || !span_to_number(value, UINT64_MAX, &head->content_length))
		return malformed(head, "a Content-Length that is no plain number");
	head->has_length = true;
	/* So that nobody who reads it later takes it for octal. */
	while (value.len > 1 && value.at[0] == '0')
		value = span_skip(value, 1);
	*value_io = value;
	return H2_GOOD;
}

static enum h2_verdict
expect_take(struct h2_head *head, struct span value)
{
	if (!span_equal_nocase(value, SPAN_OF("100-continue")))
		return refused(head, 417, "an Expect other than 100-continue");
	head->expects_continue = true;
	return H2_GOOD;
}

/* Those that this room itself reads. */
static const uint64_t read_here = H2_CONNECTION_FIELDS | H2_BIT(TE) | H2_BIT(HOST) | H2_BIT(CONTENT_LENGTH) |
    H2_BIT(EXPECT);

static enum h2_verdict
known_take(struct h2_head *head, enum field_name id, struct span *value_io)
{
	if ((H2_CONNECTION_FIELDS >> id) & 1)
		return malformed(head, "a field that belongs to an HTTP/1 connection");
	switch (id) {
	case FIELD_TE:
		if (!span_equal_nocase(*value_io, SPAN_OF("trailers")))
			return malformed(head, "a TE other than trailers");
		break;
	case FIELD_HOST:
		if (fields_have(head->fields, FIELD_HOST))
			return malformed(head, "two Host fields");
		break;
	case FIELD_CONTENT_LENGTH:
		return head->is_trailers ? H2_GOOD : length_take(head, value_io);
	case FIELD_EXPECT:
		return head->is_trailers ? H2_GOOD : expect_take(head, *value_io);
	default:
		break;
	}
	return H2_GOOD;
}

/*
 * HPACK lets a few bytes say a long value again and again; in memory it is there once, too. Short ones are not looked for.
 */
static struct span
value_keep(const struct fields *fields, struct span value)
{
	for (uint32_t i = 0; value.len >= SHARED_MIN && i < fields->count; i++) {
		if (span_equal(fields->items[i].value, value))
			return fields->items[i].value;
	}
	return arena_copy(fields->arena, value);
}

static enum h2_verdict
regular_add(struct h2_head *head, struct span name, struct span value)
{
	struct fields *fields = head->fields;
	enum field_name id = field_name_of(name);

	head->has_regular = true;
	if (!name_is_good(name))
		return malformed(head, "a field name with upper case, or a byte that no name may have");
	if (!value_is_good(value))
		return malformed(head, "a field value with a control character, or white space around it");
	if (id != FIELD_OTHER && ((read_here >> id) & 1) && known_take(head, id, &value) != H2_GOOD)
		return (enum h2_verdict)head->verdict;
	if (head->is_trailers && !trailer_is_allowed(id))
		return H2_GOOD;
	if (id == FIELD_COOKIE && value.len == 0)
		return H2_GOOD;	/* a crumb of nothing: joined it would leave white space at the end */
	/* A cookie may come in crumbs, as many as it has parts (§8.2.3). */
	if ((id != FIELD_COOKIE || !fields_have(fields, FIELD_COOKIE)) && ++head->count > head->limits->header_count)
		return refused(head, 431, "too many fields");
	name = id != FIELD_OTHER ? field_name_text(id) : arena_copy(fields->arena, name);
	fields_add_known(fields, id, name, value_keep(fields, value));
	return H2_GOOD;
}

enum h2_verdict
h2_head_add(struct h2_head *head, struct span name, struct span value)
{
	uint64_t limit = head->limits->header_size;

	head->size += name.len + value.len + H2_FIELD_OVERHEAD;
	if (head->size > limit * BOMB_FACTOR + BOMB_MIN) {
		head->verdict = H2_BOMB;
		head->why = "a head many times as large as allowed";
	}
	if (head->verdict != H2_GOOD)
		return (enum h2_verdict)head->verdict;
	if (head->size > limit)
		return refused(head, 431, "the head is too large");
	if (name.len > 0 && name.at[0] == ':')
		return pseudo_add(head, name, value);
	return regular_add(head, name, value);
}

/* -- all of it ----------------------------------------------------------------------------------------------------- */

static enum h2_verdict
pseudos_check(struct h2_head *head)
{
	if (!(head->pseudo & PSEUDO_METHOD))
		return malformed(head, "no :method");
	if (head->method == HTTP_CONNECT) {
		/* RFC 9113 §8.5 */
		if (head->pseudo != (PSEUDO_METHOD | PSEUDO_AUTHORITY))
			return malformed(head, "CONNECT has :authority, and neither :scheme nor :path");
		head->target = head->authority;
		return H2_GOOD;
	}
	if (!(head->pseudo & PSEUDO_SCHEME))
		return malformed(head, "no :scheme");
	if (!(head->pseudo & PSEUDO_PATH))
		return malformed(head, "no :path");
	return H2_GOOD;
}

static enum h2_verdict
path_check(struct h2_head *head)
{
	struct span path = head->target;
	size_t mark;

	head->uri = (struct uri_target){ .form = URI_ORIGIN };
	if (head->method == HTTP_CONNECT) {
		head->uri.form = URI_AUTHORITY;
		return H2_GOOD;
	}
	if (span_is(path, "*")) {
		if (head->method != HTTP_OPTIONS)
			return malformed(head, "only OPTIONS takes * as its path");
		head->uri.form = URI_ASTERISK;
		return H2_GOOD;
	}
	if (path.at[0] != '/')
		return malformed(head, "a :path that does not start with a slash");
	if (span_find(path, '#') < path.len)
		return malformed(head, "a fragment in the :path");
	mark = span_find(path, '?');
	head->uri.path = span_first(path, mark);
	head->uri.has_query = mark < path.len;
	head->uri.query = span_skip(path, mark + head->uri.has_query);
	return H2_GOOD;
}

struct authority {
	struct span	host;
	uint16_t	port;
	bool		has_port;
};

static bool
authority_parse(struct span text, struct authority *authority_out)
{
	return uri_authority_parse(text, &authority_out->host, &authority_out->port, &authority_out->has_port);
}

/* A port that is left out is the scheme's. */
static bool
authorities_agree(const struct authority *a, const struct authority *b, struct span scheme)
{
	unsigned usual = scheme.len == 4 ? 80 : 443;

	return span_equal_nocase(a->host, b->host) &&
	    (a->has_port ? a->port : usual) == (b->has_port ? b->port : usual);
}

/* RFC 9113 §8.3.1: one of the two there must be, neither empty, and they must agree. */
static enum h2_verdict
authority_check(struct h2_head *head)
{
	struct span host_field = fields_value(head->fields, FIELD_HOST);
	bool has_host = fields_have(head->fields, FIELD_HOST), has_authority = head->pseudo & PSEUDO_AUTHORITY;
	struct authority asked = { 0 }, host = { 0 };

	if (!has_host && !has_authority)
		return malformed(head, "neither :authority nor Host");
	if (has_authority && !authority_parse(head->authority, &asked))
		return malformed(head, "an :authority that is not host[:port]");
	if (has_host && !authority_parse(host_field, &host))
		return malformed(head, "a Host that is not host[:port]");
	if (!has_authority) {
		head->authority = host_field;
		head->host = host.host;
		return H2_GOOD;
	}
	head->host = asked.host;
	if (has_host && !span_equal(host_field, head->authority) && !authorities_agree(&host, &asked, head->scheme))
		return refused(head, 400, "a Host that differs from :authority");
	return H2_GOOD;
}

/* One field of them, as the rest of the world knows it (RFC 9113 §8.2.3). */
static void
crumbs_join(struct fields *fields)
{
	unsigned crumbs = 0;

	if (!fields_have(fields, FIELD_COOKIE))
		return;
	for (uint32_t i = 0; i < fields->count; i++)
		crumbs += fields->items[i].id == FIELD_COOKIE;
	if (crumbs > 1)
		fields_set(fields, FIELD_COOKIE, fields_joined(fields, FIELD_COOKIE, fields->arena));
}

enum h2_verdict
h2_head_end(struct h2_head *head, bool has_end)
{
	/* A REFUSED one may be malformed, too, but what would tell has not been kept. */
	if (head->verdict != H2_GOOD)
		return (enum h2_verdict)head->verdict;
	if (head->is_trailers)
		return has_end ? H2_GOOD : malformed(head, "trailers that do not end the stream");
	if (pseudos_check(head) != H2_GOOD || path_check(head) != H2_GOOD || authority_check(head) != H2_GOOD)
		return (enum h2_verdict)head->verdict;
	if (has_end && head->content_length > 0)
		return malformed(head, "a Content-Length without content");
	crumbs_join(head->fields);
	return H2_GOOD;
}
