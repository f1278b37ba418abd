/*
 * proxy: hands the request to a server of an upstream. Here is what the route says about it; carrying it there and back
 * is upstream/relay.h.
 */
#include "handler/handlers.h"
#include "handler/key_problem.h"
#include "handler/proxy_parts.h"

#include "request/response.h"
#include "upstream/upstreams.h"

enum { HOPS_MAX = 10 };	/* a proxy that leads to itself would take every socket there is */

/* In a tunnel of HTTP (h2c) requests would pass that no route has seen. */
static bool
asks_for_http(const struct request *request)
{
	for (uint32_t i = 0; i < request->fields.count; i++) {
		struct span list = request->fields.items[i].value, protocol;

		while (request->fields.items[i].id == FIELD_UPGRADE && span_cut(&list, ',', &protocol)) {
			protocol = span_trim(protocol);
			if (span_equal_nocase(span_first(protocol, 2), SPAN_OF("h2")) ||
			    span_equal_nocase(span_first(protocol, 4), SPAN_OF("http")))
				return true;
		}
	}
	return false;
}

static void
proxy_start(const void *configured, struct request *request)
{
	const struct proxy *proxy = configured;
	struct relay_head head = { .may_upgrade = proxy->websocket && !asks_for_http(request) };
	struct fields fields;

	if (proxy_hops(request) >= HOPS_MAX) {
		response_fail(request, 508, NULL, "too many reeves on the way: proxies in a circle");
		return;
	}
	if (!proxy_target(proxy, request, &head.target)) {
		response_fail(request, 400, NULL, "the route's path template makes no valid path of this request");
		return;
	}
	proxy_fields(proxy, request, &fields);
	head.fields = &fields;
	if (proxy->has_timeouts)
		head.timeouts = &proxy->relay_timeouts;
	relay_start(proxy->upstream, request, &head);
}

static void
proxy_explain(const void *configured, struct text *to)
{
	const struct proxy *proxy = configured;

	text_add_text(to, "proxy to ");
	text_add(to, proxy->to);
	if (proxy->strip_prefix.len > 0)
		text_format(to, " without the prefix %.*s", (int)proxy->strip_prefix.len, proxy->strip_prefix.at);
	if (!template_is_empty(&proxy->path))
		text_format(to, " as %.*s", (int)proxy->path.text.len, proxy->path.text.at);
	if (proxy->websocket)
		text_add_text(to, ", upgrades allowed");
}

/* -- configuration ------------------------------------------------------------------------------------------------- */

static bool
is_url(struct span to)
{
	size_t colon = span_find(to, ':');

	return span_starts_with(span_skip(to, colon), SPAN_OF("://")) || span_starts_with(to, SPAN_OF("unix:"));
}

static bool
unknown_upstream(struct option_reader *reader, const struct conf_node *node, struct span name,
    const struct upstreams *upstreams)
{
	size_t count = upstreams_count(upstreams);
	const char **names = arena_alloc(reader->arena, (count + 1) * sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < count; i++)
		names[i] = upstreams_name(upstreams, i);
	nearest = conf_suggest(name, names, count);
	if (nearest != NULL)
		return key_problem(reader, node, "to", "there is no upstream \"%.*s\" (did you mean \"%s\"?)",
		    (int)name.len, name.at, nearest);
	return key_problem(reader, node, "to",
	    "there is no upstream \"%.*s\", and it is no URL such as http://127.0.0.1:3000", (int)name.len, name.at);
}

static bool
upstream_look_up(struct option_reader *reader, const struct conf_node *node, struct proxy *proxy)
{
	const struct stage_builder *builder = reader->lent;
	struct err err;

	if (!is_url(proxy->to)) {
		proxy->upstream = upstreams_find(builder->upstreams, proxy->to);
		return proxy->upstream != NULL || unknown_upstream(reader, node, proxy->to, builder->upstreams);
	}
	proxy->upstream = upstreams_for_url(builder->upstreams, proxy->to, &err);
	return proxy->upstream != NULL || key_problem(reader, node, "to", "%s", err.text);
}

