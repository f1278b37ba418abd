/* rooms: base http codec */
/*
 * Any bytes as a request head. A taken head has one reading: it is cut at every place, written again and read again; a
 * refusal says why, and no piece of the bytes is judged differently from the whole.
 */
#include "codec/h1_request.h"
#include "codec/h1_write.h"
#include "fuzz.h"
#include "http/uri.h"

enum { CUTS_MAX = 400, ROOM = 4 };

static const struct h1_limits limits[] = { { 32768, 128, 8192 }, { 96, 3, 24 } };

struct parsed {
	struct arena		arena;
	struct field		room[ROOM];
	struct fields		fields;
	struct h1_request_head	head;
	size_t			used;
	enum h1_result		result;
	struct span		bytes;
};

static void
parsed_init(struct parsed *parsed, struct span bytes, const struct h1_limits *allowed)
{
	parsed->bytes = fuzz_copy(bytes);
	arena_init(&parsed->arena, 1024);
	fields_init(&parsed->fields, &parsed->arena, parsed->room, ROOM);
	parsed->result = h1_request_parse(parsed->bytes, allowed, &parsed->fields, &parsed->head, &parsed->used);
}

static void
parsed_fini(struct parsed *parsed)
{
	arena_fini(&parsed->arena);
	fuzz_release(parsed->bytes);
}

static void
check_same_fields(const struct fields *a, const struct fields *b)
{
	check(a->count == b->count && a->seen == b->seen);
	for (uint32_t i = 0; i < a->count; i++) {
		check(a->items[i].id == b->items[i].id);
		check(span_equal(a->items[i].name, b->items[i].name));
		check(span_equal(a->items[i].value, b->items[i].value));
	}
}

static void
check_same(const struct parsed *a, const struct parsed *b)
{
	check(span_equal(a->head.method_name, b->head.method_name) && a->head.method == b->head.method);
	check(span_equal(a->head.target, b->head.target));
	check(a->head.minor == b->head.minor && a->head.body == b->head.body);
	check(a->head.content_length == b->head.content_length);
	check(a->head.keep_alive == b->head.keep_alive && a->head.has_upgrade == b->head.has_upgrade);
	check(a->head.expects_continue == b->head.expects_continue);
	check_same_fields(&a->fields, &b->fields);
}

static void
check_cut(struct span bytes, size_t length, const struct parsed *whole, const struct h1_limits *allowed)
{
	struct parsed part;

	parsed_init(&part, span_first(bytes, length), allowed);
	if (part.result == H1_BAD) {
		check(whole->result == H1_BAD && part.head.status == whole->head.status);
		check(strcmp(part.head.why, whole->head.why) == 0);
	} else if (part.result == H1_OK) {
		check(whole->result == H1_OK && length >= whole->used && part.used == whole->used);
		check_same(&part, whole);
	} else {
		check(whole->result != H1_OK || length < whole->used);
	}
	if (part.result != H1_AGAIN && whole->result == H1_OK && length == whole->used)
		check(h1_head_may_be_complete(part.bytes, length - 1));
	parsed_fini(&part);
}

