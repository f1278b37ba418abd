/* rooms: base http codec */
#include "codec/h1_chunked.h"
#include "base/memory.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct decoded {
	struct arena		arena;
	struct fields		trailers;
	struct h1_chunked	chunked;
	struct text		body;
	enum h1_chunked_result	result;	/* of the last read */
	size_t			used;
};

static void
decoded_init(struct decoded *decoded, uint32_t max_trailer_bytes)
{
	arena_init(&decoded->arena, 1024);
	fields_init(&decoded->trailers, &decoded->arena, NULL, 0);
	h1_chunked_init(&decoded->chunked, &decoded->trailers, max_trailer_bytes);
	text_init(&decoded->body);
	decoded->used = 0;
	decoded->result = H1_CHUNK_AGAIN;
}

static void
decoded_fini(struct decoded *decoded)
{
	text_fini(&decoded->body);
	arena_fini(&decoded->arena);
}

/* From a copy that is gone afterwards: nothing may point into it. */
static void
feed(struct decoded *decoded, struct span bytes)
{
	char *copy = memory_alloc(bytes.len > 0 ? bytes.len : 1);
	struct span rest = { copy, bytes.len }, piece;

	if (bytes.len > 0)
		memcpy(copy, bytes.at, bytes.len);
	while ((decoded->result = h1_chunked_read(&decoded->chunked, &rest, &piece)) == H1_CHUNK_DATA) {
		assert_true(piece.len > 0);
		text_add(&decoded->body, piece);
	}
	if (decoded->result == H1_CHUNK_AGAIN)
		assert_int_equal(rest.len, 0);
	decoded->used += bytes.len - rest.len;
	memory_free(copy);
}

static void
feed_in_steps(struct decoded *decoded, struct span bytes, size_t step)
{
	while (bytes.len > 0 && decoded->result == H1_CHUNK_AGAIN) {
		feed(decoded, span_first(bytes, step));
		bytes = span_skip(bytes, step);
	}
}

static void
check_same(const struct decoded *a, const struct decoded *b)
{
	assert_int_equal(a->result, b->result);
	assert_true(span_equal(text_span(&a->body), text_span(&b->body)));
	if (a->result == H1_CHUNK_END)
		assert_int_equal(a->used, b->used);
	assert_int_equal(a->trailers.count, b->trailers.count);
	for (uint32_t i = 0; i < a->trailers.count; i++) {
		assert_true(span_equal(a->trailers.items[i].name, b->trailers.items[i].name));
		assert_true(span_equal(a->trailers.items[i].value, b->trailers.items[i].value));
	}
}

/* In one piece, in two pieces cut at every place, and byte by byte. */
static void
decode(struct decoded *whole, struct span bytes)
{
	struct decoded part;

	decoded_init(whole, 1024);
	feed(whole, bytes);
	for (size_t cut = 0; cut <= bytes.len; cut++) {
		decoded_init(&part, 1024);
		feed(&part, span_first(bytes, cut));
		if (part.result == H1_CHUNK_AGAIN)
			feed(&part, span_skip(bytes, cut));
		check_same(whole, &part);
		decoded_fini(&part);
	}
	decoded_init(&part, 1024);
	feed_in_steps(&part, bytes, 1);
	check_same(whole, &part);
	decoded_fini(&part);
}

