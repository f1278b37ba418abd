/*
 * The fields that the server gets: those of the client that are meant for it, and what we know of the client.
 *
 * What a client that is no trusted proxy says of others in front of it (Forwarded, X-Forwarded-…, X-Real-IP) is
 * replaced by what we see; a trusted one's word is kept and ours is added behind. Names with '_' for '-' are the same
 * to many servers, so they are treated the same here.
 */
#include "handler/proxy_parts.h"

#include "base/put.h"
#include "http/byte_class.h"
#include "http/uri.h"
#include "request/client.h"

#include <assert.h>

enum {
	OURS = 8,	/* fields that we add ourselves */
	TWIN_MAX = 32,	/* longer than any name that `framing` and `replaced` tell of */
};

#define BIT(id) ((uint64_t)1 << FIELD_##id)
static_assert(FIELD_NAME_COUNT <= 64, "a bit for each name");

/* Between us and one neighbour (RFC 9110 §7.6.1), or written anew by relay.c. */
static const uint64_t framing = BIT(CONNECTION) | BIT(CONTENT_LENGTH) | BIT(TRANSFER_ENCODING) | BIT(EXPECT) |
    BIT(UPGRADE) | BIT(TE) | BIT(KEEP_ALIVE) | BIT(PROXY_CONNECTION) | BIT(PROXY_AUTHENTICATE) |
    BIT(PROXY_AUTHORIZATION) | BIT(HTTP2_SETTINGS);

/* Written anew here. */
static const uint64_t replaced = BIT(HOST) | BIT(FORWARDED) | BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_PROTO) |
    BIT(X_FORWARDED_HOST) | BIT(VIA);

/* Believed only from a trusted proxy. */
static const uint64_t believed = BIT(X_FORWARDED_PORT) | BIT(X_REAL_IP);

bool
proxy_field_is_free(enum field_name id)
{
	return id == FIELD_OTHER || ((framing >> id) & 1) == 0;
}

/* -- what the client sent ------------------------------------------------------------------------------------------ */

static bool
name_starts_with(struct span name, struct span prefix)
{
	if (name.len < prefix.len)
		return false;
	for (size_t i = 0; i < prefix.len; i++) {
		char byte = name.at[i] == '_' ? '-' : byte_lower(name.at[i]);

		if (byte != prefix.at[i])
			return false;
	}
	return true;
}

static bool
name_is(struct span name, struct span lower)
{
	return name.len == lower.len && name_starts_with(name, lower);
}

/* A name that is in no row but tells of proxies all the same. */
static bool
claims_proxies(struct span name)
{
	return name_starts_with(name, SPAN_OF("x-forwarded-")) || name_is(name, SPAN_OF("x-real-ip"));
}

/* "Transfer_Encoding" is TRANSFER_ENCODING to a server that makes environment variables of names. */
static enum field_name
twin_of(struct span name)
{
	char text[TWIN_MAX];

	if (name.len > sizeof(text) || span_find(name, '_') == name.len)
		return FIELD_OTHER;
	for (size_t i = 0; i < name.len; i++)
		text[i] = name.at[i] == '_' ? '-' : name.at[i];
	return field_name_of(span_make(text, name.len));
}

static bool
is_passed(const struct field *field, struct span connection, bool is_trusted)
{
	enum field_name twin;

	if (field->id != FIELD_OTHER) {
		uint64_t dropped = framing | replaced | (is_trusted ? 0 : believed);

		return ((dropped >> field->id) & 1) == 0 &&
		    (connection.len == 0 || !field_is_hop_by_hop(field, connection));
	}
	if (!is_trusted && claims_proxies(field->name))
		return false;
	if (name_is(field->name, SPAN_OF("proxy")))
		return false;	/* HTTP_PROXY in a CGI's environment is not the client's to set (CVE-2016-5385) */
	twin = twin_of(field->name);
	if (twin != FIELD_OTHER && (((framing | replaced | BIT(X_REQUEST_ID)) >> twin) & 1) != 0)
		return false;
	return !field_is_hop_by_hop(field, connection);
}

static void
pass(struct request *request, struct fields *to)
{
	struct span connection = fields_joined(&request->fields, FIELD_CONNECTION, request->arena);

	for (uint32_t i = 0; i < request->fields.count; i++) {
		const struct field *field = &request->fields.items[i];

		if (is_passed(field, connection, request->client->is_trusted))
			fields_add_known(to, field->id, field->name, field->value);
	}
}

/* -- what we know -------------------------------------------------------------------------------------------------- */

/* What stands there already, a comma, and ours. */
static struct span
appended(struct request *request, enum field_name id, bool keeps, struct span ours)
{
	struct span before = keeps ? fields_joined(&request->fields, id, request->arena) : span_make(NULL, 0);
	char *to;

	if (before.len == 0)
		return ours;
	to = arena_alloc(request->arena, before.len + 2 + ours.len);
	put_span(put_span(put_span(to, before), SPAN_OF(", ")), ours);
	return span_make(to, before.len + 2 + ours.len);
}

/* A token as it is, anything else in quotes (RFC 7239 §4); an authority holds neither quotes nor backslashes. */
static char *
put_parameter(char *to, struct span value)
{
	if (value.len > 0 && bytes_while(value, BYTE_TOKEN) == value.len)
		return put_span(to, value);
	*to++ = '"';
	to = put_span(to, value);
	*to++ = '"';
	return to;
}

/* RFC 7239 §6: IPv6 in brackets and quotes; what has no address is unknown. */
static char *
put_node(char *to, struct span ip)
{
	if (span_find(ip, ':') == ip.len)
		return put_span(to, byte_is(ip.at[0], BYTE_DIGIT) ? ip : SPAN_OF("unknown"));
	to = put_span(to, SPAN_OF("\"["));
	to = put_span(to, ip);
	return put_span(to, SPAN_OF("]\""));
}

