/*
 * A route's conditions: each kind is a small test, cheapest first; all must hold.
 */
#include "route/match.h"

#include "http/uri.h"
#include "route/stage.h"

static const struct option_word schemes[] = {
	{ "http", MATCH_HTTP },
	{ "https", MATCH_HTTPS },
	{ NULL, 0 },
};

static option_parse match_check;

static const struct option match_options[] = {
	OPTION_TEXTS(struct match, host,
	    .doc = "`api.example.com`, `*.example.com` (any labels before), or a list; no port; case does not matter."),
	OPTION_TEXTS(struct match, path,
	    .doc = "`/exact`; a final `*` stands for any rest; `/users/{id}` captures one segment; or a list. Matched "
	    "on the normalised path: no dot segments, no empty ones, one spelling for each byte."),
	OPTION_TEXTS(struct match, method, .doc = "`GET` or a list; GET also fits HEAD."),
	OPTION_PAIRS(struct match, header, .doc = "Map of field name to value; `*`: present."),
	OPTION_PAIRS(struct match, query, .doc = "Map of query name to value; `*`: present."),
	OPTION_CUSTOM(struct match, client, .parse = networks_option, .type = "CIDR or list",
	    .present = OPTION_PRESENT(struct match, has_client),
	    .doc = "Networks the client's address is in; `unix` for peers on unix sockets."),
	OPTION_CHOICE(struct match, scheme, .words = schemes, .doc = "The scheme as the client saw it."),
	OPTION_END
};

const struct option_group match_group = {
	.name = "match",
	.rows = match_options,
	.size = sizeof(struct match),
	.check = match_check,
	.doc = "What a request must be like. Every key given must fit; of a list, one entry.",
};

/* -- building ------------------------------------------------------------------------------------------------------ */

/* Of one entry of a key that takes a text or a list. Always false. */
static bool
entry_problem(struct option_reader *reader, const struct conf_node *node, const char *key, size_t index,
    const char *text)
{
	const struct conf_node *at = conf_get(node, key);
	bool is_list = at && at->kind == CONF_LIST;

	option_enter(reader, key);
	if (is_list) {
		option_enter_index(reader, index);
		at = at->first;
		while (index-- > 0)
			at = at->next;
	}
	option_problem(reader, at, "%s", text);
	if (is_list)
		option_leave(reader);
	option_leave(reader);
	return false;
}

static bool
paths_build(struct option_reader *reader, const struct conf_node *node, struct match *match)
{
	struct err err;
	bool ok = true;

	match->captures.room = REQUEST_CAPTURES_MAX;
	match->captures.items = arena_alloc(reader->arena, REQUEST_CAPTURES_MAX * sizeof(struct span));
	match->patterns = arena_zalloc(reader->arena, (match->path.count + 1) * sizeof(struct path_pattern));
	for (size_t i = 0; i < match->path.count; i++) {
		if (!path_pattern_parse(match->path.items[i], &match->captures, reader->arena, &match->patterns[i],
		    &err))
			ok = entry_problem(reader, node, "path", i, err.text);
	}
	return ok;
}

static bool
hosts_check(struct option_reader *reader, const struct conf_node *node, struct match *match)
{
	bool ok = true;

	for (size_t i = 0; i < match->host.count; i++) {
		struct span host = match->host.items[i], bare = host, name;
		char *lower = arena_text(reader->arena, host);
		uint16_t port;
		bool has_port = false;

		if (span_starts_with(host, SPAN_OF("*.")))
			bare = span_skip(host, 2);
		if (bare.len == 0 || span_find(bare, '*') < bare.len ||
		    !uri_authority_parse(bare, &name, &port, &has_port) || has_port)
			ok = entry_problem(reader, node, "host", i, arena_format(reader->arena,
			    "\"%.*s\" is no host: a name without a port, or *. and a name", (int)host.len, host.at));
		for (size_t j = 0; j < host.len; j++)
			lower[j] = byte_lower(lower[j]);
		if (host.len > 1 && lower[host.len - 1] == '.')
			lower[--host.len] = '\0';	/* the root label: host_fits() leaves it out, too */
		match->host.items[i] = span_make(lower, host.len);
	}
	return ok;
}

static struct span
upper_case(struct span from, struct arena *arena)
{
	char *to = arena_text(arena, from);

	for (size_t i = 0; i < from.len; i++)
		if (to[i] >= 'a' && to[i] <= 'z')
			to[i] = (char)(to[i] & ~0x20);
	return span_make(to, from.len);
}

