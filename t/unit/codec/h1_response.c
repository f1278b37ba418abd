/* rooms: base http codec */
#include "codec/h1_response.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OK_LINE		"HTTP/1.1 200 OK\r\n"
#define END		"\r\n"
#define LENGTH_5	"Content-Length: 5\r\n"
#define CHUNKED		"Transfer-Encoding: chunked\r\n"
#define KEEP_ALIVE	"Connection: keep-alive\r\n"

static const struct h1_limits generous = { 32768, 128, 0 };

struct parsed {
	struct field		 room[8];
	struct fields		 fields;
	struct h1_response_head	 head;
	size_t			 used;
	enum h1_result		 result;
	char			*bytes;	/* without a byte to spare */
};

static void
parse(struct parsed *parsed, struct span bytes, enum http_method method, const struct h1_limits *limits)
{
	parsed->bytes = memory_alloc(bytes.len > 0 ? bytes.len : 1);
	if (bytes.len > 0)
		memcpy(parsed->bytes, bytes.at, bytes.len);
	fields_init(&parsed->fields, NULL, parsed->room, 8);
	parsed->result = h1_response_parse(span_make(parsed->bytes, bytes.len), method, limits, &parsed->fields,
	    &parsed->head, &parsed->used);
}

static void
parsed_free(struct parsed *parsed)
{
	memory_free(parsed->bytes);
}

static void
check_prefixes(struct span bytes, const struct parsed *whole)
{
	size_t end = whole->result == H1_OK ? whole->used : bytes.len;
	struct parsed part;

	for (size_t length = 0; length < end; length++) {
		parse(&part, span_first(bytes, length), HTTP_GET, &generous);
		if (part.result != H1_AGAIN) {
			assert_int_equal(part.result, H1_BAD);
			assert_int_equal(whole->result, H1_BAD);
			assert_string_equal(part.head.why, whole->head.why);
		}
		parsed_free(&part);
	}
}

