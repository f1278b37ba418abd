/* rooms: base http codec */
#include "codec/h1_write.h"
#include "codec/h1_request.h"
#include "http/status.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct span nothing = { NULL, 0 };

static void
test_a_response_head(void **state)
{
	struct field room[4];
	struct fields fields;
	char to[256];
	size_t length;

	fields_init(&fields, NULL, room, 4);
	fields_add(&fields, FIELD_CONTENT_TYPE, SPAN_OF("text/plain"));
	fields_add_named(&fields, SPAN_OF("X-Own"), nothing);
	length = h1_head_write(to, sizeof(to), http_status_line(404), &fields, SPAN_OF("Server: reeve\r\nAge: 1\r\n"));
	assert_true(span_is(span_make(to, length), "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nX-Own: \r\n"
	                                           "Server: reeve\r\nAge: 1\r\n\r\n"));
	length = h1_head_write(to, sizeof(to), SPAN_OF("GET / HTTP/1.1\r\n"), &fields, nothing);
	assert_true(span_is(span_make(to, length), "GET / HTTP/1.1\r\nContent-Type: text/plain\r\nX-Own: \r\n\r\n"));
}

static void
test_room_at_its_edge(void **state)
{
	static const struct span line = SPAN("HTTP/1.1 200 OK\r\n"), extra = SPAN("A: b\r\n");
	struct field room[2];
	struct fields fields;
	char to[128];
	size_t size;

	fields_init(&fields, NULL, room, 2);
	fields_add(&fields, FIELD_ETAG, SPAN_OF("\"x\""));
	size = h1_head_size_max(line, &fields) + extra.len;
	assert_true(size <= sizeof(to));
	memset(to, '#', sizeof(to));
	assert_int_equal(h1_head_write(to, size - 1, line, &fields, extra), 0);
	assert_int_equal(to[0], '#');
	assert_int_equal(h1_head_write(to, size, line, &fields, extra), size);
	assert_int_equal(to[size], '#');
	assert_int_equal(h1_head_write(to, 0, line, &fields, extra), 0);
}

/* A value that came through a template can hold anything; it must not end the line. */
static void
test_no_value_splits_a_message(void **state)
{
	static const struct span line = SPAN("HTTP/1.1 302 Found\r\n");
	struct field room[2];
	struct fields fields;
	char to[256];
	size_t length;

	fields_init(&fields, NULL, room, 2);
	fields_add(&fields, FIELD_LOCATION, SPAN_OF("/\r\nSet-Cookie: x=y\r\n\r\n<p>\n\r\0\x7f\t\xe4 and many more\n"));
	length = h1_head_write(to, sizeof(to), line, &fields, nothing);
	assert_true(span_is(span_skip(span_make(to, length), line.len),
	    "Location: /  Set-Cookie: x=y    <p>    \t\xe4 and many more \r\n\r\n"));
}

static void
test_what_is_written_parses_to_the_same(void **state)
{
	static const struct h1_limits limits = { 4096, 16, 64 };
	struct field room[8], parsed_room[8];
	struct fields fields, parsed;
	struct h1_request_head head;
	char to[512];
	size_t length, used;

	fields_init(&fields, NULL, room, 8);
	fields_add(&fields, FIELD_HOST, SPAN_OF("example.com"));
	fields_add_named(&fields, SPAN_OF("x-odd~name"), SPAN_OF("a  b\t\xff"));
	fields_add(&fields, FIELD_COOKIE, nothing);
	length = h1_head_write(to, sizeof(to), SPAN_OF("PUT /x HTTP/1.1\r\n"), &fields, nothing);
	fields_init(&parsed, NULL, parsed_room, 8);
	assert_int_equal(h1_request_parse(span_make(to, length), &limits, &parsed, &head, &used), H1_OK);
	assert_int_equal(used, length);
	assert_int_equal(parsed.count, fields.count);
	for (uint32_t i = 0; i < fields.count; i++) {
		assert_int_equal(parsed.items[i].id, fields.items[i].id);
		assert_true(span_equal(parsed.items[i].name, fields.items[i].name));
		assert_true(span_equal(parsed.items[i].value, fields.items[i].value));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_response_head),
		cmocka_unit_test(test_room_at_its_edge),
		cmocka_unit_test(test_no_value_splits_a_message),
		cmocka_unit_test(test_what_is_written_parses_to_the_same),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