/* Methods are told apart by case (RFC 9110 §9.1): `get` is one that nobody sends. */
static const char *
method_why_wrong(struct span name, struct arena *arena)
{
	struct span upper = upper_case(name, arena);

	if (!field_name_is_valid(name) || span_find(name, '*') < name.len)
		return arena_format(arena, "\"%.*s\" is no method", (int)name.len, name.at);
	if (http_method_of(name) == HTTP_METHOD_OTHER && http_method_of(upper) != HTTP_METHOD_OTHER)
		return arena_format(arena, "\"%.*s\" is no method: did you mean %s?", (int)name.len, name.at, upper.at);
	return NULL;
}

static bool
methods_build(struct option_reader *reader, const struct conf_node *node, struct match *match)
{
	bool ok = true;

	for (size_t i = 0; i < match->method.count; i++) {
		enum http_method method = http_method_of(match->method.items[i]);
		const char *wrong = method_why_wrong(match->method.items[i], reader->arena);

		if (wrong)
			ok = entry_problem(reader, node, "method", i, wrong);
		match->methods |= (uint64_t)1 << method;
		if (method == HTTP_GET)
			match->methods |= (uint64_t)1 << HTTP_HEAD;
	}
	return ok;
}

static bool
headers_build(struct option_reader *reader, const struct conf_node *node, struct match *match)
{
	bool ok = true;

	match->header_ids = arena_alloc(reader->arena, (match->header.count + 1) * sizeof(enum field_name));
	for (size_t i = 0; i < match->header.count; i++) {
		struct span name = match->header.items[i].name;

		if (!field_name_is_valid(name)) {
			option_enter(reader, "header");
			ok = option_problem(reader, match->header.items[i].node ? match->header.items[i].node :
			    conf_get(node, "header"), "\"%.*s\" is no field name", (int)name.len, name.at);
			option_leave(reader);
		}
		match->header_ids[i] = field_name_of(name);
	}
	return ok;
}

static bool
match_check(struct option_reader *reader, const struct conf_node *node, void *record)
{
	struct match *match = record;
	bool ok = paths_build(reader, node, match);

	ok = hosts_check(reader, node, match) && ok;
	ok = methods_build(reader, node, match) && ok;
	return headers_build(reader, node, match) && ok;
}

/* -- the tests ----------------------------------------------------------------------------------------------------- */

static bool
method_fits(const struct match *match, const struct request *request)
{
	if (match->method.count == 0)
		return true;
	if (request->method != HTTP_METHOD_OTHER)
		return match->methods >> request->method & 1;
	for (size_t i = 0; i < match->method.count; i++)
		if (span_equal(match->method.items[i], request->method_name))
			return true;
	return false;
}

static bool
scheme_fits(const struct match *match, const struct request *request)
{
	return match->scheme == MATCH_ANY_SCHEME ||
	    span_is(request->scheme, match->scheme == MATCH_HTTPS ? "https" : "http");
}

static bool
host_pattern_fits(struct span pattern, struct span host)
{
	if (pattern.at[0] == '*')
		return host.len > pattern.len - 1 && span_ends_with(host, span_skip(pattern, 1));
	return span_equal(pattern, host);
}

static bool
host_fits(const struct match *match, const struct request *request)
{
	struct span host = request->host;

	if (match->host.count == 0)
		return true;
	if (host.len > 1 && host.at[host.len - 1] == '.')
		host.len--;	/* the root label, written out */
	for (size_t i = 0; i < match->host.count; i++)
		if (host_pattern_fits(match->host.items[i], host))
			return true;
	return false;
}

static void
captures_clear(const struct match *match, struct request *request)
{
	memset(request->captures, 0, match->captures.count * sizeof(struct span));
}

static bool
path_fits(const struct match *match, struct request *request)
{
	if (match->path.count == 0)
		return true;
	for (size_t i = 0; i < match->path.count; i++) {
		if (path_pattern_matches(&match->patterns[i], request->path, request->captures))
			return true;
		captures_clear(match, request);	/* of what fitted at first */
	}
	return false;
}

static bool
client_fits(const struct match *match, const struct request *request)
{
	return !match->has_client || networks_hold(&match->client, &request->client_address);
}

static bool
header_fits(const struct match *match, size_t index, const struct request *request)
{
	const struct conf_pair *pair = &match->header.items[index];
	const struct fields *fields = &request->fields;

	for (uint32_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (field->id != match->header_ids[index] ||
		    (field->id == FIELD_OTHER && !span_equal_nocase(field->name, pair->name)))
			continue;
		if (span_is(pair->value, "*") || span_equal(field->value, pair->value))
			return true;
	}
	return false;
}

static bool
query_fits(const struct match *match, size_t index, const struct request *request)
{
	const struct conf_pair *pair = &match->query.items[index];
	struct span value;

	if (!uri_query_find(request->query, pair->name, request->arena, &value))
		return false;
	return span_is(pair->value, "*") || span_equal(value, pair->value);
}

