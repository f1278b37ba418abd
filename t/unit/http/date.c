/* rooms: base http */
#include "http/date.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static int64_t
parsed(const char *text)
{
	int64_t seconds;

	return http_date_parse(span_text(text), &seconds) ? seconds : -1;
}

static struct span
formatted(int64_t seconds)
{
	static char to[HTTP_DATE_LENGTH];

	http_date_format(to, seconds);
	return span_make(to, sizeof(to));
}

static void
test_format(void **state)
{
	assert_true(span_is(formatted(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"));
	assert_true(span_is(formatted(0), "Thu, 01 Jan 1970 00:00:00 GMT"));
	assert_true(span_is(formatted(951782400), "Tue, 29 Feb 2000 00:00:00 GMT"));
	assert_true(span_is(formatted(4107542399), "Sun, 28 Feb 2100 23:59:59 GMT"));
	assert_true(span_is(formatted(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT"));
	assert_true(span_is(formatted(INT64_C(253402300799)), "Fri, 31 Dec 9999 23:59:59 GMT"));
}

static void
test_format_keeps_its_length(void **state)
{
	assert_true(span_is(formatted(-1), "Thu, 01 Jan 1970 00:00:00 GMT"));
	assert_true(span_is(formatted(INT64_MIN), "Thu, 01 Jan 1970 00:00:00 GMT"));
	assert_true(span_is(formatted(INT64_MAX), "Fri, 31 Dec 9999 23:59:59 GMT"));
}

/* The calendar of libc is asked for a second opinion, a day and a bit at a time. */
static void
test_agrees_with_libc(void **state)
{
	char expected[64];

	for (int64_t seconds = 0; seconds < INT64_C(5000000000); seconds += 86400 * 3 + 4321) {
		time_t time = (time_t)seconds;
		struct tm tm;

		gmtime_r(&time, &tm);
		strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_true(span_is(formatted(seconds), expected));
		assert_int_equal(parsed(expected), seconds);
		strftime(expected, sizeof(expected), "%a %b %e %H:%M:%S %Y", &tm);
		assert_int_equal(parsed(expected), seconds);
	}
}

/* RFC 9110 §5.6.7 */
static void
test_three_forms(void **state)
{
	assert_int_equal(parsed("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
	assert_int_equal(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
	assert_int_equal(parsed("Sun Nov  6 08:49:37 1994"), 784111777);
	assert_int_equal(parsed("Sun Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
	assert_int_equal(parsed("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);
}

static void
test_two_digit_years_are_at_most_50_years_ahead(void **state)
{
	unsigned this_year = (unsigned)(1970 + clock_wall_ms() / 1000 / 31556952);
	char text[48];
	int64_t seconds;

	for (unsigned ahead = 1; ahead < 100; ahead++) {
		snprintf(text, sizeof(text), "Sunday, 15-Jun-%02u 12:00:00 GMT", (this_year + ahead) % 100);
		seconds = parsed(text);
		if (ahead < 50)
			assert_true(seconds > (int64_t)(clock_wall_ms() / 1000));
		if (ahead > 51)
			assert_true(seconds < (int64_t)(clock_wall_ms() / 1000));
	}
}

static void
test_refused(void **state)
{
	static const char *const rows[] = {
		"", "0", "784111777", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 29 Feb 1995 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
		"Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "Son, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Foo 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT, x",
		"Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994", "Sun Nov 06 08:49:37 94", "Sun Nov  0 08:49:37 1994",
		"Sun Nov  6 08:49:37 1994 GMT", "Sun",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parsed(rows[i]) != -1)
			fail_msg("taken: %s", rows[i]);
	}
}

static void
test_the_current_date_follows_the_second(void **state)
{
	assert_true(span_is(http_date_at(784111777000), "Sun, 06 Nov 1994 08:49:37 GMT"));
	assert_true(span_is(http_date_at(784111777999), "Sun, 06 Nov 1994 08:49:37 GMT"));
	assert_true(span_is(http_date_at(784111778000), "Sun, 06 Nov 1994 08:49:38 GMT"));
	/* Clocks are set back, too. */
	assert_true(span_is(http_date_at(784111777000), "Sun, 06 Nov 1994 08:49:37 GMT"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_keeps_its_length),
		cmocka_unit_test(test_agrees_with_libc),
		cmocka_unit_test(test_three_forms),
		cmocka_unit_test(test_two_digit_years_are_at_most_50_years_ahead),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_the_current_date_follows_the_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