static void
test_refused(void **state)
{
	static const struct span rows[] = {
		SPAN("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
		SPAN("HTTP/1.1 200 OK\n"),
		SPAN("HTTP/1.1 200 OK\rX"),
		SPAN("\r\nHTTP/1.1 200 OK\r\n\r\n"),
		SPAN(" HTTP/1.1 200 OK\r\n\r\n"),
		SPAN("HTTP/1.1  200 OK\r\n\r\n"),
		SPAN("HTTP/1.1\t200 OK\r\n\r\n"),
		SPAN("HTTP/1.1 20 OK\r\n\r\n"),
		SPAN("HTTP/1.1 2000 OK\r\n\r\n"),
		SPAN("HTTP/1.1 099 OK\r\n\r\n"),
		SPAN("HTTP/1.1 600 OK\r\n\r\n"),
		SPAN("HTTP/1.1 999 OK\r\n\r\n"),
		SPAN("HTTP/1.1 -20 OK\r\n\r\n"),
		SPAN("HTTP/1.1 2x0 OK\r\n\r\n"),
		SPAN("HTTP/1.1 200\tOK\r\n\r\n"),
		SPAN("HTTP/1.1 200OK\r\n\r\n"),
		SPAN("HTTP/1.1 200 O\0K\r\n\r\n"),
		SPAN("HTTP/1.1 200 O\x7fK\r\n\r\n"),
		SPAN("HTTP/1.1 200 O\x1bK\r\n\r\n"),
		SPAN("HTTP/1.2 200 OK\r\n\r\n"),
		SPAN("HTTP/2.0 200 OK\r\n\r\n"),
		SPAN("HTTP/2 200\r\n\r\n"),
		SPAN("HTTP/0.9 200 OK\r\n\r\n"),
		SPAN("http/1.1 200 OK\r\n\r\n"),
		SPAN("ICY 200 OK\r\n\r\n"),
		SPAN("<html>hello</html>\r\n\r\n"),
		SPAN("\0\0\0\0\0"),
		SPAN(OK_LINE " X: y\r\n" END),
		SPAN(OK_LINE "X: y\r\n z\r\n" END),
		SPAN(OK_LINE "X: y\r\n\tz\r\n" END),
		SPAN(OK_LINE "X : y\r\n" END),
		SPAN(OK_LINE "X y\r\n" END),
		SPAN(OK_LINE ": y\r\n" END),
		SPAN(OK_LINE "X: y\n" END),
		SPAN(OK_LINE "X: a\rb\r\n" END),
		SPAN(OK_LINE "X: a\0b\r\n" END),
		SPAN(OK_LINE "X: a\x7f\r\n" END),
		SPAN(OK_LINE "X\x80: a\r\n" END),
		SPAN(OK_LINE "X: y\r\n\n"),
		SPAN(OK_LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END),
		SPAN(OK_LINE "Content-Length: 5\r\nContent-Length: 5\r\n" END),
		SPAN(OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n" END),
		SPAN(OK_LINE "Content-Length: 5, 5\r\n" END),
		SPAN(OK_LINE "Content-Length: +5\r\n" END),
		SPAN(OK_LINE "Content-Length: -1\r\n" END),
		SPAN(OK_LINE "Content-Length: 5 bytes\r\n" END),
		SPAN(OK_LINE "Content-Length:\r\n" END),
		SPAN(OK_LINE "Content-Length: 0x10\r\n" END),
		SPAN(OK_LINE "Content-Length: 10000000000000000000\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: gzip\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: gzip, chunked\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: chunked, gzip\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: chunked, chunked\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: identity\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: xchunked\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding:\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END),
		SPAN(OK_LINE "Transfer-Encoding: \x0b" "chunked\r\n" END),
		SPAN("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" END),
		SPAN("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
		SPAN("HTTP/1.1 204 No Content\r\nContent-Length: x\r\n" END),
	};
	struct parsed parsed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, rows[i], HTTP_GET, &generous);
		if (parsed.result != H1_BAD || parsed.head.why == NULL)
			fail_msg("row %zu: result %d: %.*s", i, parsed.result, (int)rows[i].len, rows[i].at);
		check_prefixes(rows[i], &parsed);
		parsed_free(&parsed);
	}
}

static void
test_bodies(void **state)
{
	static const struct {
		struct span	bytes;
		enum h1_body	body;
		uint64_t	length;
		bool		has_length, keep_alive;
	} rows[] = {
		{ SPAN(OK_LINE LENGTH_5 END), H1_BODY_LENGTH, 5, true, true },
		{ SPAN(OK_LINE "Content-Length: 0\r\n" END), H1_BODY_NONE, 0, true, true },
		{ SPAN(OK_LINE CHUNKED END), H1_BODY_CHUNKED, 0, false, true },
		{ SPAN(OK_LINE END), H1_BODY_UNTIL_CLOSE, 0, false, false },
		{ SPAN(OK_LINE KEEP_ALIVE END), H1_BODY_UNTIL_CLOSE, 0, false, false },
		{ SPAN(OK_LINE LENGTH_5 "Connection: close\r\n" END), H1_BODY_LENGTH, 5, true, false },
		{ SPAN("HTTP/1.0 200 OK\r\n" LENGTH_5 END), H1_BODY_LENGTH, 5, true, false },
		{ SPAN("HTTP/1.0 200 OK\r\n" LENGTH_5 KEEP_ALIVE END), H1_BODY_LENGTH, 5, true, true },
		{ SPAN("HTTP/1.1 304 Not Modified\r\n" LENGTH_5 END), H1_BODY_NONE, 5, true, true },
		{ SPAN("HTTP/1.1 204 No Content\r\n" END), H1_BODY_NONE, 0, false, true },
		{ SPAN("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n" END), H1_BODY_NONE, 0, true, true },
		{ SPAN("HTTP/1.1 100 Continue\r\n" END), H1_BODY_NONE, 0, false, true },
		{ SPAN("HTTP/1.1 101 Switching Protocols\r\n" END), H1_BODY_NONE, 0, false, true },
		{ SPAN("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n" END), H1_BODY_NONE, 0, false, true },
		/* What these promise may follow: the socket is not to be used again. */
		{ SPAN("HTTP/1.1 204 No Content\r\n" LENGTH_5 END), H1_BODY_NONE, 5, true, false },
		{ SPAN("HTTP/1.1 204 No Content\r\n" CHUNKED END), H1_BODY_NONE, 0, false, false },
		{ SPAN("HTTP/1.1 100 Continue\r\n" LENGTH_5 END), H1_BODY_NONE, 5, true, false },
	};
	struct parsed parsed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, rows[i].bytes, HTTP_GET, &generous);
		assert_int_equal(parsed.result, H1_OK);
		assert_int_equal(parsed.used, rows[i].bytes.len);
		assert_int_equal(parsed.head.body, rows[i].body);
		assert_int_equal(parsed.head.content_length, rows[i].length);
		assert_int_equal(parsed.head.has_content_length, rows[i].has_length);
		assert_int_equal(parsed.head.keep_alive, rows[i].keep_alive);
		parsed_free(&parsed);
	}
}

