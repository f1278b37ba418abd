/*
 * Both fields are read from left to right into hops; when there are more than asked for, the oldest give way.
 */
#include "http/forwarded.h"
#include "http/byte_class.h"
#include "http/uri.h"

struct hops {
	struct forwarded_hop	*items;
	size_t			 room;
	size_t			 count;
};

static void
hops_add(struct hops *hops, struct forwarded_hop hop)
{
	if (hops->room == 0)
		return;
	if (hops->count == hops->room) {
		hops->count--;
		memmove(hops->items, hops->items + 1, hops->count * sizeof(*hops->items));
	}
	hops->items[hops->count++] = hop;
}

/* "_hidden" and "unknown", RFC 7239 §6.2 and §6.3; the latter also with a port. */
static bool
is_no_address(struct span node)
{
	return span_equal_nocase(node, SPAN_OF("unknown")) ||
	    (node.len > 1 && node.at[0] == '_' && bytes_while(node, BYTE_UNRESERVED) == node.len);
}

/* Whether it could be an address: its reader in net/ decides. */
static bool
looks_like_address(struct span node)
{
	size_t i = 0;

	while (i < node.len && (byte_is(node.at[i], BYTE_HEX) || node.at[i] == '.' || node.at[i] == ':'))
		i++;
	return node.len > 0 && i == node.len && (span_find(node, '.') < node.len || span_find(node, ':') < node.len);
}

static bool
name_is_valid(struct span node)
{
	return looks_like_address(node) || is_no_address(node);
}

/* §6: node = nodename [ ":" node-port ], the port a number or obfuscated. */
static bool
port_is_valid(struct span port)
{
	if (port.len == 0)
		return true;
	port = span_skip(port, 1);
	return (port.len >= 1 && port.len <= 5 && bytes_while(port, BYTE_DIGIT) == port.len) ||
	    (port.len > 1 && port.at[0] == '_' && bytes_while(port, BYTE_UNRESERVED) == port.len);
}

/* Without port and brackets. More than one colon and no brackets: an IPv6 address as X-Forwarded-For has it. */
static bool
node_parse(struct span node, struct span *for_out)
{
	size_t colon = span_find(node, ':'), end;

	if (node.len > 0 && node.at[0] == '[') {
		end = span_find(node, ']');
		*for_out = span_make(node.at + 1, end - 1);
		return end < node.len && looks_like_address(*for_out) && span_find(*for_out, ':') < for_out->len &&
		    (end + 1 == node.len || node.at[end + 1] == ':') && port_is_valid(span_skip(node, end + 1));
	}
	if (colon < node.len && span_find_last(node, ':') == colon) {
		*for_out = span_first(node, colon);
		return name_is_valid(*for_out) && port_is_valid(span_skip(node, colon));
	}
	*for_out = node;
	return name_is_valid(node);
}

/* "http" or "https" as a constant; anything else is as good as not said. */
static struct span
proto_of(struct span value)
{
	if (span_equal_nocase(value, SPAN_OF("https")))
		return SPAN_OF("https");
	return span_equal_nocase(value, SPAN_OF("http")) ? SPAN_OF("http") : SPAN_OF("");
}

static bool
host_is_valid(struct span value)
{
	struct span host;
	uint16_t port;
	bool has_port;

	return uri_authority_parse(value, &host, &port, &has_port);
}

/* Where the quoted string that starts `text` has its closing quote; text.len when it has none. */
static size_t
closing_quote(struct span text)
{
	size_t i = 1;

	while (i < text.len && text.at[i] != '"')
		i += text.at[i] == '\\' ? 2 : 1;
	return i < text.len ? i : text.len;
}

/* A token or quoted string at the start of *rest_io; quoted pairs are undone in the arena. */
static bool
value_take(struct span *rest_io, struct arena *arena, struct span *value_out)
{
	struct span rest = *rest_io;
	char *to, *start;
	size_t end;

	if (rest.len == 0 || rest.at[0] != '"') {
		*value_out = span_first(rest, bytes_while(rest, BYTE_TOKEN));
		*rest_io = span_skip(rest, value_out->len);
		return value_out->len > 0;
	}
	end = closing_quote(rest);
	if (end == rest.len)
		return false;
	to = start = arena_alloc(arena, end);
	for (size_t i = 1; i < end; i++) {
		if (rest.at[i] == '\\')
			i++;
		*to++ = rest.at[i];
	}
	*value_out = span_between(start, to);
	*rest_io = span_skip(rest, end + 1);
	return true;
}

