/*
 * Templates: parsed into parts once; a part is text, or a kind of value with what it needs to find it.
 */
#include "request/template.h"

#include "base/count.h"
#include "base/put.h"
#include "base/text.h"
#include "http/byte_class.h"
#include "http/uri.h"
#include "request/client.h"

#include <assert.h>

enum part_kind {
	PART_TEXT,
	PART_CLIENT_IP,
	PART_HOST,
	PART_METHOD,
	PART_SCHEME,
	PART_PATH,
	PART_QUERY,
	PART_URI,
	PART_REQUEST_ID,
	PART_STATUS,
	PART_HEADER,
	PART_COOKIE,
	PART_QUERY_VALUE,
	PART_CAPTURE,
	PART_TLS,
	PART_ENV,	/* becomes text when parsed */
	PART_LATER,	/* known, but not in this version */
};

struct template_part {
	enum part_kind	kind;
	struct span	text;	/* TEXT; HEADER, COOKIE, QUERY_VALUE: the name */
	enum field_name	field;	/* HEADER */
	size_t		index;	/* CAPTURE; TLS: where in struct client_tls */
};

/* A name that ends in '.' takes what follows as an argument. */
static const struct placeholder {
	struct span	name;
	enum part_kind	kind;
} placeholders[] = {
	{ SPAN("client_ip"), PART_CLIENT_IP },
	{ SPAN("host"), PART_HOST },
	{ SPAN("method"), PART_METHOD },
	{ SPAN("scheme"), PART_SCHEME },
	{ SPAN("path"), PART_PATH },
	{ SPAN("query"), PART_QUERY },
	{ SPAN("uri"), PART_URI },
	{ SPAN("request_id"), PART_REQUEST_ID },
	{ SPAN("status"), PART_STATUS },
	{ SPAN("header."), PART_HEADER },
	{ SPAN("cookie."), PART_COOKIE },
	{ SPAN("query."), PART_QUERY_VALUE },
	{ SPAN("env."), PART_ENV },
	{ SPAN("tls."), PART_TLS },
	{ SPAN("jwt."), PART_LATER },
};

enum { PLACEHOLDERS = COUNT(placeholders) };

/* What follows `tls.`; all of it is empty on a connection in the clear, the last three without a good certificate. */
static const struct tls_placeholder {
	struct span	name;
	size_t		offset;
} tls_placeholders[] = {
	{ SPAN("version"), offsetof(struct client_tls, version) },
	{ SPAN("cipher"), offsetof(struct client_tls, cipher) },
	{ SPAN("server_name"), offsetof(struct client_tls, server_name) },
	{ SPAN("subject"), offsetof(struct client_tls, subject) },
	{ SPAN("san"), offsetof(struct client_tls, san) },
	{ SPAN("fingerprint"), offsetof(struct client_tls, fingerprint) },
};

static_assert(COUNT(tls_placeholders) * sizeof(struct span) == sizeof(struct client_tls), "all that TLS tells");

const char *const template_placeholder_names[] = {
	"client_ip", "host", "method", "scheme", "path", "query", "uri", "request_id", "status", "header.NAME",
	"cookie.NAME", "query.NAME", "env.NAME", "tls.version", "tls.cipher", "tls.server_name", "tls.subject",
	"tls.san", "tls.fingerprint", NULL
};

/* -- parsing ------------------------------------------------------------------------------------------------------- */

static const struct placeholder *
placeholder_find(struct span name)
{
	for (size_t i = 0; i < PLACEHOLDERS; i++) {
		struct span known = placeholders[i].name;
		bool takes_argument = known.at[known.len - 1] == '.';

		if (takes_argument ? name.len > known.len && span_starts_with(name, known) : span_equal(name, known))
			return &placeholders[i];
	}
	return NULL;
}

static bool
capture_find(struct span name, const struct template_names *names, size_t *index_out)
{
	for (size_t i = 0; names && i < names->capture_count; i++)
		if (span_equal(names->captures[i], name)) {
			*index_out = i;
			return true;
		}
	return false;
}

static bool
env_part(struct span name, const struct template_names *names, struct arena *arena, struct template_part *part_out,
    struct err *err)
{
	const char *text = arena_text(arena, name);
	const char *value = names && names->env ? names->env(names->env_owner, text) : NULL;

	if (value == NULL)
		return err_set(err, "the environment has no %s for {env.%s}", text, text);
	*part_out = (struct template_part){ .kind = PART_TEXT, .text = arena_copy(arena, span_text(value)) };
	return true;
}