static void
test_the_answer_to_head_has_no_body(void **state)
{
	static const struct span rows[] = { SPAN(OK_LINE LENGTH_5 END), SPAN(OK_LINE CHUNKED END), SPAN(OK_LINE END) };
	struct parsed parsed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, rows[i], HTTP_HEAD, &generous);
		assert_int_equal(parsed.result, H1_OK);
		assert_int_equal(parsed.head.body, H1_BODY_NONE);
		assert_int_equal(parsed.head.has_content_length, i == 0);
		assert_true(parsed.head.keep_alive);
		parsed_free(&parsed);
	}
}

static void
test_status_lines(void **state)
{
	static const struct {
		struct span	 bytes;
		unsigned	 status, minor;
		const char	*reason;
	} rows[] = {
		{ SPAN("HTTP/1.1 200 OK\r\n\r\n"), 200, 1, "OK" },
		{ SPAN("HTTP/1.0 404 Not Found\r\n\r\n"), 404, 0, "Not Found" },
		{ SPAN("HTTP/1.1 200 \r\n\r\n"), 200, 1, "" },
		{ SPAN("HTTP/1.1 200\r\n\r\n"), 200, 1, "" },
		{ SPAN("HTTP/1.1 599 \tgr\xfc\xdf dich  \r\n\r\n"), 599, 1, "\tgr\xfc\xdf dich  " },
		{ SPAN("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), 100, 1, "Continue" },
	};
	struct parsed parsed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, rows[i].bytes, HTTP_GET, &generous);
		assert_int_equal(parsed.result, H1_OK);
		assert_int_equal(parsed.head.status, rows[i].status);
		assert_int_equal(parsed.head.minor, rows[i].minor);
		assert_true(span_is(parsed.head.reason, rows[i].reason));
		check_prefixes(rows[i].bytes, &parsed);
		parsed_free(&parsed);
	}
	assert_int_equal(rows[5].bytes.len - strlen("HTTP/1.1 200 OK\r\n\r\n"), parsed.used);
}

static void
test_limits_at_their_edge(void **state)
{
	static const struct span bytes = SPAN(OK_LINE "A: b\r\nC: d\r\n" END);
	static const struct {
		struct h1_limits	limits;
		enum h1_result		result;
	} rows[] = {
		{ { 31, 2, 0 }, H1_OK },
		{ { 30, 2, 0 }, H1_BAD },
		{ { 31, 1, 0 }, H1_BAD },
		{ { 5, 2, 0 }, H1_BAD },
	};
	struct parsed parsed;

	assert_int_equal(bytes.len, 31);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, bytes, HTTP_GET, &rows[i].limits);
		assert_int_equal(parsed.result, rows[i].result);
		parsed_free(&parsed);
	}
	parse(&parsed, span_first(bytes, 30), HTTP_GET, &(struct h1_limits){ 31, 2, 0 });
	assert_int_equal(parsed.result, H1_AGAIN);
	parsed_free(&parsed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_the_answer_to_head_has_no_body),
		cmocka_unit_test(test_status_lines),
		cmocka_unit_test(test_limits_at_their_edge),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
