/* rooms: base http */
#include "http/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void
test_reasons(void **state)
{
	assert_string_equal(http_status_reason(404), "Not Found");
	assert_string_equal(http_status_reason(413), "Content Too Large");
	assert_string_equal(http_status_reason(299), "");
	assert_string_equal(http_status_reason(0), "");
	assert_string_equal(http_status_reason(600), "");
	assert_string_equal(http_status_reason(UINT32_MAX), "");
}

static void
test_lines_say_the_code_and_its_reason(void **state)
{
	char expected[80];

	for (unsigned status = 100; status < 600; status++) {
		snprintf(expected, sizeof(expected), "HTTP/1.1 %u %s\r\n", status, http_status_reason(status));
		assert_true(span_is(http_status_line(status), expected));
	}
}

static void
test_content(void **state)
{
	assert_true(http_status_has_content(200));
	assert_true(http_status_has_content(404));
	assert_false(http_status_has_content(100));
	assert_false(http_status_has_content(103));
	assert_false(http_status_has_content(204));
	assert_true(http_status_has_content(205));
	assert_false(http_status_has_content(304));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_lines_say_the_code_and_its_reason),
		cmocka_unit_test(test_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
