/*
 * Targets and authorities are cut at their delimiters, then each part is held against its byte class. Nothing is
 * guessed.
 */
#include "http/uri.h"
#include "http/byte_class.h"

#include <arpa/inet.h>

enum { HOST_MAX = 255, PORT_DIGITS_MAX = 5 };

static void
cut_at(struct span from, char byte, struct span *before_out, struct span *after_out, bool *found_out)
{
	size_t offset = span_find(from, byte);

	*before_out = span_first(from, offset);
	*found_out = offset < from.len;
	*after_out = span_skip(from, offset + *found_out);
}

/* The length of "scheme://" at the start, 0 when there is none. */
static size_t
scheme_length(struct span target)
{
	size_t length = span_find(target, ':');

	if (!span_starts_with(span_skip(target, length), SPAN_OF("://")))
		return 0;
	if (length == 0 || !((target.at[0] | 0x20) >= 'a' && (target.at[0] | 0x20) <= 'z'))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if (!byte_is(target.at[i], BYTE_UNRESERVED) && target.at[i] != '+')
			return 0;
	}
	return length;
}

static bool
absolute_parse(struct span target, size_t scheme, struct uri_target *target_out)
{
	struct span rest = span_skip(target, scheme + 3), host;
	size_t authority = 0;
	uint16_t port;
	bool has_port;

	while (authority < rest.len && rest.at[authority] != '/' && rest.at[authority] != '?')
		authority++;
	target_out->form = URI_ABSOLUTE;
	target_out->scheme = span_first(target, scheme);
	target_out->authority = span_first(rest, authority);
	cut_at(span_skip(rest, authority), '?', &target_out->path, &target_out->query, &target_out->has_query);
	if (target_out->path.len == 0)
		target_out->path = SPAN_OF("/");
	return uri_authority_parse(target_out->authority, &host, &port, &has_port);
}

static bool
authority_form_parse(struct span target, struct uri_target *target_out)
{
	struct span host;
	uint16_t port;
	bool has_port;

	target_out->form = URI_AUTHORITY;
	target_out->authority = target;
	return uri_authority_parse(target, &host, &port, &has_port) && has_port;
}

bool
uri_target_parse(struct span target, struct uri_target *target_out)
{
	size_t scheme;

	*target_out = (struct uri_target){ .form = URI_ORIGIN };
	if (target.len == 0 || bytes_while(target, BYTE_TARGET) < target.len || span_find(target, '#') < target.len)
		return false;
	if (target.at[0] == '/') {
		cut_at(target, '?', &target_out->path, &target_out->query, &target_out->has_query);
		return true;
	}
	if (span_is(target, "*")) {
		target_out->form = URI_ASTERISK;
		target_out->path = target;
		return true;
	}
	scheme = scheme_length(target);
	return scheme > 0 ? absolute_parse(target, scheme, target_out) : authority_form_parse(target, target_out);
}

/* "[::1]", the brackets included; zones and IPvFuture are refused. */
static bool
ipv6_literal_is_valid(struct span host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t length;

	if (host.len < 4 || host.len - 2 >= sizeof(text) || host.at[host.len - 1] != ']')
		return false;
	length = host.len - 2;
	memcpy(text, host.at + 1, length);
	text[length] = '\0';
	return strlen(text) == length && inet_pton(AF_INET6, text, &address) == 1;
}

static bool
host_is_valid(struct span host)
{
	if (host.len == 0 || host.len > HOST_MAX)
		return false;
	return host.at[0] == '[' ? ipv6_literal_is_valid(host) : bytes_while(host, BYTE_REG_NAME) == host.len;
}

static bool
port_parse(struct span digits, uint16_t *port_out)
{
	uint64_t port;

	if (digits.len > PORT_DIGITS_MAX || !span_to_number(digits, UINT16_MAX, &port) || port == 0)
		return false;
	*port_out = (uint16_t)port;
	return true;
}

bool
uri_authority_parse(struct span authority, struct span *host_out, uint16_t *port_out, bool *has_port_out)
{
	size_t host = 0;
	struct span port;

	if (authority.len > 0 && authority.at[0] == '[') {
		host = span_find(authority, ']');
		host += host < authority.len;
	} else {
		host = span_find(authority, ':');
	}
	*host_out = span_first(authority, host);
	port = span_skip(authority, host);
	*port_out = 0;
	*has_port_out = port.len > 1;
	if (!host_is_valid(*host_out) || (port.len > 0 && port.at[0] != ':'))
		return false;
	return port.len <= 1 || port_parse(span_skip(port, 1), port_out);	/* "host:" is valid, RFC 3986 §3.2.3 */
}

bool
uri_decode_path(struct span path, struct arena *arena, struct span *decoded_out)
{
	const char *at, *end;
	char *decoded, *to;

	*decoded_out = path;
	if (span_find(path, '\0') < path.len)
		return false;
	if (span_find(path, '%') == path.len)
		return true;
	at = path.at;
	end = at + path.len;
	to = decoded = arena_alloc(arena, path.len);
	while (at < end) {
		if (*at != '%') {
			*to++ = *at++;
			continue;
		}
		if (!percent_code_leads(span_between(at, end)))
			return false;
		*to = percent_code_value(at);
		if (*to == '\0' || *to == '/')
			return false;
		to++;
		at += 3;
	}
	*decoded_out = span_between(decoded, to);
	return true;
}

/* A '%' that starts no percent code stands for itself: queries have no normal form, and people type them. */
static struct span
form_decode(struct span from, struct arena *arena)
{
	const char *at, *end;
	char *decoded, *to;

	if (span_find(from, '%') == from.len && span_find(from, '+') == from.len)
		return from;
	at = from.at;
	end = at + from.len;
	to = decoded = arena_alloc(arena, from.len);
	while (at < end) {
		if (percent_code_leads(span_between(at, end))) {
			*to++ = percent_code_value(at);
			at += 3;
		} else {
			*to++ = *at == '+' ? ' ' : *at;
			at++;
		}
	}
	return span_between(decoded, to);
}

bool
uri_query_find(struct span query, struct span name, struct arena *arena, struct span *value_out)
{
	struct span pair, key, value;
	bool has_value;

	while (span_cut(&query, '&', &pair)) {
		cut_at(pair, '=', &key, &value, &has_value);
		if (pair.len == 0 || !span_equal(form_decode(key, arena), name))
			continue;
		*value_out = form_decode(value, arena);
		return true;
	}
	return false;
}