static bool
lies_in(struct span part, struct span whole)
{
	return part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static void
check_fields(const struct parsed *parsed, const struct h1_limits *allowed)
{
	unsigned hosts = 0, lengths = 0, codings = 0;

	check(parsed->fields.count <= allowed->header_count);
	for (uint32_t i = 0; i < parsed->fields.count; i++) {
		const struct field *field = &parsed->fields.items[i];

		check(field_name_is_valid(field->name) && field_value_is_valid(field->value));
		check(lies_in(field->name, parsed->bytes) && lies_in(field->value, parsed->bytes));
		check(span_trim(field->value).len == field->value.len);
		check(field->id == field_name_of(field->name));
		hosts += field->id == FIELD_HOST;
		lengths += field->id == FIELD_CONTENT_LENGTH;
		codings += field->id == FIELD_TRANSFER_ENCODING;
	}
	check(hosts <= 1 && lengths + codings <= 1 && (hosts == 1 || parsed->head.minor == 0));
	check((parsed->head.body == H1_BODY_CHUNKED) == (codings == 1));
	check(parsed->head.body != H1_BODY_LENGTH || (lengths == 1 && parsed->head.content_length > 0));
	check(parsed->head.body != H1_BODY_UNTIL_CLOSE);
}

/* What is handed on to an upstream has to mean the same there. */
static void
check_written_again(const struct parsed *parsed)
{
	struct span line = parsed->head.method_name, nothing = { NULL, 0 };
	struct arena arena;
	struct parsed again;
	size_t size, length;
	char *to;

	arena_init(&arena, 1024);
	line = arena_join(&arena, line, SPAN_OF(" "));
	line = arena_join(&arena, line, parsed->head.target);
	line = arena_join(&arena, line, parsed->head.minor == 1 ? SPAN_OF(" HTTP/1.1\r\n") : SPAN_OF(" HTTP/1.0\r\n"));
	size = h1_head_size_max(line, &parsed->fields);
	to = arena_alloc(&arena, size);
	length = h1_head_write(to, size, line, &parsed->fields, nothing);
	check(length > 0 && length <= size);
	parsed_init(&again, span_make(to, length), &(struct h1_limits){ 2 * size + 1, UINT32_MAX, SIZE_MAX / 2 });
	check(again.result == H1_OK && again.used == length);
	check_same(&again, parsed);
	parsed_fini(&again);
	arena_fini(&arena);
}

/* The parts that were handed on are those that a second look gives. */
static void
check_target(const struct h1_request_head *head)
{
	struct span host, authority = head->uri.authority.len > 0 ? head->uri.authority : head->authority;
	struct uri_target target;
	uint16_t port;
	bool has_port;

	check(uri_target_parse(head->target, &target) && target.form == head->uri.form);
	check(span_equal(target.path, head->uri.path) && span_equal(target.query, head->uri.query));
	check(target.has_query == head->uri.has_query && span_equal(target.authority, head->uri.authority));
	check(span_equal(authority, head->authority));
	if (authority.len == 0)
		check(head->minor == 0 && head->host.len == 0);
	else
		check(uri_authority_parse(authority, &host, &port, &has_port) && span_equal(host, head->host));
}

static void
check_taken(const struct parsed *parsed, const struct h1_limits *allowed)
{
	check(parsed->used <= parsed->bytes.len && parsed->used <= allowed->header_size);
	check(parsed->head.target.len > 0 && parsed->head.target.len <= allowed->uri_size);
	check(parsed->head.method_name.len > 0 && parsed->head.method_name.len <= 32);
	check(parsed->head.status == 0 && parsed->head.why == NULL && parsed->head.minor <= 1);
	check(parsed->bytes.at[parsed->used - 1] == '\n' && parsed->bytes.at[parsed->used - 2] == '\r');
	check_fields(parsed, allowed);
	check_target(&parsed->head);
	check_written_again(parsed);
}

static void
check_refused(const struct parsed *parsed)
{
	static const unsigned statuses[] = { 400, 414, 417, 431, 501, 505 };
	size_t i = 0;

	check(parsed->head.why != NULL);
	while (i < sizeof(statuses) / sizeof(statuses[0]) && statuses[i] != parsed->head.status)
		i++;
	check(i < sizeof(statuses) / sizeof(statuses[0]));
}

static void
check_head(struct span bytes, const struct h1_limits *allowed)
{
	size_t step = bytes.len / CUTS_MAX + 1;
	struct parsed whole;

	parsed_init(&whole, bytes, allowed);
	if (whole.result == H1_OK)
		check_taken(&whole, allowed);
	else if (whole.result == H1_BAD)
		check_refused(&whole);
	else
		check(bytes.len < allowed->header_size);
	for (size_t length = 0; length < bytes.len; length += step)
		check_cut(bytes, length, &whole, allowed);
	if (whole.result == H1_OK) {
		check_cut(bytes, whole.used, &whole, allowed);
		check_cut(bytes, whole.used - 1, &whole, allowed);
	}
	parsed_fini(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool ready;

	if (!ready)
		field_names_init();
	ready = true;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		check_head(span_make((const char *)bytes, size), &limits[i]);
	return 0;
}