static bool
proxy_build(struct option_reader *reader, const struct conf_node *node, void *field)
{
	const struct stage_builder *builder = reader->lent;
	struct proxy *proxy = field;

	if (!upstream_look_up(reader, node, proxy))
		return false;
	proxy->path.is_uri = true;
	proxy->path_has_query = !template_is_empty(&proxy->path) && proxy_path_has_query(&proxy->path);
	if (proxy->has_timeouts && builder->loop != NULL)
		relay_timeouts_make(proxy->upstream, &proxy->timeouts, &proxy->relay_timeouts);
	return true;
}

static bool
path_check(struct option_reader *reader, const struct conf_node *node, struct proxy *proxy)
{
	struct span prefix = proxy->strip_prefix, path = proxy->path.text;

	if (prefix.len > 0 && !template_is_empty(&proxy->path))
		return key_problem(reader, node, "strip_prefix",
		    "strip_prefix and path exclude each other: the template says the whole path");
	if (prefix.len > 0 && prefix.at[0] != '/')
		return key_problem(reader, node, "strip_prefix", "a path prefix starts with /");
	while (proxy->strip_prefix.len > 0 && proxy->strip_prefix.at[proxy->strip_prefix.len - 1] == '/')
		proxy->strip_prefix.len--;
	if (!template_is_empty(&proxy->path) && path.at[0] != '/' && path.at[0] != '{')
		return key_problem(reader, node, "path", "a path starts with /");
	return true;
}

static bool
headers_check(struct option_reader *reader, const struct conf_node *node, const struct proxy *proxy)
{
	bool is_good = true;

	for (size_t i = 0; i < proxy->set_headers.count; i++) {
		const struct template_pair *pair = &proxy->set_headers.items[i];

		if (!proxy_field_is_free(pair->id))
			is_good = key_problem(reader, node, "set_headers",
			    "%.*s frames the message and cannot be set", (int)pair->name.len, pair->name.at);
	}
	for (size_t i = 0; i < proxy->remove_headers.count; i++) {
		struct span name = proxy->remove_headers.items[i];

		if (!field_name_is_valid(name))
			is_good = key_problem(reader, node, "remove_headers", "\"%.*s\" is no field name",
			    (int)name.len, name.at);
		else if (field_name_of(name) == FIELD_HOST)
			is_good = key_problem(reader, node, "remove_headers",
			    "every HTTP/1.1 request has a Host: set another one instead");
	}
	return is_good;
}

static bool
proxy_check(struct option_reader *reader, const struct conf_node *node, void *record)
{
	struct proxy *proxy = record;

	if (proxy->to.len == 0)
		return key_problem(reader, node, "to", "must say where to: an upstream or a URL");
	return path_check(reader, node, proxy) & headers_check(reader, node, proxy);
}

static const struct option proxy_options[] = {
	OPTION_TEXT(struct proxy, to, .required = true,
	    .doc = "The name of an upstream, or a URL such as `http://127.0.0.1:3000` or `unix:/run/app.sock`."),
	OPTION_TEXT(struct proxy, strip_prefix,
	    .doc = "Taken off the path before it is sent, whole segments only: `/v1`."),
	OPTION_CUSTOM(struct proxy, path, .parse = template_option, .type = "template",
	    .doc = "The path to send instead: `/api{path}`. With a `?` it makes the query, too; else the client's "
	    "stays."),
	OPTION_CUSTOM(struct proxy, set_headers, .parse = field_templates_option, .type = "map of templates",
	    .doc = "Fields of the request to the server, set over those of the client; `Host` is the client's unless "
	    "it is set here. An empty value removes."),
	OPTION_TEXTS(struct proxy, remove_headers, .doc = "Fields of the client that the server does not get."),
	OPTION_FLAG(struct proxy, websocket, .def = "false",
	    .doc = "Lets the client upgrade the connection (WebSocket, or any protocol but HTTP that the server agrees "
	    "to)."),
	OPTION_GROUP(struct proxy, timeouts, .group = &timeouts_override_group,
	    .present = OPTION_PRESENT(struct proxy, has_timeouts), .doc = "Instead of the upstream's."),
	OPTION_END
};

static const struct option_group proxy_group = {
	.name = "proxy",
	.rows = proxy_options,
	.size = sizeof(struct proxy),
	.short_key = "to",
	.check = proxy_check,
};

const struct handler_type handler_proxy = {
	.key = "proxy",
	.group = &proxy_group,
	.build = proxy_build,
	.start = proxy_start,
	.explain = proxy_explain,
	.doc = "Hands the request to a server behind.",
};