static void
test_refused(void **state)
{
	static const struct span rows[] = {
		SPAN("\r\n0\r\n\r\n"),
		SPAN("\n0\r\n\r\n"),
		SPAN("x\r\n"),
		SPAN(";a\r\n"),
		SPAN("-1\r\n"),
		SPAN("+1\r\na\r\n0\r\n\r\n"),
		SPAN(" 1\r\na\r\n0\r\n\r\n"),
		SPAN("\t1\r\na\r\n0\r\n\r\n"),
		SPAN("1 \r\na\r\n0\r\n\r\n"),
		SPAN("1\t\r\na\r\n0\r\n\r\n"),
		SPAN("1 ;a\r\na\r\n0\r\n\r\n"),
		SPAN("0x1\r\na\r\n0\r\n\r\n"),
		SPAN("1,\r\na\r\n0\r\n\r\n"),
		SPAN("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
		SPAN("1.0\r\na\r\n0\r\n\r\n"),
		SPAN("1\0\r\na\r\n0\r\n\r\n"),
		SPAN("\xef\xbc\x91\r\na\r\n0\r\n\r\n"),
		SPAN("00000000000000001\r\na\r\n0\r\n\r\n"),
		SPAN("10000000000000001\r\na\r\n0\r\n\r\n"),
		SPAN("fffffffffffffffff\r\na\r\n0\r\n\r\n"),
		SPAN("1\na\n0\n\n"),
		SPAN("1\na\r\n0\r\n\r\n"),
		SPAN("1\ra\r\n0\r\n\r\n"),
		SPAN("1\r\r\na\r\n0\r\n\r\n"),
		SPAN("1;a\nb\r\na\r\n0\r\n\r\n"),
		SPAN("1;a\rb\r\na\r\n0\r\n\r\n"),
		SPAN("1;a\0b\r\na\r\n0\r\n\r\n"),
		SPAN("1;a=\"x\r\ny\"\r\na\r\n0\r\n\r\n"),
		SPAN("1;a\x7f\r\na\r\n0\r\n\r\n"),
		SPAN("1\r\na0\r\n\r\n"),
		SPAN("1\r\na\n0\r\n\r\n"),
		SPAN("1\r\na\r0\r\n\r\n"),
		SPAN("1\r\nab\r\n0\r\n\r\n"),
		SPAN("1\r\na \r\n0\r\n\r\n"),
		SPAN("2\r\na\r\n0\r\n\r\n"),
		SPAN("1\r\na\r\n\r\n0\r\n\r\n"),
		SPAN("1\r\na\r\n 0\r\n\r\n"),
		SPAN("0\n\r\n"),
		SPAN("0\r\r\n\r\n"),
		SPAN("0\r\n\n"),
		SPAN("0\r\nX: y\n\r\n"),
		SPAN("0\r\nX: y\r\r\n\r\n"),
		SPAN("0\r\nX : y\r\n\r\n"),
		SPAN("0\r\n X: y\r\n\r\n"),
		SPAN("0\r\nX: y\r\n z\r\n\r\n"),
		SPAN("0\r\nX\r\n\r\n"),
		SPAN("0\r\n: y\r\n\r\n"),
		SPAN("0\r\nX: a\0b\r\n\r\n"),
		SPAN("0\r\nX\x80: y\r\n\r\n"),
		SPAN("0\r\nGET / HTTP/1.1\r\n\r\n"),
		SPAN("0\r\n \r\n"),
	};
	struct decoded decoded;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		decode(&decoded, rows[i]);
		if (decoded.result != H1_CHUNK_BAD || decoded.chunked.why == NULL)
			fail_msg("row %zu: result %d: %.*s", i, decoded.result, (int)rows[i].len, rows[i].at);
		feed(&decoded, SPAN_OF("0\r\n\r\n"));
		assert_int_equal(decoded.result, H1_CHUNK_BAD);
		decoded_fini(&decoded);
	}
}