static bool
pairs_fit(const struct match *match, const struct request *request)
{
	for (size_t i = 0; i < match->header.count; i++)
		if (!header_fits(match, i, request))
			return false;
	for (size_t i = 0; i < match->query.count; i++)
		if (!query_fits(match, i, request))
			return false;
	return true;
}

static void
captures_decode(const struct match *match, struct request *request)
{
	for (size_t i = 0; i < match->captures.count; i++) {
		struct span decoded;

		if (span_find(request->captures[i], '%') < request->captures[i].len &&
		    uri_decode_path(request->captures[i], request->arena, &decoded))
			request->captures[i] = decoded;
	}
}

bool
match_fits(const struct match *match, struct request *request)
{
	if (!method_fits(match, request) || !scheme_fits(match, request) || !host_fits(match, request))
		return false;
	captures_clear(match, request);
	if (!path_fits(match, request) || !client_fits(match, request) || !pairs_fit(match, request))
		return false;
	if (match->captures.count > 0)
		captures_decode(match, request);
	return true;
}

/* -- for people ---------------------------------------------------------------------------------------------------- */

static void
texts_join(const struct conf_texts *texts, struct text *to)
{
	for (size_t i = 0; i < texts->count; i++)
		text_format(to, "%s%s", i ? ", " : "", texts->items[i].at);
}

static void
say_texts(struct text *to, const char *what, struct span got, const struct conf_texts *wanted)
{
	text_format(to, "%s %.*s does not fit ", what, (int)got.len, got.at);
	texts_join(wanted, to);
}

bool
match_why_not(const struct match *match, struct request *request, struct text *to)
{
	captures_clear(match, request);
	if (!path_fits(match, request)) {
		say_texts(to, "path", request->path, &match->path);
	} else if (!host_fits(match, request)) {
		say_texts(to, "host", request->host.len ? request->host : SPAN_OF("(none)"), &match->host);
	} else if (!method_fits(match, request)) {
		say_texts(to, "method", request->method_name, &match->method);
	} else if (!scheme_fits(match, request)) {
		text_format(to, "scheme %.*s does not fit", (int)request->scheme.len, request->scheme.at);
	} else if (!client_fits(match, request)) {
		text_format(to, "client %.*s is in none of its networks", (int)request->client_ip.len,
		    request->client_ip.at);
	} else {
		for (size_t i = 0; i < match->header.count; i++)
			if (!header_fits(match, i, request)) {
				text_format(to, "header %s does not fit", match->header.items[i].name.at);
				return true;
			}
		for (size_t i = 0; i < match->query.count; i++)
			if (!query_fits(match, i, request)) {
				text_format(to, "query %s does not fit", match->query.items[i].name.at);
				return true;
			}
		return false;
	}
	return true;
}

/* -- covering ------------------------------------------------------------------------------------------------------ */

static bool
hosts_cover(const struct match *earlier, const struct match *later)
{
	if (earlier->host.count == 0)
		return true;
	for (size_t i = 0; i < later->host.count; i++) {
		bool covered = false;

		for (size_t j = 0; j < earlier->host.count && !covered; j++)
			covered = span_equal(earlier->host.items[j], later->host.items[i]) ||
			    host_pattern_fits(earlier->host.items[j], later->host.items[i]);
		if (!covered)
			return false;
	}
	return later->host.count > 0;
}

static bool
paths_cover(const struct match *earlier, const struct match *later, struct arena *arena)
{
	if (earlier->path.count == 0)
		return true;
	for (size_t i = 0; i < later->path.count; i++) {
		bool covered = false;

		for (size_t j = 0; j < earlier->path.count && !covered; j++)
			covered = path_pattern_covers(&earlier->patterns[j], &later->patterns[i], arena);
		if (!covered)
			return false;
	}
	return later->path.count > 0;
}

static bool
methods_cover(const struct match *earlier, const struct match *later)
{
	if (earlier->method.count == 0)
		return true;
	if (later->method.count == 0 || (later->methods >> HTTP_METHOD_OTHER & 1))
		return false;
	return (later->methods & ~earlier->methods) == 0;
}

bool
match_covers(const struct match *earlier, const struct match *later, struct arena *arena)
{
	/* Conditions on fields, queries and networks are compared by their absence alone: never a wrong warning. */
	if (earlier->header.count > 0 || earlier->query.count > 0 || earlier->has_client)
		return false;
	if (earlier->scheme != MATCH_ANY_SCHEME && earlier->scheme != later->scheme)
		return false;
	return hosts_cover(earlier, later) && paths_cover(earlier, later, arena) && methods_cover(earlier, later);
}
