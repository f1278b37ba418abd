/* rooms: base http codec */
#include "codec/h1_request.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define GET	"GET / HTTP/1.1\r\n"
#define POST	"POST / HTTP/1.1\r\n"
#define HOST	"Host: a\r\n"
#define END	"\r\n"
#define LONG_32	"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"

static const struct h1_limits generous = { 32768, 128, 8192 };

struct parsed {
	struct arena		 arena;
	struct field		 room[8];
	struct fields		 fields;
	struct h1_request_head	 head;
	size_t			 used;
	enum h1_result		 result;
	char			*bytes;	/* a copy without a byte to spare: a sanitizer sees any read past it */
};

static void
parse(struct parsed *parsed, struct span bytes, const struct h1_limits *limits)
{
	parsed->bytes = memory_alloc(bytes.len > 0 ? bytes.len : 1);
	if (bytes.len > 0)
		memcpy(parsed->bytes, bytes.at, bytes.len);
	arena_init(&parsed->arena, 1024);
	fields_init(&parsed->fields, &parsed->arena, parsed->room, 8);
	parsed->used = 0;
	parsed->result = h1_request_parse(span_make(parsed->bytes, bytes.len), limits, &parsed->fields, &parsed->head,
	    &parsed->used);
}

static void
parsed_free(struct parsed *parsed)
{
	arena_fini(&parsed->arena);
	memory_free(parsed->bytes);
}

/* Every shorter piece of a message asks for more, or refuses for the reason that the whole is refused for. */
static void
check_prefixes(struct span bytes, const struct parsed *whole, const struct h1_limits *limits)
{
	size_t end = whole->result == H1_OK ? whole->used : bytes.len;
	struct parsed part;

	for (size_t length = 0; length < end; length++) {
		parse(&part, span_first(bytes, length), limits);
		if (part.result != H1_AGAIN) {
			assert_int_equal(part.result, H1_BAD);
			assert_int_equal(whole->result, H1_BAD);
			assert_int_equal(part.head.status, whole->head.status);
			assert_string_equal(part.head.why, whole->head.why);
		}
		parsed_free(&part);
	}
}

struct row {
	struct span	bytes;
	unsigned	status;	/* 0: taken */
};

#define ROW(status, bytes) { SPAN(bytes), status }

