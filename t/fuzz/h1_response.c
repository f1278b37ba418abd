/* rooms: base http codec */
/*
 * Any bytes as the head of an upstream's response, to GET and to HEAD: one reading or none, wherever the bytes are cut.
 */
#include "codec/h1_response.h"
#include "codec/h1_write.h"
#include "fuzz.h"

enum { CUTS_MAX = 400, ROOM = 4 };

static const struct h1_limits limits[] = { { 32768, 128, 0 }, { 80, 2, 0 } };

struct parsed {
	struct arena		arena;
	struct field		room[ROOM];
	struct fields		fields;
	struct h1_response_head	head;
	size_t			used;
	enum h1_result		result;
	struct span		bytes;
};

static void
parsed_init(struct parsed *parsed, struct span bytes, enum http_method method, const struct h1_limits *allowed)
{
	parsed->bytes = fuzz_copy(bytes);
	arena_init(&parsed->arena, 1024);
	fields_init(&parsed->fields, &parsed->arena, parsed->room, ROOM);
	parsed->result = h1_response_parse(parsed->bytes, method, allowed, &parsed->fields, &parsed->head,
	    &parsed->used);
}

static void
parsed_fini(struct parsed *parsed)
{
	arena_fini(&parsed->arena);
	fuzz_release(parsed->bytes);
}

static void
check_same(const struct parsed *a, const struct parsed *b)
{
	check(a->head.status == b->head.status && a->head.minor == b->head.minor);
	check(span_equal(a->head.reason, b->head.reason));
	check(a->head.body == b->head.body && a->head.content_length == b->head.content_length);
	check(a->head.has_content_length == b->head.has_content_length && a->head.keep_alive == b->head.keep_alive);
	check(a->fields.count == b->fields.count && a->fields.seen == b->fields.seen);
	for (uint32_t i = 0; i < a->fields.count; i++) {
		check(a->fields.items[i].id == b->fields.items[i].id);
		check(span_equal(a->fields.items[i].name, b->fields.items[i].name));
		check(span_equal(a->fields.items[i].value, b->fields.items[i].value));
	}
}

static void
check_cut(struct span bytes, size_t length, enum http_method method, const struct parsed *whole,
    const struct h1_limits *allowed)
{
	struct parsed part;

	parsed_init(&part, span_first(bytes, length), method, allowed);
	if (part.result == H1_BAD) {
		check(whole->result == H1_BAD && strcmp(part.head.why, whole->head.why) == 0);
	} else if (part.result == H1_OK) {
		check(whole->result == H1_OK && part.used == whole->used && length >= whole->used);
		check_same(&part, whole);
	} else {
		check(whole->result != H1_OK || length < whole->used);
	}
	parsed_fini(&part);
}

static bool
never_has_content(const struct parsed *parsed, enum http_method method)
{
	unsigned status = parsed->head.status;

	return method == HTTP_HEAD || status < 200 || status == 204 || status == 304;
}

static void
check_taken(const struct parsed *parsed, enum http_method method, const struct h1_limits *allowed)
{
	bool has_length = fields_have(&parsed->fields, FIELD_CONTENT_LENGTH);
	bool has_coding = fields_have(&parsed->fields, FIELD_TRANSFER_ENCODING);

	check(parsed->used <= parsed->bytes.len && parsed->used <= allowed->header_size);
	check(parsed->fields.count <= allowed->header_count && parsed->head.why == NULL);
	check(parsed->head.status >= 100 && parsed->head.status <= 599 && parsed->head.minor <= 1);
	check(field_value_is_valid(parsed->head.reason));
	check(!(has_length && has_coding) && has_length == parsed->head.has_content_length);
	if (never_has_content(parsed, method))
		check(parsed->head.body == H1_BODY_NONE);
	else
		check((parsed->head.body == H1_BODY_CHUNKED) == has_coding);
	check(parsed->head.body != H1_BODY_LENGTH || (has_length && parsed->head.content_length > 0));
	check(parsed->head.body != H1_BODY_UNTIL_CLOSE || !parsed->head.keep_alive);
	for (uint32_t i = 0; i < parsed->fields.count; i++) {
		check(field_name_is_valid(parsed->fields.items[i].name));
		check(field_value_is_valid(parsed->fields.items[i].value));
	}
}

static void
check_written_again(const struct parsed *parsed, enum http_method method)
{
	struct span line = SPAN("HTTP/1.1 "), nothing = { NULL, 0 };
	struct arena arena;
	struct parsed again;
	size_t size, length;
	char *to;

	arena_init(&arena, 1024);
	line = span_text(arena_format(&arena, "HTTP/1.%u %u ", parsed->head.minor, parsed->head.status));
	line = arena_join(&arena, line, parsed->head.reason);
	line = arena_join(&arena, line, SPAN_OF("\r\n"));
	size = h1_head_size_max(line, &parsed->fields);
	to = arena_alloc(&arena, size);
	length = h1_head_write(to, size, line, &parsed->fields, nothing);
	parsed_init(&again, span_make(to, length), method, &(struct h1_limits){ 2 * size + 1, UINT32_MAX, 0 });
	check(again.result == H1_OK && again.used == length);
	check_same(&again, parsed);
	parsed_fini(&again);
	arena_fini(&arena);
}

static void
check_head(struct span bytes, enum http_method method, const struct h1_limits *allowed)
{
	size_t step = bytes.len / CUTS_MAX + 1;
	struct parsed whole;

	parsed_init(&whole, bytes, method, allowed);
	if (whole.result == H1_OK) {
		check_taken(&whole, method, allowed);
		check_written_again(&whole, method);
		check_cut(bytes, whole.used, method, &whole, allowed);
		check_cut(bytes, whole.used - 1, method, &whole, allowed);
	} else {
		check(whole.result == H1_AGAIN ? bytes.len < allowed->header_size : whole.head.why != NULL);
	}
	for (size_t length = 0; length < bytes.len; length += step)
		check_cut(bytes, length, method, &whole, allowed);
	parsed_fini(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool ready;

	if (!ready)
		field_names_init();
	ready = true;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		check_head(span_make((const char *)bytes, size), HTTP_GET, &limits[i]);
		check_head(span_make((const char *)bytes, size), HTTP_HEAD, &limits[i]);
	}
	return 0;
}