static void
test_taken(void **state)
{
	static const struct {
		struct span	 bytes;
		const char	*body;
		size_t		 left;	/* bytes that belong to the next message */
	} rows[] = {
		{ SPAN("0\r\n\r\n"), "", 0 },
		{ SPAN("000\r\n\r\n"), "", 0 },
		{ SPAN("5\r\nhello\r\n0\r\n\r\n"), "hello", 0 },
		{ SPAN("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET"), "hello world", 3 },
		{ SPAN("0000000000000001\r\na\r\n0\r\n\r\n"), "a", 0 },
		{ SPAN("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), "01234567890123456789", 0 },
		{ SPAN("2\r\n\r\n\r\n0\r\n\r\n\r\n"), "\r\n", 2 },
		{ SPAN("1;x\r\na\r\n1;x=y;z=\"q ;\\\"\"\r\nb\r\n0;last\r\n\r\n"), "ab", 0 },
		{ SPAN("1;\r\na\r\n0\r\n\r\n"), "a", 0 },
		{ SPAN("1; \t\xe4\r\na\r\n0\r\n\r\n"), "a", 0 },
		{ SPAN("7\r\n0\r\n\r\nGE\r\n0\r\n\r\n"), "0\r\n\r\nGE", 0 },
	};
	struct decoded decoded;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		decode(&decoded, rows[i].bytes);
		assert_int_equal(decoded.result, H1_CHUNK_END);
		assert_true(span_is(text_span(&decoded.body), rows[i].body));
		assert_int_equal(decoded.used, rows[i].bytes.len - rows[i].left);
		feed(&decoded, SPAN_OF("GET"));
		assert_int_equal(decoded.result, H1_CHUNK_END);
		decoded_fini(&decoded);
	}
}

static void
test_unfinished(void **state)
{
	static const struct span bytes = SPAN("5;x\r\nhello\r\n0\r\nX: y\r\n\r\n");
	struct decoded decoded;

	for (size_t length = 0; length < bytes.len; length++) {
		decoded_init(&decoded, 1024);
		feed(&decoded, span_first(bytes, length));
		assert_int_equal(decoded.result, H1_CHUNK_AGAIN);
		decoded_fini(&decoded);
	}
}

static void
test_a_huge_chunk_gives_what_is_there(void **state)
{
	struct decoded decoded;

	decode(&decoded, SPAN_OF("ffffffffffffffff\r\nabc"));
	assert_int_equal(decoded.result, H1_CHUNK_AGAIN);
	assert_true(span_is(text_span(&decoded.body), "abc"));
	assert_true(decoded.chunked.left == UINT64_MAX - 3);
	decoded_fini(&decoded);
}

static void
test_trailers(void **state)
{
	struct decoded decoded;

	decode(&decoded, SPAN_OF("1\r\na\r\n0\r\nServer-Timing: a;dur=1\r\neTag: \"x\"\r\nX-Empty:\r\n\r\nrest"));
	assert_int_equal(decoded.result, H1_CHUNK_END);
	assert_int_equal(decoded.trailers.count, 3);
	assert_true(span_is(decoded.trailers.items[0].name, "Server-Timing"));
	assert_true(span_is(decoded.trailers.items[0].value, "a;dur=1"));
	assert_int_equal(decoded.trailers.items[1].id, FIELD_ETAG);
	assert_true(span_is(fields_value(&decoded.trailers, FIELD_ETAG), "\"x\""));
	assert_int_equal(decoded.trailers.items[2].value.len, 0);
	decoded_fini(&decoded);
}

/* RFC 9110 §6.5.1 */
static void
test_trailers_that_would_change_the_message_are_dropped(void **state)
{
	static const char *const dropped[] = {
		"Content-Length", "Transfer-Encoding", "Host", "Trailer", "Connection", "TE", "Upgrade",
		"Keep-Alive", "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie",
		"WWW-Authenticate", "Content-Encoding", "Content-Type", "Content-Range", "Cache-Control",
		"Expect", "Max-Forwards", "Range", "If-Match", "If-None-Match", "Date", "Expires", "Location",
		"Age", "Vary", "Retry-After", "Forwarded", "x-forwarded-for", "X-Real-IP", "Via",
		"X-Request-Id",
	};
	struct decoded decoded;
	struct text text = { 0 };

	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		text_clear(&text);
		text_format(&text, "0\r\n%s: 5\r\nX: y\r\n\r\n", dropped[i]);
		decode(&decoded, text_span(&text));
		assert_int_equal(decoded.result, H1_CHUNK_END);
		assert_int_equal(decoded.trailers.count, 1);
		assert_true(span_is(decoded.trailers.items[0].name, "X"));
		decoded_fini(&decoded);
	}
	text_fini(&text);
}

static enum h1_chunked_result
result_of(struct span bytes, uint32_t max_trailer_bytes, size_t step)
{
	struct decoded decoded;
	enum h1_chunked_result result;

	decoded_init(&decoded, max_trailer_bytes);
	feed_in_steps(&decoded, bytes, step);
	result = decoded.result;
	decoded_fini(&decoded);
	return result;
}

static void
test_trailer_bytes_at_the_edge(void **state)
{
	static const struct span bytes = SPAN("0\r\nX: y\r\nZ: w\r\n\r\n");	/* 12 bytes of lines */

	for (size_t step = 1; step <= bytes.len; step++) {
		assert_int_equal(result_of(bytes, 12, step), H1_CHUNK_END);
		assert_int_equal(result_of(bytes, 11, step), H1_CHUNK_BAD);
		assert_int_equal(result_of(SPAN_OF("0\r\n\r\n"), 0, step), H1_CHUNK_END);
		assert_int_equal(result_of(SPAN_OF("0\r\nX: y\r\n\r\n"), 0, step), H1_CHUNK_BAD);
		assert_int_equal(result_of(bytes, UINT32_MAX, step), H1_CHUNK_END);
	}
}

