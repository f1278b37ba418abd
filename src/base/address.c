/*
 * Addresses and networks as values: read, compared, written. No socket is touched here.
 */
#include "base/address.h"

#include <arpa/inet.h>

enum { V4_MAPPED_BITS = 96 };	/* of ::ffff:a.b.c.d, before the IPv4 address */

bool
address_is_set(const struct address *address)
{
	return address->any.sa_family != AF_UNSPEC;
}

void
address_from_sockaddr(struct address *address, const struct sockaddr *from)
{
	memset(address, 0, sizeof(*address));
	if (from->sa_family == AF_INET) {
		memcpy(&address->in4, from, sizeof(address->in4));
	} else if (from->sa_family == AF_INET6) {
		memcpy(&address->in6, from, sizeof(address->in6));
		if (IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr)) {
			struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = address->in6.sin6_port };

			memcpy(&in4.sin_addr, address->in6.sin6_addr.s6_addr + 12, 4);
			memset(address, 0, sizeof(*address));
			address->in4 = in4;
		}
	} else {
		address->any.sa_family = from->sa_family;
	}
}

uint16_t
address_port(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->in4.sin_port);
	return address->any.sa_family == AF_INET6 ? ntohs(address->in6.sin6_port) : 0;
}

bool
address_equal_host(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
	if (a->any.sa_family == AF_INET6)
		return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0 &&
		    a->in6.sin6_scope_id == b->in6.sin6_scope_id;
	return true;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return address_equal_host(a, b) && address_port(a) == address_port(b);
}

socklen_t
address_length(const struct address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->in4) : sizeof(address->in6);
}

/* By hand: a request may ask for it, and inet_ntop() is slow for what it does. */
static size_t
format_v4(const uint8_t bytes[4], char *to)
{
	char *at = to;

	for (int i = 0; i < 4; i++) {
		uint8_t byte = bytes[i];

		if (i > 0)
			*at++ = '.';
		if (byte >= 100)
			*at++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*at++ = (char)('0' + byte / 10 % 10);
		*at++ = (char)('0' + byte % 10);
	}
	*at = '\0';
	return (size_t)(at - to);
}

size_t
address_format_host(const struct address *address, char to[ADDRESS_TEXT_MAX])
{
	uint8_t bytes[4];

	if (address->any.sa_family == AF_INET) {
		memcpy(bytes, &address->in4.sin_addr, 4);
		return format_v4(bytes, to);
	}
	if (address->any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &address->in6.sin6_addr, to, INET6_ADDRSTRLEN))
		return strlen(to);
	memcpy(to, "unix", 5);
	return 4;
}

size_t
address_format(const struct address *address, char to[ADDRESS_TEXT_MAX])
{
	char host[ADDRESS_TEXT_MAX];
	struct text text = { 0 };
	size_t len;

	address_format_host(address, host);
	if (address->any.sa_family == AF_INET6)
		text_format(&text, "[%s]:%u", host, address_port(address));
	else if (address->any.sa_family == AF_INET)
		text_format(&text, "%s:%u", host, address_port(address));
	else
		text_add_text(&text, host);
	len = text.len < ADDRESS_TEXT_MAX ? text.len : ADDRESS_TEXT_MAX - 1;
	memcpy(to, text.bytes, len);
	to[len] = '\0';
	text_fini(&text);
	return len;
}

bool
address_parse_host(struct span host, uint16_t port, struct address *address_out)
{
	bool bracketed = host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(address_out, 0, sizeof(*address_out));
	if (bracketed)
		host = span_make(host.at + 1, host.len - 2);
	if (host.len == 0 || host.len >= sizeof(text) || memchr(host.at, '\0', host.len))
		return false;
	memcpy(text, host.at, host.len);
	text[host.len] = '\0';
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		address_from_sockaddr(address_out, (const struct sockaddr *)&in6);
	else if (!bracketed && inet_pton(AF_INET, text, &in4.sin_addr) == 1)
		address_out->in4 = in4;
	return address_is_set(address_out);
}

/* -- networks ------------------------------------------------------------------------------------------------------ */

static const uint8_t *
address_bytes(const struct address *address)
{
	return address->any.sa_family == AF_INET ? (const uint8_t *)&address->in4.sin_addr :
	    address->in6.sin6_addr.s6_addr;
}

bool
network_parse(struct span cidr, struct network *network_out)
{
	size_t slash = span_find(cidr, '/');
	struct span host = span_first(cidr, slash);
	unsigned bits = span_find(host, ':') < host.len ? 128 : 32;
	struct address address;
	uint64_t prefix = bits;

	memset(network_out, 0, sizeof(*network_out));
	if (span_is(cidr, "unix")) {
		network_out->family = AF_UNIX;
		return true;
	}
	if (!address_parse_host(host, 0, &address) ||
	    (slash < cidr.len && !span_to_number(span_skip(cidr, slash + 1), bits, &prefix)))
		return false;
	if (bits == 128 && address.any.sa_family == AF_INET) {	/* "::ffff:10.0.0.0/104" */
		if (prefix < V4_MAPPED_BITS)
			return false;
		bits = 32;
		prefix -= V4_MAPPED_BITS;
	}
	network_out->family = (uint8_t)address.any.sa_family;
	network_out->prefix = (uint8_t)prefix;
	memcpy(network_out->bytes, address_bytes(&address), bits / 8);
	return true;
}

bool
network_holds(const struct network *network, const struct address *address)
{
	unsigned whole = network->prefix / 8, rest = network->prefix % 8;
	const uint8_t *bytes;

	if (network->family != address->any.sa_family)
		return false;
	if (network->family == AF_UNIX)
		return true;
	bytes = address_bytes(address);
	if (memcmp(network->bytes, bytes, whole) != 0)
		return false;
	return rest == 0 || ((network->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

bool
networks_hold(const struct networks *networks, const struct address *address)
{
	for (size_t i = 0; i < networks->count; i++)
		if (network_holds(&networks->items[i], address))
			return true;
	return false;
}
