/*
 * Both versions of the PROXY protocol, told apart by their first bytes ("PROXY " and the twelve of version 2).
 */
#include "net/proxy_header.h"

#include <arpa/inet.h>

enum { V1_MAX = 107, V2_HEAD = 16, V2_CONTENT_MAX = 2048, V2_DATAGRAM = 2 };
enum { V2_UNSPECIFIED, V2_INET, V2_INET6, V2_UNIX };

static const size_t v2_lengths[] = { [V2_UNSPECIFIED] = 0, [V2_INET] = 12, [V2_INET6] = 36, [V2_UNIX] = 216 };

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const struct span v1_start = SPAN("PROXY ");

/* The family says how it is written: a v4-mapped address is TCP6. */
static bool
v1_address_parse(struct span family, struct span from, uint16_t port, struct address *address_out)
{
	const char *own_family = span_find(from, ':') < from.len ? "TCP6" : "TCP4";

	return span_is(family, own_family) && span_find(from, '[') == from.len &&
	    address_parse_host(from, port, address_out);
}

/* "TCP4 1.2.3.4 5.6.7.8 1234 80"; "UNKNOWN …" leaves the source unset. */
static bool
v1_line_parse(struct span line, struct address *source_out)
{
	struct span family, from, to, from_port;
	struct address own;
	uint64_t port, own_port;

	if (!span_cut(&line, ' ', &family))
		return false;
	if (span_is(family, "UNKNOWN"))
		return true;
	if (!span_cut(&line, ' ', &from) || !span_cut(&line, ' ', &to) || !span_cut(&line, ' ', &from_port))
		return false;
	if (!span_to_number(from_port, UINT16_MAX, &port) || !span_to_number(line, UINT16_MAX, &own_port))
		return false;
	return v1_address_parse(family, to, (uint16_t)own_port, &own) &&
	    v1_address_parse(family, from, (uint16_t)port, source_out);
}

static enum proxy_header_result
v1_parse(struct span bytes, struct address *source_out, size_t *used_out)
{
	size_t end = span_find(span_first(bytes, V1_MAX), '\n');

	if (end == bytes.len && bytes.len < V1_MAX)
		return PROXY_HEADER_AGAIN;
	if (end >= V1_MAX || end == bytes.len || bytes.at[end - 1] != '\r')
		return PROXY_HEADER_BAD;
	*used_out = end + 1;
	return v1_line_parse(span_between(bytes.at + v1_start.len, bytes.at + end - 1), source_out) ?
	    PROXY_HEADER_OK : PROXY_HEADER_BAD;
}

static void
v2_source_v4(const unsigned char *content, struct address *source_out)
{
	memset(source_out, 0, sizeof(*source_out));
	source_out->in4.sin_family = AF_INET;
	memcpy(&source_out->in4.sin_addr, content, 4);
	memcpy(&source_out->in4.sin_port, content + 8, 2);
}

static void
v2_source_v6(const unsigned char *content, struct address *source_out)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memcpy(&in6.sin6_addr, content, 16);
	memcpy(&in6.sin6_port, content + 32, 2);
	address_from_sockaddr(source_out, (const struct sockaddr *)(const void *)&in6);
}

/* kind: the address family and the transport; those that the protocol does not know are refused. */
static bool
v2_source(const unsigned char *content, size_t length, unsigned kind, struct address *source_out)
{
	unsigned family = kind >> 4;

	if (family > V2_UNIX || (kind & 15) > V2_DATAGRAM || length < v2_lengths[family])
		return false;
	if (family == V2_INET)
		v2_source_v4(content, source_out);
	else if (family == V2_INET6)
		v2_source_v6(content, source_out);
	return true;
}

static enum proxy_header_result
v2_parse(struct span bytes, struct address *source_out, size_t *used_out)
{
	const unsigned char *at = (const unsigned char *)bytes.at;
	size_t length;

	if (bytes.len < V2_HEAD)
		return PROXY_HEADER_AGAIN;
	length = (size_t)at[14] << 8 | at[15];
	if (at[12] >> 4 != 2 || (at[12] & 15) > 1 || length > V2_CONTENT_MAX)
		return PROXY_HEADER_BAD;
	if (bytes.len < V2_HEAD + length)
		return PROXY_HEADER_AGAIN;
	*used_out = V2_HEAD + length;
	if ((at[12] & 15) == 0)
		return PROXY_HEADER_OK;	/* LOCAL: the proxy's own health check */
	return v2_source(at + V2_HEAD, length, at[13], source_out) ? PROXY_HEADER_OK : PROXY_HEADER_BAD;
}

enum proxy_header_result
proxy_header_parse(struct span bytes, struct address *source_out, size_t *used_out)
{
	size_t some = bytes.len < sizeof(v2_signature) ? bytes.len : sizeof(v2_signature);

	if (some == 0)
		return PROXY_HEADER_AGAIN;
	if (memcmp(bytes.at, v2_signature, some) == 0)
		return some < sizeof(v2_signature) ? PROXY_HEADER_AGAIN : v2_parse(bytes, source_out, used_out);
	some = bytes.len < v1_start.len ? bytes.len : v1_start.len;
	if (memcmp(bytes.at, v1_start.at, some) != 0)
		return PROXY_HEADER_BAD;
	return some < v1_start.len ? PROXY_HEADER_AGAIN : v1_parse(bytes, source_out, used_out);
}