static void
test_trailer_count_at_the_edge(void **state)
{
	struct text text = { 0 };

	text_add_text(&text, "0\r\n");
	for (int i = 0; i < 128; i++)
		text_add_text(&text, i % 2 ? "X: y\r\n" : "Host: a\r\n");
	text_add_text(&text, "\r\n");
	assert_int_equal(result_of(text_span(&text), 4096, 7), H1_CHUNK_END);
	text.len -= 2;
	text_add_text(&text, "X: y\r\n\r\n");
	assert_int_equal(result_of(text_span(&text), 4096, 7), H1_CHUNK_BAD);
	text_fini(&text);
}

static void
add_many(struct text *text, char byte, size_t count)
{
	memset(text_reserve(text, count), byte, count);
	text->len += count;
}

static void
test_extension_line_at_the_edge(void **state)
{
	static const size_t steps[] = { 1, 100, 4096, 10000 };
	struct text text = { 0 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		text_clear(&text);
		text_add_text(&text, "1;");
		add_many(&text, 'x', 4094);
		text_add_text(&text, "\r\na\r\n0\r\n\r\n");
		assert_int_equal(result_of(text_span(&text), 100, steps[i]), H1_CHUNK_END);
		text_clear(&text);
		text_add_text(&text, "1;");
		add_many(&text, 'x', 4095);
		text_add_text(&text, "\r\na\r\n0\r\n\r\n");
		assert_int_equal(result_of(text_span(&text), 100, steps[i]), H1_CHUNK_BAD);
	}
	text_fini(&text);
}

static void
test_extensions_of_a_body_at_the_edge(void **state)
{
	struct text text = { 0 };

	for (int i = 0; i < 16; i++) {
		text_add_text(&text, "1;");
		add_many(&text, 'x', 1023);
		text_add_text(&text, "\r\na\r\n");
	}
	text_add_text(&text, "0");
	text_add_text(&text, "\r\n\r\n");
	assert_int_equal(result_of(text_span(&text), 100, 333), H1_CHUNK_END);
	text.len -= 4;
	text_add_text(&text, ";\r\n\r\n");
	assert_int_equal(result_of(text_span(&text), 100, 333), H1_CHUNK_BAD);
	text_fini(&text);
}

/* A held line grows by doubling: a client who sends byte by byte must not cost the square of its length in memory. */
static void
test_a_slow_trailer_costs_little_memory(void **state)
{
	struct decoded decoded;
	struct text text = { 0 };

	text_add_text(&text, "0\r\nX: ");
	add_many(&text, 'y', 30000);
	text_add_text(&text, "\r\n\r\n");
	decoded_init(&decoded, 32768);
	feed_in_steps(&decoded, text_span(&text), 1);
	assert_int_equal(decoded.result, H1_CHUNK_END);
	assert_int_equal(decoded.trailers.items[0].value.len, 30000);
	assert_true(decoded.arena.used < 4 * 32768);
	decoded_fini(&decoded);
	text_fini(&text);
}

static void
test_head_write(void **state)
{
	static const struct {
		uint64_t	 size;
		const char	*head;
	} rows[] = {
		{ 0, "0\r\n" }, { 1, "1\r\n" }, { 15, "f\r\n" }, { 16, "10\r\n" }, { 8000, "1f40\r\n" },
		{ UINT64_MAX, "ffffffffffffffff\r\n" }, { UINT64_C(1) << 60, "1000000000000000\r\n" },
	};
	char head[H1_CHUNK_HEAD_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(span_is(span_make(head, h1_chunk_head_write(head, rows[i].size)), rows[i].head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_a_huge_chunk_gives_what_is_there),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_trailers_that_would_change_the_message_are_dropped),
		cmocka_unit_test(test_trailer_bytes_at_the_edge),
		cmocka_unit_test(test_trailer_count_at_the_edge),
		cmocka_unit_test(test_extension_line_at_the_edge),
		cmocka_unit_test(test_extensions_of_a_body_at_the_edge),
		cmocka_unit_test(test_a_slow_trailer_costs_little_memory),
		cmocka_unit_test(test_head_write),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
