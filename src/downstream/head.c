/*
 * What every protocol makes of a request's head once its fields are known: the host, the normal path, and who asked.
 *
 * Forwarded fields count only from a trusted peer, and then only as far as the chain of trusted addresses reaches: the
 * client is the first address from the right that is not trusted itself.
 */
#include "downstream/conn.h"

#include "http/forwarded.h"

enum { HOPS_MAX = 16 };

static bool
target_fill(struct request *request, const struct uri_target *uri, const char **why_out)
{
	request->query = uri->query;
	request->has_query = uri->has_query;
	if (uri->form == URI_ASTERISK || uri->form == URI_AUTHORITY) {
		request->path = SPAN_OF("*");
		return true;
	}
	if (!uri_path_normalise(uri->path, request->arena, &request->path)) {
		*why_out = "the path has a broken percent code, or climbs above the root";
		return false;
	}
	return true;
}

/* In its one spelling, which logs, keys and networks agree on. */
static void
client_take(struct request *request, const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];

	request->client_ip = arena_copy(request->arena, span_make(text, address_format_host(address, text)));
	request->client_address = *address;
}

/* From the nearest hop outwards, as long as who tells is trusted. */
static void
forwarded_believe(struct request *request, const struct networks *trusted_proxies)
{
	struct forwarded_hop hops[HOPS_MAX];
	size_t count = forwarded_parse(&request->fields, request->arena, hops, HOPS_MAX);

	while (count > 0) {
		const struct forwarded_hop *hop = &hops[--count];
		struct address address = { .any.sa_family = AF_UNSPEC };

		if (hop->proto.len > 0 && (span_is(hop->proto, "http") || span_is(hop->proto, "https")))
			request->scheme = hop->proto;
		if (hop->host.len > 0)
			request->forwarded_host = hop->host;
		if (!address_parse_host(hop->for_node, 0, &address))
			return;	/* "unknown", an obfuscated name: the peer stays the best that is known */
		client_take(request, &address);
		if (!networks_hold(trusted_proxies, &address))
			return;
	}
}

/* A proxy that only ends TLS may tell no more than that: what it added comes last. */
static void
scheme_believe(struct request *request)
{
	struct span list = fields_joined(&request->fields, FIELD_X_FORWARDED_PROTO, request->arena);
	size_t comma = span_find_last(list, ',');
	struct span proto = span_trim(comma < list.len ? span_skip(list, comma + 1) : list);

	if (span_equal_nocase(proto, SPAN_OF("https")))
		request->scheme = SPAN_OF("https");
	else if (span_equal_nocase(proto, SPAN_OF("http")))
		request->scheme = SPAN_OF("http");
}

bool
head_complete(struct request *request, const struct uri_target *uri, struct span host,
    const struct networks *trusted_proxies, const char **why_out)
{
	request->host = arena_lower_case(request->arena, host);
	request->client_ip = request->client->ip;
	request->client_address = *request->client->peer;
	request->scheme = client_is_tls(request->client) ? SPAN_OF("https") : SPAN_OF("http");
	if (!target_fill(request, uri, why_out))
		return false;
	request->forwarded_host = request->authority;
	if (!request->client->is_trusted)
		return true;
	if (fields_have(&request->fields, FIELD_FORWARDED) || fields_have(&request->fields, FIELD_X_FORWARDED_FOR))
		forwarded_believe(request, trusted_proxies);
	else if (fields_have(&request->fields, FIELD_X_FORWARDED_PROTO))
		scheme_believe(request);
	return true;
}
