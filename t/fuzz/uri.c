/* rooms: base http */
/*
 * Any bytes as a request target, path, authority, query and server URL. What is taken has the properties that routes,
 * files and upstreams rely on, whatever it was before.
 */
#include "http/uri.h"
#include "fuzz.h"
#include "http/byte_class.h"

static void
check_normal(struct span normal, struct arena *arena)
{
	struct span again, rest = normal, segment, decoded;

	check(normal.len > 0 && normal.at[0] == '/');
	check(uri_path_normalise(normal, arena, &again) && again.at == normal.at && again.len == normal.len);
	while (span_cut(&rest, '/', &segment))
		check(!span_is(segment, ".") && !span_is(segment, ".."));
	for (size_t i = 0; i < normal.len; i++) {
		if (normal.at[i] != '%') {
			check(byte_is(normal.at[i], BYTE_PATH));
			continue;
		}
		check(normal.len - i >= 3);
		check(byte_is(normal.at[i + 1], BYTE_HEX) && normal.at[i + 1] < 'a');
		check(byte_is(normal.at[i + 2], BYTE_HEX) && normal.at[i + 2] < 'a');
	}
	if (uri_decode_path(normal, arena, &decoded)) {
		check(decoded.len <= normal.len && span_find(decoded, '\0') == decoded.len);
		rest = decoded;
		while (span_cut(&rest, '/', &segment))
			check(!span_is(segment, ".") && !span_is(segment, ".."));
	}
}

/* Each byte as a percent code and back: the normal form depends on what is meant, not on how it is written. */
static void
check_spelling(struct span path, struct span normal, struct arena *arena)
{
	char *spelled = arena_alloc(arena, path.len * 3 + 1), *to = spelled;
	struct span again;

	for (size_t i = 0; i < path.len; i++) {
		if (!byte_is(path.at[i], BYTE_UNRESERVED) || (i >= 1 && path.at[i - 1] == '%') ||
		    (i >= 2 && path.at[i - 2] == '%'))
			*to++ = path.at[i];
		else
			to += snprintf(to, 4, "%%%02x", (unsigned)(unsigned char)path.at[i]);
	}
	check(uri_path_normalise(span_between(spelled, to), arena, &again) && span_equal(again, normal));
}

static void
check_path(struct span path, struct arena *arena)
{
	struct span normal, decoded;

	uri_decode_path(path, arena, &decoded);
	if (!uri_path_normalise(path, arena, &normal))
		return;
	check_normal(normal, arena);
	check_spelling(path, normal, arena);
}

static void
check_authority(struct span authority)
{
	struct span host;
	uint16_t port;
	bool has_port;

	if (!uri_authority_parse(authority, &host, &port, &has_port))
		return;
	check(host.len > 0 && host.len <= 255 && host.at == authority.at && host.len <= authority.len);
	check(has_port == (port != 0));
	for (size_t i = 0; i < host.len; i++)
		check(byte_is(host.at[i], BYTE_REG_NAME) || host.at[0] == '[');
}

static void
check_query(struct span query, struct arena *arena)
{
	static const struct span names[] = { SPAN("a"), SPAN(""), SPAN("a b"), SPAN("\0") };
	struct span value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (uri_query_find(query, names[i], arena, &value))
			check(value.len <= query.len);
	}
}

static void
check_target(struct span bytes, struct arena *arena)
{
	struct uri_target target;

	if (!uri_target_parse(bytes, &target))
		return;
	check(bytes_while(bytes, BYTE_TARGET) == bytes.len && span_find(bytes, '#') == bytes.len);
	check(target.has_query || target.query.len == 0);
	check(span_find(target.path, '?') == target.path.len);
	if (target.form == URI_ORIGIN || target.form == URI_ABSOLUTE)
		check(target.path.len > 0 && target.path.at[0] == '/');
	check((target.form == URI_ABSOLUTE) == (target.scheme.len > 0));
	check((target.form == URI_ABSOLUTE || target.form == URI_AUTHORITY) == (target.authority.len > 0));
	check(span_find(target.authority, '@') == target.authority.len);
	check_path(target.path, arena);
	check_query(target.query, arena);
}

static void
check_server(struct span url)
{
	struct uri_server server;
	struct err err = { "" };

	if (!uri_server_parse(url, &server, &err)) {
		check(err.text[0] != '\0');
		return;
	}
	check(server.host.len > 0 && (server.is_unix || server.srv || server.port > 0));
	check(!server.is_unix || (server.host.at[0] == '/' && server.host.len <= 107));
	check(server.path.len == 0 || server.path.at[0] == '/');
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span bytes = fuzz_copy(span_make((const char *)input, size));
	struct arena arena;

	arena_init(&arena, 4096);
	check_target(bytes, &arena);
	check_path(bytes, &arena);
	check_authority(bytes);
	check_query(bytes, &arena);
	check_server(bytes);
	arena_fini(&arena);
	fuzz_release(bytes);
	return 0;
}
