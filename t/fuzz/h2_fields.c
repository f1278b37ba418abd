/* rooms: base http codec */
/*
 * Any fields as a request's head, or its trailers, over HTTP/2. What is found good can be said in HTTP/1 and is then read
 * as the same request: no client of ours can smuggle anything into an upstream behind.
 *
 * The first byte holds flags; then names and values in turn, each behind a byte with its length.
 */
#include "codec/h1_request.h"
#include "codec/h1_write.h"
#include "codec/h2_head.h"
#include "fuzz.h"

enum { FLAG_TRAILERS = 1, FLAG_END = 2, FLAG_SMALL = 4, FLAG_USUAL = 8, FIRST_LINE_MAX = 70000 };

static struct span
piece_take(struct span *rest_io)
{
	size_t length = rest_io->len > 0 ? (uint8_t)rest_io->at[0] : 0;
	struct span piece;

	*rest_io = span_skip(*rest_io, 1);
	piece = span_first(*rest_io, length);
	*rest_io = span_skip(*rest_io, length);
	return piece;
}

static void
usual_add(struct h2_head *head)
{
	h2_head_add(head, SPAN_OF(":method"), SPAN_OF("POST"));
	h2_head_add(head, SPAN_OF(":scheme"), SPAN_OF("https"));
	h2_head_add(head, SPAN_OF(":path"), SPAN_OF("/a?b"));
	h2_head_add(head, SPAN_OF(":authority"), SPAN_OF("a"));
}

static void
field_check(const struct field *field)
{
	uint64_t length;

	check(field_name_is_valid(field->name) && field_value_is_valid(field->value));
	check(span_trim(field->value).len == field->value.len);
	check(field->id == field_name_of(field->name));
	if (field->id == FIELD_OTHER) {
		for (size_t i = 0; i < field->name.len; i++)
			check(byte_lower(field->name.at[i]) == field->name.at[i]);
	}
	check(field->id != FIELD_CONNECTION && field->id != FIELD_TRANSFER_ENCODING && field->id != FIELD_UPGRADE &&
	    field->id != FIELD_KEEP_ALIVE && field->id != FIELD_PROXY_CONNECTION);
	if (field->id == FIELD_TE)
		check(span_equal_nocase(field->value, SPAN_OF("trailers")));
	if (field->id == FIELD_CONTENT_LENGTH)
		check(span_to_number(field->value, UINT64_MAX, &length));
}

/* The request as an HTTP/1 message: the parser of HTTP/1 must find the same in it, and nothing behind it. */
static void
http1_check(const struct h2_head *head, const struct fields *fields, struct arena *arena)
{
	const struct h1_limits limits = { 1 << 20, 1000, 1 << 16 };
	struct span line = span_text(arena_format(arena, "%.*s %.*s HTTP/1.1\r\n", (int)head->method_name.len,
	    head->method_name.at, (int)head->target.len, head->target.at));
	struct span host = span_text(arena_format(arena, "Host: %.*s\r\n", (int)head->authority.len, head->authority.at));
	bool has_host = fields_have(fields, FIELD_HOST);
	size_t room = h1_head_size_max(line, fields) + host.len, used;
	char *bytes = arena_alloc(arena, room);
	struct h1_request_head again;
	struct fields read;

	fields_init(&read, arena, NULL, 0);
	room = h1_head_write(bytes, room, line, fields, has_host ? SPAN_OF("") : host);
	check(h1_request_parse(span_make(bytes, room), &limits, &read, &again, &used) == H1_OK);
	check(used == room && read.count == fields->count + !has_host);
	check(span_equal(again.method_name, head->method_name) && span_equal(again.target, head->target));
	check(again.body != H1_BODY_CHUNKED);
	check((again.body == H1_BODY_LENGTH) == (head->has_length && head->content_length > 0));
	check(again.content_length == head->content_length);
	for (uint32_t i = 0; i < fields->count; i++) {
		check(span_equal_nocase(read.items[i].name, fields->items[i].name));
		check(span_equal(read.items[i].value, fields->items[i].value));
	}
}

static void
head_check(const struct h2_head *head, const struct fields *fields, struct arena *arena)
{
	check(head->method_name.len > 0 && field_name_is_valid(head->method_name));
	check(head->host.len > 0 && head->authority.len >= head->host.len);
	if (head->method != HTTP_CONNECT)
		check(head->target.at[0] == '/' || span_is(head->target, "*"));
	http1_check(head, fields, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	unsigned flags = size > 0 ? bytes[0] : 0;
	const struct h1_limits limits = { flags & FLAG_SMALL ? 256 : 32768, flags & FLAG_SMALL ? 4 : 128, 128 };
	struct span copy, rest;
	struct arena arena;
	struct fields fields;
	struct h2_head head;
	enum h2_verdict verdict;

	if (size < 1)
		return 0;
	field_names_init();
	arena_init(&arena, 1024);
	fields_init(&fields, &arena, NULL, 0);
	if (flags & FLAG_TRAILERS)
		h2_trailers_init(&head, &fields, &limits);
	else
		h2_head_init(&head, &fields, &limits);
	if (flags & FLAG_USUAL)
		usual_add(&head);
	copy = fuzz_copy(span_make((const char *)bytes + 1, size - 1));
	for (rest = copy; rest.len > 0;) {
		struct span name = piece_take(&rest), value = piece_take(&rest);

		h2_head_add(&head, name, value);
	}
	fuzz_release(copy);
	verdict = h2_head_end(&head, flags & FLAG_END);
	check((verdict == H2_GOOD) == (head.why == NULL));
	check((verdict == H2_REFUSED) == (head.status >= 400));
	check(fields.count <= limits.header_count || fields_have(&fields, FIELD_COOKIE));
	check(arena.used < 64 * limits.header_size + 65536);
	for (uint32_t i = 0; i < fields.count; i++)
		field_check(&fields.items[i]);
	if (verdict == H2_GOOD && !(flags & FLAG_TRAILERS))
		head_check(&head, &fields, &arena);
	arena_fini(&arena);
	return 0;
}