/* False: there is none of that name. */
static bool
tls_part(struct span name, struct template_part *part_out)
{
	for (size_t i = 0; i < COUNT(tls_placeholders); i++)
		if (span_equal(tls_placeholders[i].name, name)) {
			*part_out = (struct template_part){ .kind = PART_TLS, .index = tls_placeholders[i].offset };
			return true;
		}
	return false;
}

static bool
unknown_placeholder(struct span name, const struct template_names *names, struct err *err)
{
	struct text list = { 0 };

	for (size_t i = 0; template_placeholder_names[i]; i++)
		text_format(&list, "%s{%s}", i ? " " : "", template_placeholder_names[i]);
	for (size_t i = 0; names && i < names->capture_count; i++)
		text_format(&list, " {%.*s}", (int)names->captures[i].len, names->captures[i].at);
	err_set(err, "unknown placeholder {%.*s}: known here are %s; a brace itself is written {{ or }}",
	    (int)name.len, name.at, list.bytes);
	text_fini(&list);
	return false;
}

static bool
part_parse(struct span name, const struct template_names *names, struct arena *arena, struct template_part *part_out,
    struct err *err)
{
	const struct placeholder *known = placeholder_find(name);
	struct span argument;
	size_t index;

	if (capture_find(name, names, &index)) {
		*part_out = (struct template_part){ .kind = PART_CAPTURE, .index = index };
		return true;
	}
	if (known == NULL)
		return unknown_placeholder(name, names, err);
	if (known->kind == PART_LATER)
		return err_set(err, "{%.*s} is not supported in this version", (int)name.len, name.at);
	argument = span_skip(name, known->name.len);
	if (known->kind == PART_ENV)
		return env_part(argument, names, arena, part_out, err);
	if (known->kind == PART_TLS)
		return tls_part(argument, part_out) || unknown_placeholder(name, names, err);
	*part_out = (struct template_part){ .kind = known->kind, .text = arena_copy(arena, argument) };
	if (known->kind == PART_HEADER)
		part_out->field = field_name_of(argument);
	return true;
}

struct parts {
	struct template_part	*items;
	size_t			 count;
	size_t			 room;
	struct arena		*arena;
};

static void
parts_add(struct parts *parts, struct template_part part)
{
	if (part.kind == PART_TEXT && part.text.len == 0)
		return;
	if (parts->count == parts->room) {
		size_t room = parts->room ? parts->room * 2 : 4;
		struct template_part *items = arena_alloc(parts->arena, room * sizeof(*items));

		if (parts->count > 0)
			memcpy(items, parts->items, parts->count * sizeof(*items));
		parts->items = items;
		parts->room = room;
	}
	parts->items[parts->count++] = part;
}

/* Text up to the next single brace, with doubled ones made single. */
static struct span
literal_take(struct span *rest_io, struct arena *arena)
{
	char *to = arena_alloc(arena, rest_io->len + 1);
	size_t len = 0;

	while (rest_io->len > 0) {
		char byte = rest_io->at[0];

		if (byte == '{' || byte == '}') {
			if (rest_io->len < 2 || rest_io->at[1] != byte)
				break;
			*rest_io = span_skip(*rest_io, 1);
		}
		to[len++] = byte;
		*rest_io = span_skip(*rest_io, 1);
	}
	return span_make(to, len);
}

bool
template_parse(struct span from, const struct template_names *names, struct arena *arena, struct template *template_out,
    struct err *err)
{
	struct parts parts = { .arena = arena };
	struct span rest = from;

	*template_out = (struct template){ .text = arena_copy(arena, from) };
	if (span_find(from, '{') == from.len && span_find(from, '}') == from.len)
		return true;
	while (rest.len > 0) {
		struct template_part part = { .kind = PART_TEXT, .text = literal_take(&rest, arena) };
		size_t end = span_find(rest, '}');

		parts_add(&parts, part);
		if (rest.len == 0)
			break;
		if (rest.at[0] == '}' || end == rest.len)
			return err_set(err, "a brace without its pair in \"%.*s\": a brace itself is written {{ or }}",
			    (int)from.len, from.at);
		if (!part_parse(span_make(rest.at + 1, end - 1), names, arena, &part, err))
			return false;
		parts_add(&parts, part);
		rest = span_skip(rest, end + 1);
	}
	if (parts.count == 1 && parts.items[0].kind == PART_TEXT) {
		template_out->text = parts.items[0].text;	/* all is known already: nothing to fill */
		return true;
	}
	template_out->parts = parts.items;
	template_out->count = parts.count;
	if (parts.count == 0)
		template_out->text.len = 0;
	return true;
}

bool
template_is_empty(const struct template *template)
{
	return template->parts == NULL && template->text.len == 0;
}

/* -- filling ------------------------------------------------------------------------------------------------------- */

