/* rooms: base http */
#include "http/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct span absent = { NULL, 0 };

struct row {
	const char	*field;
	const char	*thing;
	unsigned	 quality;
};

static void
check_rows(const struct row *rows, size_t count, unsigned (*quality)(struct span, struct span))
{
	for (size_t i = 0; i < count; i++) {
		unsigned found = quality(span_text(rows[i].field), span_text(rows[i].thing));

		if (found != rows[i].quality)
			fail_msg("\"%s\" gives %s %u, not %u", rows[i].field, rows[i].thing, found, rows[i].quality);
	}
}

#define CHECK_ROWS(rows, quality) check_rows((rows), sizeof(rows) / sizeof((rows)[0]), (quality))

static void
test_accept(void **state)
{
	static const struct row rows[] = {
		{ "", "text/html", 1000 },
		{ "text/html", "text/html", 1000 },
		{ "TEXT/Html", "text/hTML", 1000 },
		{ "text/html", "text/plain", 0 },
		{ "text/*", "text/plain", 1000 },
		{ "text/*", "image/png", 0 },
		{ "*/*", "image/png", 1000 },
		{ "*", "image/png", 0 },
		{ "*/png", "image/png", 0 },
		{ "text/*;q=0.3, text/plain;q=0.7, */*;q=0.5", "text/plain", 700 },
		{ "text/*;q=0.3, text/plain;q=0.7, */*;q=0.5", "text/html", 300 },
		{ "text/*;q=0.3, text/plain;q=0.7, */*;q=0.5", "image/png", 500 },
		{ "*/*;q=0.5, text/plain;q=0", "text/plain", 0 },
		{ "text/html;q=0.001", "text/html", 1 },
		{ "text/html;q=0.", "text/html", 0 },
		{ "text/html;q=1.000", "text/html", 1000 },
		{ "text/html ; Q=0.5 ", "text/html", 500 },
		{ "text/html;level=1;q=0.4", "text/html", 400 },
		{ "application/json;charset=utf-8", "application/json", 1000 },
		{ "text/html;a=\",\\\"text/plain\";q=0.2", "text/plain", 0 },
		{ "text/html;a=\",\\\"text/plain\";q=0.2", "text/html", 200 },
		{ "text/html", "text/html; charset=utf-8", 1000 },
		{ "text/html;q=0.2, text/html;q=0.8", "text/html", 800 },
	};

	CHECK_ROWS(rows, accept_quality);
	assert_int_equal(accept_quality(absent, SPAN_OF("text/html")), 1000);
}

static void
test_a_malformed_member_is_left_out(void **state)
{
	static const struct row rows[] = {
		{ "text/html;q=2", "text/html", 1000 },		/* the only member: nothing is said */
		{ "text/html;q=2, */*;q=0.5", "text/html", 500 },
		{ "text/html;q=1.001, */*;q=0.5", "text/html", 500 },
		{ "text/html;q=0.1234, */*;q=0.5", "text/html", 500 },
		{ "text/html;q=x, */*;q=0.5", "text/html", 500 },
		{ "text/html;q=, */*;q=0.5", "text/html", 500 },
		{ "text/html;q=-1, */*;q=0.5", "text/html", 500 },
		{ "text/html;q=0,5, */*;q=0.5", "text/html", 0 },
		{ ",,;q=1,", "text/html", 1000 },
		{ "\"", "text/html", 0 },
		{ "text/html;a=\"\\", "text/html", 1000 },
	};

	CHECK_ROWS(rows, accept_quality);
}

static void
test_accept_encoding(void **state)
{
	static const struct row rows[] = {
		{ "gzip", "gzip", 1000 },
		{ "GZIP", "gzip", 1000 },
		{ "x-gzip", "gzip", 1000 },
		{ "gzip, deflate, br", "br", 1000 },
		{ "gzip;q=0.5, br;q=0.8", "gzip", 500 },
		{ "gzip;q=0", "gzip", 0 },
		{ "br", "gzip", 0 },
		{ "*", "gzip", 1000 },
		{ "*;q=0.3", "gzip", 300 },
		{ "gzip;q=0, *", "gzip", 0 },
		{ "*, gzip;q=0", "gzip", 0 },
		{ "*;q=0, gzip", "gzip", 1000 },
		{ "gzipx, xgzip", "gzip", 0 },
		{ "", "gzip", 0 },
		{ "gzip;q=9", "gzip", 0 },
	};

	CHECK_ROWS(rows, accept_encoding_quality);
	assert_int_equal(accept_encoding_quality(absent, SPAN_OF("gzip")), 0);
}

static void
test_identity(void **state)
{
	static const struct row rows[] = {
		{ "", "identity", 1000 },
		{ "gzip", "identity", 1000 },
		{ "gzip;q=0.5", "identity", 1000 },
		{ "identity;q=0.5", "identity", 500 },
		{ "identity;q=0", "identity", 0 },
		{ "*;q=0", "identity", 0 },
		{ "*;q=0.5", "identity", 1000 },
		{ "*;q=0, identity", "identity", 1000 },
		{ "gzip, *;q=0", "identity", 0 },
	};

	CHECK_ROWS(rows, accept_encoding_quality);
	assert_int_equal(accept_encoding_quality(absent, SPAN_OF("identity")), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_a_malformed_member_is_left_out),
		cmocka_unit_test(test_accept_encoding),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