static struct span
forwarded_of(struct request *request)
{
	struct span ip = request->client->ip;
	char *to = arena_alloc(request->arena, ip.len + request->authority.len + 64), *at = to;

	at = put_span(at, SPAN_OF("for="));
	at = put_node(at, ip);
	if (request->authority.len > 0) {
		at = put_span(at, SPAN_OF(";host="));
		at = put_parameter(at, request->authority);
	}
	at = put_span(at, client_is_tls(request->client) ? SPAN_OF(";proto=https") : SPAN_OF(";proto=http"));
	return span_between(to, at);
}

/* RFC 9110 §7.6.3: the version that this message came in. */
static struct span
via_of(const struct request *request)
{
	switch (request->minor) {
	case 0:
		return SPAN_OF("1.0 reeve");
	case 1:
		return SPAN_OF("1.1 reeve");
	default:
		return SPAN_OF("2.0 reeve");
	}
}

unsigned
proxy_hops(const struct request *request)
{
	unsigned hops = 0;

	if (!fields_have(&request->fields, FIELD_VIA))
		return 0;
	for (uint32_t i = 0; i < request->fields.count; i++) {
		struct span rest = request->fields.items[i].value, hop;

		while (request->fields.items[i].id == FIELD_VIA && span_cut(&rest, ',', &hop))
			hops += span_ends_with(span_trim(hop), SPAN_OF(" reeve"));
	}
	return hops;
}

/* A peer on a unix socket has no address to tell. */
static void
tell_address(struct request *request, struct fields *to)
{
	struct span ip = request->client->ip;
	bool keeps = request->client->is_trusted, has_address = byte_is(ip.at[0], BYTE_HEX) || ip.at[0] == ':';

	if (has_address)
		fields_add(to, FIELD_X_FORWARDED_FOR, appended(request, FIELD_X_FORWARDED_FOR, keeps, ip));
	else if (keeps && fields_have(&request->fields, FIELD_X_FORWARDED_FOR))
		fields_add(to, FIELD_X_FORWARDED_FOR,
		    fields_joined(&request->fields, FIELD_X_FORWARDED_FOR, request->arena));
}

static void
tell(struct request *request, struct fields *to)
{
	bool keeps = request->client->is_trusted;

	tell_address(request, to);
	fields_add(to, FIELD_X_FORWARDED_PROTO, request->scheme);
	if (request->forwarded_host.len > 0)
		fields_add(to, FIELD_X_FORWARDED_HOST, request->forwarded_host);
	fields_add(to, FIELD_FORWARDED, appended(request, FIELD_FORWARDED, keeps, forwarded_of(request)));
	fields_add(to, FIELD_VIA, appended(request, FIELD_VIA, true, via_of(request)));
	if (request->request_id.len > 0)
		fields_set(to, FIELD_X_REQUEST_ID, request->request_id);
	if (fields_have_token(&request->fields, FIELD_TE, SPAN_OF("trailers")))
		fields_add(to, FIELD_TE, SPAN_OF("trailers"));
}

/* -- what the configuration says ----------------------------------------------------------------------------------- */

static bool
names_are_twins(struct span a, struct span b)
{
	if (a.len != b.len || span_equal_nocase(a, b))
		return false;
	for (size_t i = 0; i < a.len; i++) {
		char left = a.at[i] == '_' ? '-' : byte_lower(a.at[i]);
		char right = b.at[i] == '_' ? '-' : byte_lower(b.at[i]);

		if (left != right)
			return false;
	}
	return true;
}

/* Else a client could send X_User beside the X-User that is set here, and some servers would take his. */
static void
twins_remove(struct fields *from, struct span name)
{
	for (uint32_t i = from->count; i-- > 0;) {
		if (names_are_twins(from->items[i].name, name))
			fields_remove_at(from, i);
	}
}

/* A template may hold anything. */
static bool
value_is_possible(enum field_name id, struct span value)
{
	struct span host;
	uint16_t port;
	bool has_port;

	if (id == FIELD_HOST)
		return uri_authority_parse(value, &host, &port, &has_port);
	return value.len > 0 && field_value_is_valid(value);
}

/* An empty value takes the field away, and so does one that no field can have; there is always a Host. */
static void
configured_apply(const struct proxy *proxy, struct request *request, struct fields *to)
{
	for (size_t i = 0; i < proxy->remove_headers.count; i++) {
		fields_remove_named(to, proxy->remove_headers.items[i]);
		twins_remove(to, proxy->remove_headers.items[i]);
	}
	for (size_t i = 0; i < proxy->set_headers.count; i++)
		twins_remove(to, proxy->set_headers.items[i].name);
	for (size_t i = 0; i < proxy->set_headers.count; i++) {
		const struct template_pair *pair = &proxy->set_headers.items[i];
		struct span value = span_trim(template_fill(&pair->value, request));

		if (value_is_possible(pair->id, value))
			fields_set_named(to, pair->name, value);
		else if (pair->id != FIELD_HOST)
			fields_remove_named(to, pair->name);
	}
}

void
proxy_fields(const struct proxy *proxy, struct request *request, struct fields *fields_out)
{
	struct span host = request->authority.len > 0 ? request->authority : relay_authority(proxy->upstream);
	uint32_t room = request->fields.count + OURS + (uint32_t)proxy->set_headers.count;

	fields_init(fields_out, request->arena, arena_alloc(request->arena, room * sizeof(struct field)), room);
	fields_add(fields_out, FIELD_HOST, host);
	pass(request, fields_out);
	tell(request, fields_out);
	configured_apply(proxy, request, fields_out);
}
