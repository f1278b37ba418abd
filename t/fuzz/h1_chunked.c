/* rooms: base http codec */
/*
 * Any bytes as a chunked body: the same content, trailers and end however the bytes arrive; and content that is encoded
 * again decodes to itself.
 */
#include "codec/h1_chunked.h"
#include "base/text.h"
#include "fuzz.h"

enum { CUTS_MAX = 200, TRAILER_BYTES = 256, CHUNK = 7 };

struct decoded {
	struct arena		arena;
	struct fields		trailers;
	struct h1_chunked	chunked;
	struct text		body;
	enum h1_chunked_result	result;
	size_t			used;
};

static void
decoded_init(struct decoded *decoded)
{
	*decoded = (struct decoded){ .result = H1_CHUNK_AGAIN };
	arena_init(&decoded->arena, 1024);
	fields_init(&decoded->trailers, &decoded->arena, NULL, 0);
	h1_chunked_init(&decoded->chunked, &decoded->trailers, TRAILER_BYTES);
}

static void
decoded_fini(struct decoded *decoded)
{
	text_fini(&decoded->body);
	arena_fini(&decoded->arena);
}

static void
feed(struct decoded *decoded, struct span bytes)
{
	struct span copy, rest, piece;

	if (decoded->result != H1_CHUNK_AGAIN)
		return;
	rest = copy = fuzz_copy(bytes);
	while ((decoded->result = h1_chunked_read(&decoded->chunked, &rest, &piece)) == H1_CHUNK_DATA) {
		check(piece.len > 0 && piece.at >= copy.at && piece.at + piece.len <= rest.at);
		text_add(&decoded->body, piece);
	}
	check(decoded->result != H1_CHUNK_AGAIN || rest.len == 0);
	check((decoded->result == H1_CHUNK_BAD) == (decoded->chunked.why != NULL));
	decoded->used += copy.len - rest.len;
	fuzz_release(copy);
}

static void
check_same(const struct decoded *a, const struct decoded *b)
{
	check(a->result == b->result && span_equal(text_span(&a->body), text_span(&b->body)));
	check(a->result != H1_CHUNK_END || a->used == b->used);
	check(a->trailers.count == b->trailers.count);
	for (uint32_t i = 0; i < a->trailers.count; i++) {
		check(a->trailers.items[i].id == b->trailers.items[i].id);
		check(span_equal(a->trailers.items[i].name, b->trailers.items[i].name));
		check(span_equal(a->trailers.items[i].value, b->trailers.items[i].value));
	}
}

static void
check_cut(struct span bytes, size_t cut, const struct decoded *whole)
{
	struct decoded parts;

	decoded_init(&parts);
	feed(&parts, span_first(bytes, cut));
	feed(&parts, span_skip(bytes, cut));
	check_same(&parts, whole);
	decoded_fini(&parts);
}

static void
check_byte_by_byte(struct span bytes, const struct decoded *whole)
{
	struct decoded parts;

	decoded_init(&parts);
	for (size_t i = 0; i < bytes.len; i++)
		feed(&parts, span_make(bytes.at + i, 1));
	check_same(&parts, whole);
	check(parts.arena.used <= 8 * (TRAILER_BYTES + 2) + 64 * (size_t)(1 + parts.trailers.room) * 128);
	decoded_fini(&parts);
}

static void
check_trailers(const struct decoded *decoded)
{
	check(decoded->trailers.count <= 128);
	for (uint32_t i = 0; i < decoded->trailers.count; i++) {
		const struct field *field = &decoded->trailers.items[i];

		check(field_name_is_valid(field->name) && field_value_is_valid(field->value));
		check(field->id != FIELD_CONTENT_LENGTH && field->id != FIELD_TRANSFER_ENCODING);
		check(field->id != FIELD_HOST && field->id != FIELD_AUTHORIZATION && field->id != FIELD_SET_COOKIE);
	}
}

static void
check_encoded_again(struct span body)
{
	struct text text = { 0 };
	struct decoded again;
	struct span rest = body;
	char head[H1_CHUNK_HEAD_MAX];

	while (rest.len > 0) {
		struct span piece = span_first(rest, CHUNK);

		text_add(&text, span_make(head, h1_chunk_head_write(head, piece.len)));
		text_add(&text, piece);
		text_add_text(&text, "\r\n");
		rest = span_skip(rest, CHUNK);
	}
	text_add_text(&text, "0\r\n\r\n");
	decoded_init(&again);
	feed(&again, text_span(&text));
	check(again.result == H1_CHUNK_END && again.used == text.len);
	check(span_equal(text_span(&again.body), body));
	decoded_fini(&again);
	text_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct span bytes = { (const char *)input, size };
	static bool ready;
	struct decoded whole;

	if (!ready)
		field_names_init();
	ready = true;
	decoded_init(&whole);
	feed(&whole, bytes);
	check_trailers(&whole);
	for (size_t cut = 0; cut <= size; cut += size / CUTS_MAX + 1)
		check_cut(bytes, cut, &whole);
	check_byte_by_byte(bytes, &whole);
	check_encoded_again(text_span(&whole.body));
	decoded_fini(&whole);
	return 0;
}
