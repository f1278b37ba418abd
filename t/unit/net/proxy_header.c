/* rooms: base loop net conf */
/* The PROXY header in both versions: what it says, whatever the cut; and what is refused, as early as it can be. */
#include "net/proxy_header.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* In memory of just that size, so that reading on is seen. */
static enum proxy_header_result
parse(struct span bytes, struct address *source_out, size_t *used_out)
{
	char *copy = memory_alloc(bytes.len + (bytes.len == 0));
	enum proxy_header_result result;

	memcpy(copy, bytes.at, bytes.len);
	*source_out = (struct address){ .any.sa_family = AF_UNSPEC };
	*used_out = 0;
	result = proxy_header_parse(span_make(copy, bytes.len), source_out, used_out);
	memory_free(copy);
	return result;
}

static void
understands(void **state)
{
	static const struct { struct span bytes; const char *source; } rows[] = {
		{ SPAN("PROXY TCP4 203.0.113.7 10.0.0.1 56324 443\r\n"), "203.0.113.7:56324" },
		{ SPAN("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535" },
		{ SPAN("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), "[2001:db8::1]:1" },
		{ SPAN("PROXY TCP6 ::ffff:203.0.113.7 ::ffff:10.0.0.1 9 2\r\n"), "203.0.113.7:9" },
		{ SPAN("PROXY UNKNOWN\r\n"), "" },
		{ SPAN("PROXY UNKNOWN whatever it may say here\r\n"), "" },
		{ SPAN(SIGNATURE "\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x04\xd2\0\x50"), "203.0.113.7:1234" },
		{ SPAN(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
		    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x04\xd2\0\x50"), "[2001:db8::1]:1234" },
		{ SPAN(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x07"
		    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x04\xd2\0\x50"), "203.0.113.7:1234" },
		/* TLVs behind the addresses */
		{ SPAN(SIGNATURE "\x21\x11\0\x11\xcb\0\x71\x07\x0a\0\0\x01\x04\xd2\0\x50\x04\0\x02hi"),
		  "203.0.113.7:1234" },
		/* the proxy's own probe, whatever else it says */
		{ SPAN(SIGNATURE "\x20\0\0\0"), "" },
		{ SPAN(SIGNATURE "\x20\xff\0\x03" "abc"), "" },
		{ SPAN(SIGNATURE "\x20\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x04\xd2\0\x50"), "" },
		{ SPAN(SIGNATURE "\x21\0\0\0"), "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address source;
		char text[ADDRESS_TEXT_MAX] = "";
		struct text longer = { 0 };
		size_t used;

		for (size_t cut = 0; cut < rows[i].bytes.len; cut++)
			assert_int_equal(parse(span_first(rows[i].bytes, cut), &source, &used), PROXY_HEADER_AGAIN);
		text_add(&longer, rows[i].bytes);
		text_add_text(&longer, "GET / HTTP/1.1\r\n");
		assert_int_equal(parse(text_span(&longer), &source, &used), PROXY_HEADER_OK);
		assert_int_equal(used, rows[i].bytes.len);
		if (address_is_set(&source))
			address_format(&source, text);
		assert_string_equal(text, rows[i].source);
		text_fini(&longer);
	}
}

static void
refuses(void **state)
{
	static const struct span rows[] = {
		SPAN("GET / HTTP/1.1\r\n"), SPAN("proxy TCP4"), SPAN("PROXYTCP4"), SPAN("\r\n\r\nGET"),
		SPAN("\r\n\r\n\1"),
		SPAN("PROXY \r\n"), SPAN("PROXY TCP4\r\n"), SPAN("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"),
		SPAN("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), SPAN("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"),
		SPAN("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), SPAN("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"),
		SPAN("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"), SPAN("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"),
		SPAN("PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n"), SPAN("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"),
		SPAN("PROXY TCP4 1.2.3.4 1.2.3.4.5 1 2\r\n"), SPAN("PROXY TCP4 ::1 ::1 1 2\r\n"),
		SPAN("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"), SPAN("PROXY TCP6 ::1 1.2.3.4 1 2\r\n"),
		SPAN("PROXY TCP6 [::1] [::1] 1 2\r\n"), SPAN("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"),
		SPAN("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"), SPAN("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"),
		SPAN("PROXY TCP4 localhost 1.2.3.4 1 2\r\n"), SPAN("PROXY UNKNOWNS\r\n"),
		SPAN("PROXY UNKNOWN " HUNDRED "\r\n"), SPAN("PROXY " HUNDRED TEN),
		SPAN(SIGNATURE "\x11\x11\0\0"), SPAN(SIGNATURE "\x31\x11\0\0"), SPAN(SIGNATURE "\x22\x11\0\0"),
		SPAN(SIGNATURE "\x21\x11\x08\x01"),	/* longer than we read */
		SPAN(SIGNATURE "\x21\x11\xff\xff"),
		/* too short for its family */
		SPAN(SIGNATURE "\x21\x11\0\x0b\xcb\0\x71\x07\x0a\0\0\x01\x04\xd2\0"),
		SPAN(SIGNATURE "\x21\x21\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x04\xd2\0\x50"),
		SPAN(SIGNATURE "\x21\x31\0\x04" "abcd"),
		SPAN(SIGNATURE "\x21\x41\0\x04" "abcd"),	/* no such family */
		SPAN(SIGNATURE "\x21\x13\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x04\xd2\0\x50"),	/* no such transport */
	};
	struct address source;
	size_t used;

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(parse(rows[i], &source, &used), PROXY_HEADER_BAD);
}

/* A unix address says nothing that we could use; its path may be any. */
static void
reads_over_unix_addresses(void **state)
{
	char bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/app.sock";
	struct address source;
	size_t used;

	assert_int_equal(parse(span_make(bytes, sizeof(bytes) - 1), &source, &used), PROXY_HEADER_AGAIN);
	assert_int_equal(parse(span_make(bytes, sizeof(bytes)), &source, &used), PROXY_HEADER_OK);
	assert_int_equal(used, sizeof(bytes));
	assert_false(address_is_set(&source));
}

/* The longest lines and blocks that are allowed, and one byte more. */
static void
keeps_its_bounds(void **state)
{
	char bytes[16 + 2048] = SIGNATURE "\x21\x11\x08\0\xcb\0\x71\x07\x0a\0\0\x01\x04\xd2\0\x50";
	struct address source;
	struct text line = { 0 };
	size_t used;

	assert_int_equal(parse(span_make(bytes, sizeof(bytes)), &source, &used), PROXY_HEADER_OK);
	assert_int_equal(used, sizeof(bytes));
	text_add_text(&line, "PROXY UNKNOWN ");
	while (line.len < 105)
		text_add_byte(&line, 'x');
	text_add_text(&line, "\r\n");
	assert_int_equal(parse(text_span(&line), &source, &used), PROXY_HEADER_OK);
	assert_int_equal(used, 107);
	line.len = 105;
	text_add_text(&line, "x\r\n");
	assert_int_equal(parse(text_span(&line), &source, &used), PROXY_HEADER_BAD);
	assert_int_equal(parse(span_first(text_span(&line), 107), &source, &used), PROXY_HEADER_BAD);
	assert_int_equal(parse(span_first(text_span(&line), 106), &source, &used), PROXY_HEADER_AGAIN);
	text_fini(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands),
		cmocka_unit_test(refuses),
		cmocka_unit_test(reads_over_unix_addresses),
		cmocka_unit_test(keeps_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