static struct span
cookie_value(const struct fields *fields, struct span name)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		struct span rest = fields->items[i].value, pair;

		if (fields->items[i].id != FIELD_COOKIE)
			continue;
		while (span_cut(&rest, ';', &pair)) {
			size_t equals;

			pair = span_trim(pair);
			equals = span_find(pair, '=');
			if (equals < pair.len && span_equal(span_first(pair, equals), name))
				return span_skip(pair, equals + 1);
		}
	}
	return span_make(NULL, 0);
}

static struct span
header_value(const struct request *request, const struct template_part *part)
{
	const struct field *field;

	if (part->field != FIELD_OTHER)
		return fields_value(&request->fields, part->field);
	field = fields_find_named(&request->fields, part->text);
	return field ? field->value : span_make(NULL, 0);
}

static struct span
tls_value(const struct client *client, size_t offset)
{
	struct span value = { NULL, 0 };

	if (client_is_tls(client))
		memcpy(&value, (const char *)client->tls + offset, sizeof(value));
	return value;
}

static struct span
uri_of(struct request *request)
{
	if (!request->has_query)
		return request->path;
	return arena_join(request->arena, arena_join(request->arena, request->path, SPAN_OF("?")), request->query);
}

static struct span
part_fill(const struct template_part *part, struct request *request)
{
	struct span value = { NULL, 0 };

	switch (part->kind) {
	case PART_TEXT:
		return part->text;
	case PART_CLIENT_IP:
		return request->client_ip;
	case PART_HOST:
		return request->host;
	case PART_METHOD:
		return request->method_name;
	case PART_SCHEME:
		return request->scheme;
	case PART_PATH:
		return request->path;
	case PART_QUERY:
		return request->query;
	case PART_URI:
		return uri_of(request);
	case PART_REQUEST_ID:
		return request->request_id;
	case PART_STATUS:
		return span_text(arena_format(request->arena, "%u", request->response.status));
	case PART_HEADER:
		return header_value(request, part);
	case PART_COOKIE:
		return cookie_value(&request->fields, part->text);
	case PART_QUERY_VALUE:
		uri_query_find(request->query, part->text, request->arena, &value);
		return value;
	case PART_CAPTURE:
		return request->captures[part->index];
	case PART_TLS:
		return tls_value(request->client, part->index);
	case PART_ENV:
	case PART_LATER:
		break;
	}
	assert(!"a template part that parsing never makes");
	return value;
}

/* For the inside of a JSON string: without the quotes around. */
static struct span
json_escape(struct span value, struct arena *arena)
{
	struct text quoted = { 0 };
	struct span escaped;

	text_json_string(&quoted, value);
	escaped = arena_copy(arena, span_make(quoted.bytes + 1, quoted.len - 2));
	text_fini(&quoted);
	return escaped;
}

/*
 * What a client names one by one, its certificate included; {path}, {query} and {uri} are parts of a URI as they stand.
 */
static bool
is_value(enum part_kind kind)
{
	return kind == PART_HEADER || kind == PART_COOKIE || kind == PART_QUERY_VALUE || kind == PART_CAPTURE ||
	    kind == PART_TLS;
}

/*
 * So that no '&', '=', '#' or '+' of a client says more than its value (RFC 3986 §2.2). A capture still has the codes
 * that a path needs ("%2F"); they stay.
 */
static struct span
uri_escape(struct span value, bool keeps_codes, struct arena *arena)
{
	char *to, *at;

	if (bytes_while(value, BYTE_UNRESERVED) == value.len)
		return value;
	to = at = arena_alloc(arena, value.len * 3);
	for (size_t i = 0; i < value.len; i++) {
		bool is_code = value.at[i] == '%' && value.len - i > 2 && byte_is(value.at[i + 1], BYTE_HEX) &&
		    byte_is(value.at[i + 2], BYTE_HEX);

		if (byte_is(value.at[i], BYTE_UNRESERVED) || (keeps_codes && is_code))
			*at++ = value.at[i];
		else
			at = put_percent_code(at, (unsigned char)value.at[i]);
	}
	return span_between(to, at);
}

struct span
template_fill(const struct template *template, struct request *request)
{
	struct span whole = { NULL, 0 };

	if (template->parts == NULL)
		return template->text;
	for (size_t i = 0; i < template->count; i++) {
		enum part_kind kind = template->parts[i].kind;
		struct span part = part_fill(&template->parts[i], request);

		if (template->is_json && kind != PART_TEXT)
			part = json_escape(part, request->arena);
		if (template->is_uri && is_value(kind) && span_find(whole, '?') < whole.len)
			part = uri_escape(part, kind == PART_CAPTURE, request->arena);
		whole = whole.len == 0 ? part : arena_join(request->arena, whole, part);
	}
	return whole;
}