/* One "name=value" of a hop. Names that the RFC does not know are read over (§5.5). */
static bool
pair_take(struct span *rest_io, struct arena *arena, struct forwarded_hop *hop)
{
	struct span name = span_first(*rest_io, bytes_while(*rest_io, BYTE_TOKEN)), value;

	*rest_io = span_skip(*rest_io, name.len);
	if (name.len == 0 || rest_io->len == 0 || rest_io->at[0] != '=')
		return false;
	*rest_io = span_skip(*rest_io, 1);
	if (!value_take(rest_io, arena, &value))
		return false;
	if (span_equal_nocase(name, SPAN_OF("for")))
		return hop->for_node.len == 0 && node_parse(value, &hop->for_node);
	if (span_equal_nocase(name, SPAN_OF("proto")))
		hop->proto = proto_of(value);
	if (span_equal_nocase(name, SPAN_OF("host"))) {
		hop->host = value;
		return host_is_valid(value);
	}
	return true;
}

/* One element of the list and its comma; an empty one has no pair (RFC 9110 §5.6.1.2). */
static bool
element_take(struct span *rest_io, struct arena *arena, struct forwarded_hop *hop, bool *has_pair_out)
{
	struct span rest;
	char byte;

	*has_pair_out = false;
	for (rest = span_trim(*rest_io); rest.len > 0; rest = span_trim(rest)) {
		byte = rest.at[0];
		if (byte != ',' && byte != ';') {
			if (!pair_take(&rest, arena, hop))
				return false;
			*has_pair_out = true;
			rest = span_trim(rest);
			byte = rest.len > 0 ? rest.at[0] : ',';
		}
		if (byte != ',' && byte != ';')
			return false;
		rest = span_skip(rest, 1);
		if (byte == ',')
			break;
	}
	*rest_io = rest;
	return true;
}

/*
 * What is behind a malformed element was added by someone nearer to us and counts: else a client could hide behind the
 * address of the trusted proxy by sending nonsense. An open quote must not swallow it either.
 */
static void
forwarded_value_parse(struct span rest, struct arena *arena, struct hops *hops)
{
	while (rest.len > 0) {
		struct span element = rest;
		struct forwarded_hop hop = { 0 };
		bool has_pair;

		if (!element_take(&rest, arena, &hop, &has_pair)) {
			hops->count = 0;
			rest = span_skip(element, span_find(element, ',') + 1);
		} else if (has_pair) {
			hops_add(hops, hop);
		}
	}
}

static void
x_forwarded_for_parse(struct span list, struct hops *hops)
{
	struct forwarded_hop hop = { 0 };
	struct span node;

	while (span_cut(&list, ',', &node)) {
		node = span_trim(node);
		if (node.len == 0)
			continue;
		if (node_parse(node, &hop.for_node))
			hops_add(hops, hop);
		else
			hops->count = 0;
	}
}

/* The last member of the last field of that name. */
static struct span
last_member(const struct fields *fields, enum field_name id)
{
	struct span value = { NULL, 0 };
	size_t comma;

	for (uint32_t i = 0; i < fields->count; i++) {
		if (fields->items[i].id == id)
			value = fields->items[i].value;
	}
	comma = span_find_last(value, ',');
	return span_trim(comma < value.len ? span_skip(value, comma + 1) : value);
}

static void
x_forwarded_rest_parse(const struct fields *fields, struct forwarded_hop *nearest)
{
	struct span host = last_member(fields, FIELD_X_FORWARDED_HOST);

	nearest->proto = proto_of(last_member(fields, FIELD_X_FORWARDED_PROTO));
	if (host_is_valid(host))
		nearest->host = host;
}

size_t
forwarded_parse(const struct fields *fields, struct arena *arena, struct forwarded_hop *hops, size_t room)
{
	struct hops found = { .items = hops, .room = room };
	bool standard = !fields_have(fields, FIELD_X_FORWARDED_FOR);
	enum field_name id = standard ? FIELD_FORWARDED : FIELD_X_FORWARDED_FOR;

	for (uint32_t i = 0; i < fields->count; i++) {
		struct span value = fields->items[i].value;

		if (fields->items[i].id != id)
			continue;
		if (standard)
			forwarded_value_parse(value, arena, &found);
		else
			x_forwarded_for_parse(value, &found);
	}
	if (!standard && found.count > 0)
		x_forwarded_rest_parse(fields, &hops[found.count - 1]);
	return found.count;
}