static void
check_rows(const struct row *rows, size_t count)
{
	struct parsed parsed;

	for (size_t i = 0; i < count; i++) {
		parse(&parsed, rows[i].bytes, &generous);
		if (parsed.result != (rows[i].status ? H1_BAD : H1_OK) || parsed.head.status != rows[i].status)
			fail_msg("row %zu: result %d, status %u (%s): %.*s", i, parsed.result, parsed.head.status,
			    parsed.head.why ? parsed.head.why : "", (int)rows[i].bytes.len, rows[i].bytes.at);
		assert_int_equal(parsed.head.why != NULL, rows[i].status != 0);
		check_prefixes(rows[i].bytes, &parsed, &generous);
		parsed_free(&parsed);
	}
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void
test_two_lengths_are_refused(void **state)
{
	static const struct row rows[] = {
		ROW(400, POST HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" END),
		ROW(400, POST HOST "content-length: 5\r\nTRANSFER-ENCODING: chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding:\r\nContent-Length: 5\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: identity\r\nContent-Length: 5\r\n" END),
		ROW(400, POST HOST "Content-Length: 5\r\nContent-Length: 6\r\n" END),
		ROW(400, POST HOST "Content-Length: 5\r\nContent-Length: 5\r\n" END),
		ROW(400, POST HOST "Content-Length: 5\r\nX: y\r\nCONTENT-length: 5\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n" END),
	};

	CHECK_ROWS(rows);
}

static void
test_malformed_content_length(void **state)
{
	static const struct row rows[] = {
		ROW(400, POST HOST "Content-Length: 5, 5\r\n" END),
		ROW(400, POST HOST "Content-Length: 5,6\r\n" END),
		ROW(400, POST HOST "Content-Length: 5 5\r\n" END),
		ROW(400, POST HOST "Content-Length: +5\r\n" END),
		ROW(400, POST HOST "Content-Length: -5\r\n" END),
		ROW(400, POST HOST "Content-Length: -0\r\n" END),
		ROW(400, POST HOST "Content-Length: 0x5\r\n" END),
		ROW(400, POST HOST "Content-Length: 5x\r\n" END),
		ROW(400, POST HOST "Content-Length: 5.0\r\n" END),
		ROW(400, POST HOST "Content-Length: 5e1\r\n" END),
		ROW(400, POST HOST "Content-Length: 1_0\r\n" END),
		ROW(400, POST HOST "Content-Length: \"5\"\r\n" END),
		ROW(400, POST HOST "Content-Length:\r\n" END),
		ROW(400, POST HOST "Content-Length: \r\n" END),
		ROW(400, POST HOST "Content-Length: 5;a=b\r\n" END),
		ROW(400, POST HOST "Content-Length: \xef\xbc\x95\r\n" END),		/* a fullwidth 5 */
		ROW(400, POST HOST "Content-Length: 5\x0b\r\n" END),
		ROW(400, POST HOST "Content-Length: 5\0\r\n" END),
		ROW(400, POST HOST "Content-Length: 10000000000000000000\r\n" END),
		ROW(400, POST HOST "Content-Length: 18446744073709551621\r\n" END),	/* 2^64 + 5 */
		ROW(400, POST HOST "Content-Length: 00000000000000000005\r\n" END),
		ROW(400, POST HOST "Content-Length : 5\r\n" END),
		ROW(400, POST HOST "Content-Length\t: 5\r\n" END),
		ROW(400, POST HOST "Content-Length\r\n" END),
		ROW(400, POST HOST "Content Length: 5\r\n" END),
		ROW(400, POST HOST "Content-Length\0: 5\r\n" END),
		ROW(0, POST HOST "Content-Length: 5\r\n" END),
		ROW(0, POST HOST "Content-Length:5\r\n" END),
		ROW(0, POST HOST "Content-Length: \t5 \t\r\n" END),
		ROW(0, POST HOST "Content-Length: 9999999999999999999\r\n" END),
		ROW(0, POST HOST "Content_Length: 5, 5\r\n" END),			/* another name */
	};

	CHECK_ROWS(rows);
}

static void
test_transfer_encoding_in_disguise(void **state)
{
	static const struct row rows[] = {
		ROW(400, POST HOST "Transfer-Encoding: xchunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunkedx\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: identity\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: gzip\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked, gzip\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked, identity\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked, chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked,chunked, chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked, gzip, chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding:\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: \t \r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: ,chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked,\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: ,\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: \"chunked\"\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: 'chunked'\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked;q=1\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked foo\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: gzip chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: \x0b" "chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked\x0c\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: chunked\0\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding: \x80" "chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding : chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding\t: chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding\x0b: chunked\r\n" END),
		ROW(400, POST HOST " Transfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "\tTransfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "X: y\r\n Transfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding:\r\n chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding:\n chunked\r\n" END),
		ROW(400, POST HOST "X: y\nTransfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "X: y\rTransfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "X: y\r\r\nTransfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "X: y\0\r\nTransfer-Encoding: chunked\r\n" END),
		ROW(400, POST HOST "Transfer-Encoding\r\n: chunked\r\n" END),
		ROW(400, POST HOST "Transfer Encoding: chunked\r\n" END),
		ROW(400, POST HOST "Transfer-\xe2\x80\x90" "Encoding: chunked\r\n" END),
		ROW(400, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" END),
		ROW(400, "POST / HTTP/1.0\r\nTransfer-Encoding: gzip, chunked\r\n" END),
		ROW(501, POST HOST "Transfer-Encoding: gzip, chunked\r\n" END),
		ROW(501, POST HOST "Transfer-Encoding: identity, chunked\r\n" END),
		ROW(501, POST HOST "Transfer-Encoding: xchunked ,\tchunked\r\n" END),
		ROW(0, POST HOST "Transfer-Encoding: chunked\r\n" END),
		ROW(0, POST HOST "Transfer-Encoding:chunked\r\n" END),
		ROW(0, POST HOST "Transfer-Encoding: \t chunked \t \r\n" END),
		ROW(0, POST HOST "tRANSFER-eNCODING: ChUnKeD\r\n" END),
		ROW(0, POST HOST "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n" END),
	};

	CHECK_ROWS(rows);
}

static void
test_lines_end_in_crlf_only(void **state)
{
	static const struct row rows[] = {
		ROW(400, "GET / HTTP/1.1\nHost: a\n\n"),
		ROW(400, "GET / HTTP/1.1\n" HOST END),
		ROW(400, "GET / HTTP/1.1\rHost: a\r\r"),
		ROW(400, "GET / HTTP/1.1\r\r\n" HOST END),
		ROW(400, GET "Host: a\n" END),
		ROW(400, GET "Host: a\r" END),
		ROW(400, GET "Host: a\r\r\n" END),
		ROW(400, GET HOST "\n"),
		ROW(400, GET HOST "\rX"),
		ROW(400, GET HOST "X: a\nb\r\n" END),
		ROW(400, GET HOST "X: a\rb\r\n" END),
		ROW(400, GET HOST "X: a\r\n b\r\n" END),
		ROW(400, GET HOST "X: a\r\n\tb\r\n" END),
		ROW(400, GET " " HOST END),
		ROW(400, GET "\t" HOST END),
		ROW(400, GET " \r\n" HOST END),
		ROW(400, GET HOST " \r\n" END),
		ROW(400, "\nGET / HTTP/1.1\r\n" HOST END),
		ROW(400, "\r\r\nGET / HTTP/1.1\r\n" HOST END),
		ROW(400, "\rGET / HTTP/1.1\r\n" HOST END),
		ROW(400, "\r\n\r\n\r\n\r\n\r\n" GET HOST END),
		ROW(0, "\r\n" GET HOST END),
		ROW(0, "\r\n\r\n\r\n\r\n" GET HOST END),
	};

	CHECK_ROWS(rows);
}

static void
test_names_and_values(void **state)
{
	static const struct row rows[] = {
		ROW(400, GET HOST ": y\r\n" END),
		ROW(400, GET HOST "X y: z\r\n" END),
		ROW(400, GET HOST "X(y: z\r\n" END),
		ROW(400, GET HOST "X@y: z\r\n" END),
		ROW(400, GET HOST "\"X\": z\r\n" END),
		ROW(400, GET HOST "X\x7f: z\r\n" END),
		ROW(400, GET HOST "X\x80: z\r\n" END),
		ROW(400, GET HOST "X\x01: z\r\n" END),
		ROW(400, GET HOST "X\r\n" END),
		ROW(400, GET HOST "X y\r\n" END),
		ROW(400, GET HOST "X: \x01\r\n" END),
		ROW(400, GET HOST "X: a\0b\r\n" END),
		ROW(400, GET HOST "X: a\x7f" "b\r\n" END),
		ROW(400, GET HOST "X: a\x1b[2J\r\n" END),
		ROW(400, GET HOST "X: 0123456789abcdef0123456789abcde\x08\r\n" END),
		ROW(0, GET HOST "X:\r\n" END),
		ROW(0, GET HOST "X: a\tb \xe4\xff\r\n" END),
		ROW(0, GET HOST "!#$%&'*+-.^_`|~09azAZ: :::\r\n" END),
	};

	CHECK_ROWS(rows);
}

static void
test_host(void **state)
{
	static const struct row rows[] = {
		ROW(400, GET END),
		ROW(400, GET "X: y\r\n" END),
		ROW(400, GET "Host: a\r\nHost: a\r\n" END),
		ROW(400, GET "Host: a\r\nhost: b\r\n" END),
		ROW(400, GET "Host: a\r\nX: y\r\nHOST: a\r\n" END),
		ROW(400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n" END),
		ROW(400, GET "Host:\r\n" END),
		ROW(400, GET "Host: \r\n" END),
		ROW(400, "GET / HTTP/1.0\r\nHost:\r\n" END),
		ROW(400, GET "Host: a b\r\n" END),
		ROW(400, GET "Host: a, b\r\n" END),
		ROW(400, GET "Host: a/b\r\n" END),
		ROW(400, GET "Host: http://a\r\n" END),
		ROW(400, GET "Host: user@a\r\n" END),
		ROW(400, GET "Host: a:b\r\n" END),
		ROW(400, GET "Host: a:65536\r\n" END),
		ROW(400, GET "Host: a:80:80\r\n" END),
		ROW(400, GET "Host: [::1\r\n" END),
		ROW(400, GET "Host: ::1\r\n" END),
		ROW(400, GET "Host: a?b\r\n" END),
		ROW(400, GET "Host: a#b\r\n" END),
		ROW(400, GET "Host: a\\b\r\n" END),
		ROW(400, GET "Host: \xe4\r\n" END),
		ROW(400, GET "Host : a\r\n" END),
		ROW(400, "GET http://a/ HTTP/1.1\r\nHost: b\r\n" END),
		ROW(400, "GET http://a/ HTTP/1.1\r\nHost: a:81\r\n" END),
		ROW(400, "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n" END),
		ROW(400, "GET https://a:80/ HTTP/1.1\r\nHost: a\r\n" END),
		ROW(400, "GET http://a/ HTTP/1.1\r\n" END),
		ROW(400, "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n" END),
		ROW(400, "GET http:///x HTTP/1.1\r\nHost: a\r\n" END),
		ROW(400, "CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n" END),
		ROW(0, "GET / HTTP/1.0\r\n" END),
		ROW(0, "GET http://a/ HTTP/1.0\r\n" END),
		ROW(0, "GET http://a/ HTTP/1.1\r\nHost: A\r\n" END),
		ROW(0, "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n" END),
		ROW(0, "GET HTTPS://a HTTP/1.1\r\nHost: a:443\r\n" END),
		ROW(0, GET "Host: a:\r\n" END),
		ROW(0, GET "Host: [::1]:8080\r\n" END),
		ROW(0, GET "Host: xn--bcher-kva.example.\r\n" END),
		ROW(0, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n" END),
	};

	CHECK_ROWS(rows);
}

static void
test_request_line(void **state)
{
	static const struct row rows[] = {
		ROW(400, " GET / HTTP/1.1\r\n" HOST END),
		ROW(400, "GET  / HTTP/1.1\r\n" HOST END),
		ROW(400, "GET\t/ HTTP/1.1\r\n" HOST END),
		ROW(400, "GET /  HTTP/1.1\r\n" HOST END),
		ROW(400, "GET /\tHTTP/1.1\r\n" HOST END),
		ROW(400, "GET / HTTP/1.1 \r\n" HOST END),
		ROW(400, "GET / HTTP/1.1\t\r\n" HOST END),
		ROW(400, "GET / HTTP/1.1X\r\n" HOST END),
		ROW(400, "GET / /x HTTP/1.1\r\n" HOST END),
		ROW(400, "GET /\x0b HTTP/1.1\r\n" HOST END),
		ROW(400, "GET /\0 HTTP/1.1\r\n" HOST END),
		ROW(400, "GET /\x7f HTTP/1.1\r\n" HOST END),
		ROW(400, "GET HTTP/1.1\r\n" HOST END),
		ROW(400, "GET  HTTP/1.1\r\n" HOST END),
		ROW(400, "GET\r\n" HOST END),
		ROW(400, "G@T / HTTP/1.1\r\n" HOST END),
		ROW(400, "GET:/ HTTP/1.1\r\n" HOST END),
		ROW(400, "\x80GET / HTTP/1.1\r\n" HOST END),
		ROW(400, "GET /\r\n"),
		ROW(400, "GET / \r\n" HOST END),
		ROW(400, "GET / http/1.1\r\n" HOST END),
		ROW(400, "GET / Http/1.1\r\n" HOST END),
		ROW(400, "GET / HTTP/1,1\r\n" HOST END),
		ROW(400, "GET / HTTP/11\r\n" HOST END),
		ROW(400, "GET / HTTP/1.10\r\n" HOST END),
		ROW(400, "GET / HTTP/01.1\r\n" HOST END),
		ROW(400, "GET / HTTP/1.\r\n" HOST END),
		ROW(400, "GET / HTTP/1\r\n" HOST END),
		ROW(400, "GET / HTTP/x.1\r\n" HOST END),
		ROW(400, "GET / HTTPS/1.1\r\n" HOST END),
		ROW(400, "GET / ICY/1.1\r\n" HOST END),
		ROW(400, "GET / HTTP/2.0\n" HOST END),
		ROW(505, "GET / HTTP/1.2\r\n" HOST END),
		ROW(505, "GET / HTTP/2.0\r\n" HOST END),
		ROW(505, "GET / HTTP/0.9\r\n" HOST END),
		ROW(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		ROW(501, LONG_32 "G / HTTP/1.1\r\n" HOST END),
		ROW(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),	/* TLS to a plain port */
		ROW(400, "GET * HTTP/1.1\r\n" HOST END),
		ROW(400, "GET a HTTP/1.1\r\n" HOST END),
		ROW(400, "GET a:80 HTTP/1.1\r\nHost: a:80\r\n" END),
		ROW(400, "GET ../x HTTP/1.1\r\n" HOST END),
		ROW(400, "GET ?x HTTP/1.1\r\n" HOST END),
		ROW(400, "GET ftp://a/ HTTP/1.1\r\n" HOST END),
		ROW(400, "GET /a#b HTTP/1.1\r\n" HOST END),
		ROW(400, "GET http://a/#b HTTP/1.1\r\n" HOST END),
		ROW(400, "OPTIONS ** HTTP/1.1\r\n" HOST END),
		ROW(400, "CONNECT /x HTTP/1.1\r\n" HOST END),
		ROW(400, "CONNECT a HTTP/1.1\r\n" HOST END),
		ROW(400, "CONNECT http://a:80/ HTTP/1.1\r\nHost: a:80\r\n" END),
		ROW(400, "CONNECT * HTTP/1.1\r\n" HOST END),
		ROW(0, LONG_32 " / HTTP/1.1\r\n" HOST END),
		ROW(0, "get / HTTP/1.1\r\n" HOST END),
		ROW(0, "M-SEARCH / HTTP/1.1\r\n" HOST END),
		ROW(0, "GET //x HTTP/1.1\r\n" HOST END),
		ROW(0, "GET /%zz?\"<>\xe4 HTTP/1.1\r\n" HOST END),	/* for uri_path_normalise() to refuse */
		ROW(0, "OPTIONS * HTTP/1.1\r\n" HOST END),
		ROW(0, "OPTIONS / HTTP/1.1\r\n" HOST END),
	};

	CHECK_ROWS(rows);
}

static void
test_expect(void **state)
{
	static const struct row rows[] = {
		ROW(417, POST HOST "Expect: 200-ok\r\n" END),
		ROW(417, POST HOST "Expect:\r\n" END),
		ROW(417, POST HOST "Expect: 100-continue\r\nExpect: x\r\n" END),
		ROW(417, POST HOST "Expect: 100-continue, x\r\n" END),
		ROW(400, POST HOST "Expect: x\r\nContent-Length: x\r\n" END),
		ROW(0, "POST / HTTP/1.0\r\nExpect: x\r\n" END),
	};
	struct parsed parsed;

	CHECK_ROWS(rows);
	parse(&parsed, SPAN_OF(POST HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n" END), &generous);
	assert_int_equal(parsed.result, H1_OK);
	assert_true(parsed.head.expects_continue);
	parsed_free(&parsed);
	parse(&parsed, SPAN_OF("POST / HTTP/1.0\r\nExpect: 100-continue\r\n" END), &generous);
	assert_int_equal(parsed.result, H1_OK);
	assert_false(parsed.head.expects_continue);
	parsed_free(&parsed);
}

static void
test_what_a_head_becomes(void **state)
{
	static const struct span bytes =
	    SPAN("\r\nPOST /a?b HTTP/1.1\r\nhOST:\texample.com:8080 \r\nX-Own: \xe4 b\t c \r\nContent-Length: 0042\r\n"
	         "X-Own:\r\n\r\nthe content");
	struct parsed parsed;
	const struct field *items;

	parse(&parsed, bytes, &generous);
	assert_int_equal(parsed.result, H1_OK);
	assert_int_equal(parsed.used, bytes.len - strlen("the content"));
	assert_int_equal(parsed.head.method, HTTP_POST);
	assert_true(span_is(parsed.head.method_name, "POST"));
	assert_true(span_is(parsed.head.target, "/a?b"));
	assert_int_equal(parsed.head.minor, 1);
	assert_int_equal(parsed.head.body, H1_BODY_LENGTH);
	assert_int_equal(parsed.head.content_length, 42);
	assert_true(parsed.head.keep_alive);
	assert_false(parsed.head.expects_continue);
	assert_false(parsed.head.has_upgrade);
	assert_int_equal(parsed.fields.count, 4);
	items = parsed.fields.items;
	assert_int_equal(items[0].id, FIELD_HOST);
	assert_true(span_is(items[0].name, "hOST"));
	assert_true(span_is(items[0].value, "example.com:8080"));
	assert_int_equal(items[1].id, FIELD_OTHER);
	assert_true(span_is(items[1].name, "X-Own"));
	assert_true(span_is(items[1].value, "\xe4 b\t c"));
	assert_int_equal(items[2].id, FIELD_CONTENT_LENGTH);
	assert_true(span_is(items[2].value, "42"));	/* nobody shall read it as octal */
	assert_int_equal(items[3].value.len, 0);
	parsed_free(&parsed);
}

static void
test_target_and_authority(void **state)
{
	static const struct {
		struct span	 bytes;
		const char	*path, *query, *authority, *host;
	} rows[] = {
		{ SPAN("GET /a?b=c HTTP/1.1\r\nHost: x:81\r\n" END), "/a", "b=c", "x:81", "x" },
		{ SPAN("GET /a HTTP/1.1\r\nHost: [::1]:81\r\n" END), "/a", NULL, "[::1]:81", "[::1]" },
		{ SPAN("GET /a? HTTP/1.0\r\n" END), "/a", "", "", "" },
		{ SPAN("GET http://X:80 HTTP/1.1\r\nHost: x\r\n" END), "/", NULL, "X:80", "X" },
		{ SPAN("GET http://x/a?b HTTP/1.0\r\n" END), "/a", "b", "x", "x" },
		{ SPAN("OPTIONS * HTTP/1.1\r\nHost: x\r\n" END), "*", NULL, "x", "x" },
		{ SPAN("CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n" END), "", NULL, "x:443", "x" },
	};
	struct parsed parsed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, rows[i].bytes, &generous);
		assert_int_equal(parsed.result, H1_OK);
		assert_true(span_is(parsed.head.uri.path, rows[i].path));
		assert_int_equal(parsed.head.uri.has_query, rows[i].query != NULL);
		assert_true(span_is(parsed.head.uri.query, rows[i].query));
		assert_true(span_is(parsed.head.authority, rows[i].authority));
		assert_true(span_is(parsed.head.host, rows[i].host));
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
	} rows[] = {
		{ SPAN(GET HOST END), H1_BODY_NONE, 0 },
		{ SPAN(POST HOST END), H1_BODY_NONE, 0 },
		{ SPAN(POST HOST "Content-Length: 0\r\n" END), H1_BODY_NONE, 0 },
		{ SPAN(POST HOST "Content-Length: 000\r\n" END), H1_BODY_NONE, 0 },
		{ SPAN(GET HOST "Content-Length: 7\r\n" END), H1_BODY_LENGTH, 7 },
		{ SPAN(POST HOST "Content-Length: 9999999999999999999\r\n" END), H1_BODY_LENGTH,
		  UINT64_C(9999999999999999999) },
		{ SPAN(POST HOST "Transfer-Encoding: Chunked\r\n" END), H1_BODY_CHUNKED, 0 },
		{ SPAN("POST / HTTP/1.0\r\nContent-Length: 3\r\n" END), H1_BODY_LENGTH, 3 },
	};
	struct parsed parsed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, rows[i].bytes, &generous);
		assert_int_equal(parsed.result, H1_OK);
		assert_int_equal(parsed.head.body, rows[i].body);
		assert_true(parsed.head.content_length == rows[i].length);
		parsed_free(&parsed);
	}
}

static void
test_keep_alive_and_upgrade(void **state)
{
	static const struct {
		struct span	bytes;
		bool		keep_alive, upgrade;
	} rows[] = {
		{ SPAN(GET HOST END), true, false },
		{ SPAN(GET HOST "Connection: close\r\n" END), false, false },
		{ SPAN(GET HOST "Connection: CLOSE\r\n" END), false, false },
		{ SPAN(GET HOST "Connection: x,close\r\n" END), false, false },
		{ SPAN(GET HOST "Connection: keep-alive\r\nConnection: close\r\n" END), false, false },
		{ SPAN(GET HOST "Connection: keep-alive, close\r\n" END), false, false },
		{ SPAN(GET HOST "Connection: closed\r\n" END), true, false },
		{ SPAN(GET HOST "Connection:\r\n" END), true, false },
		{ SPAN("GET / HTTP/1.0\r\n" END), false, false },
		{ SPAN("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END), true, false },
		{ SPAN("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END), false, false },
		{ SPAN("GET / HTTP/1.0\r\nConnection: x\r\n" END), false, false },
		{ SPAN(GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n" END), true, true },
		{ SPAN(GET HOST "Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n" END), true, true },
		{ SPAN(GET HOST "Upgrade: websocket\r\n" END), true, false },
		{ SPAN(GET HOST "Connection: upgrade\r\n" END), true, false },
		{ SPAN("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" END), false, false },
	};
	struct parsed parsed;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&parsed, rows[i].bytes, &generous);
		assert_int_equal(parsed.result, H1_OK);
		assert_int_equal(parsed.head.keep_alive, rows[i].keep_alive);
		assert_int_equal(parsed.head.has_upgrade, rows[i].upgrade);
		parsed_free(&parsed);
	}
}

static unsigned
status_with(struct span bytes, struct h1_limits limits)
{
	struct parsed parsed;
	unsigned status;

	parse(&parsed, bytes, &limits);
	assert_int_not_equal(parsed.result, H1_AGAIN);
	check_prefixes(bytes, &parsed, &limits);
	status = parsed.head.status;
	parsed_free(&parsed);
	return status;
}

static void
test_limits_at_their_edge(void **state)
{
	static const struct span head = SPAN("GET /0123456 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nand more");
	const size_t size = head.len - strlen("and more");

	assert_int_equal(status_with(head, (struct h1_limits){ size, 2, 8 }), 0);
	assert_int_equal(status_with(head, (struct h1_limits){ size - 1, 2, 8 }), 431);
	assert_int_equal(status_with(head, (struct h1_limits){ size, 1, 8 }), 431);
	assert_int_equal(status_with(head, (struct h1_limits){ size, 2, 7 }), 414);
	assert_int_equal(status_with(head, (struct h1_limits){ 8, 2, 8 }), 414);	/* cut in the target */
	assert_int_equal(status_with(head, (struct h1_limits){ 2, 2, 8 }), 431);	/* cut before it */
	assert_int_equal(status_with(SPAN_OF("\r\n" GET HOST END), (struct h1_limits){ 29, 2, 8 }), 0);
	assert_int_equal(status_with(SPAN_OF("\r\n" GET HOST END), (struct h1_limits){ 28, 2, 8 }), 431);
	assert_int_equal(status_with(SPAN_OF(GET END), (struct h1_limits){ 100, 0, 8 }), 400);
	assert_int_equal(status_with(SPAN_OF("GET / HTTP/1.0\r\n" END), (struct h1_limits){ 100, 0, 8 }), 0);
}

static void
test_a_long_target_is_refused_before_its_line_ends(void **state)
{
	struct parsed parsed;

	parse(&parsed, SPAN_OF("GET /0123456"), &(struct h1_limits){ 100, 2, 8 });
	assert_int_equal(parsed.result, H1_AGAIN);
	parsed_free(&parsed);
	parse(&parsed, SPAN_OF("GET /01234567"), &(struct h1_limits){ 100, 2, 8 });
	assert_int_equal(parsed.result, H1_BAD);
	assert_int_equal(parsed.head.status, 414);
	parsed_free(&parsed);
}

static void
test_many_fields_find_room(void **state)
{
	char bytes[4096];
	size_t length = (size_t)snprintf(bytes, sizeof(bytes), "GET / HTTP/1.0\r\n");
	struct parsed parsed;

	for (int i = 0; i < 100; i++)
		length += (size_t)snprintf(bytes + length, sizeof(bytes) - length, "X-%d: value %d\r\n", i, i);
	length += (size_t)snprintf(bytes + length, sizeof(bytes) - length, "\r\n");
	parse(&parsed, span_make(bytes, length), &generous);
	assert_int_equal(parsed.result, H1_OK);
	assert_int_equal(parsed.fields.count, 100);
	for (int i = 0; i < 100; i++) {
		char value[32];

		snprintf(value, sizeof(value), "value %d", i);
		assert_true(span_is(parsed.fields.items[i].value, value));
	}
	parsed_free(&parsed);
}

/* The same struct fields serves each try; what the one before left there must not count. */
static void
test_trying_again_starts_anew(void **state)
{
	static const struct span bytes = SPAN(GET HOST "X: y\r\nConnection: close\r\n" END);
	struct h1_request_head head;
	struct field room[8];
	struct fields fields;
	size_t used;

	fields_init(&fields, NULL, room, 8);
	for (size_t length = 0; length < bytes.len; length++)
		assert_int_equal(h1_request_parse(span_first(bytes, length), &generous, &fields, &head, &used),
		    H1_AGAIN);
	assert_int_equal(h1_request_parse(bytes, &generous, &fields, &head, &used), H1_OK);
	assert_int_equal(fields.count, 3);
	assert_false(head.keep_alive);
	assert_int_equal(h1_request_parse(SPAN_OF(GET HOST END), &generous, &fields, &head, &used), H1_OK);
	assert_int_equal(fields.count, 1);
	assert_true(head.keep_alive);
}

static void
test_may_be_complete(void **state)
{
	static const struct span head = SPAN(GET HOST "X: y\r\n" END);
	size_t searched;

	for (searched = 0; searched < head.len; searched++)
		assert_false(h1_head_may_be_complete(span_first(head, head.len - 1), searched));
	for (searched = 0; searched < head.len; searched++)
		assert_true(h1_head_may_be_complete(head, searched));
	assert_false(h1_head_may_be_complete((struct span){ NULL, 0 }, 0));
	assert_false(h1_head_may_be_complete(SPAN_OF("\r\n"), 0));
	assert_false(h1_head_may_be_complete(SPAN_OF("GET / HT"), 3));
	assert_true(h1_head_may_be_complete(SPAN_OF("\n"), 0));
	assert_true(h1_head_may_be_complete(SPAN_OF("GET /\n"), 5));
	assert_true(h1_head_may_be_complete(SPAN_OF("GET /\rX"), 6));
	assert_false(h1_head_may_be_complete(SPAN_OF("GET /\r"), 5));
}

/* Whenever the parser would have something to say about the bytes of a slow client, the quick look has to say so. */
static void
test_may_be_complete_never_misses_the_end(void **state)
{
	static const struct span heads[] = {
		SPAN(GET HOST END), SPAN("\r\n\r\n" GET HOST END), SPAN("GET / HTTP/1.1\nHost: a\n\n"),
		SPAN(GET "Host: a\r\r\n" END), SPAN(GET HOST "\rX"), SPAN("GET / HTTP/1.0\r\n" END),
	};
	struct parsed parsed;
	bool done;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		done = false;
		for (size_t length = 1; length <= heads[i].len && !done; length++) {
			parse(&parsed, span_first(heads[i], length), &generous);
			done = parsed.result != H1_AGAIN;
			if (done)
				assert_true(h1_head_may_be_complete(span_first(heads[i], length), length - 1));
			parsed_free(&parsed);
		}
		assert_true(done);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_lengths_are_refused),
		cmocka_unit_test(test_malformed_content_length),
		cmocka_unit_test(test_transfer_encoding_in_disguise),
		cmocka_unit_test(test_lines_end_in_crlf_only),
		cmocka_unit_test(test_names_and_values),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_request_line),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_what_a_head_becomes),
		cmocka_unit_test(test_target_and_authority),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_keep_alive_and_upgrade),
		cmocka_unit_test(test_limits_at_their_edge),
		cmocka_unit_test(test_a_long_target_is_refused_before_its_line_ends),
		cmocka_unit_test(test_many_fields_find_room),
		cmocka_unit_test(test_trying_again_starts_anew),
		cmocka_unit_test(test_may_be_complete),
		cmocka_unit_test(test_may_be_complete_never_misses_the_end),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
