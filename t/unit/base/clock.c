/* rooms: base */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static void
assert_date(uint64_t wall_ms, const char *expected)
{
	char text[25] = "";

	clock_format_rfc3339(text, wall_ms);
	assert_string_equal(text, expected);
}

static void
test_dates(void **state)
{
	assert_date(0, "1970-01-01T00:00:00.000Z");
	assert_date(UINT64_C(951827696007), "2000-02-29T12:34:56.007Z");
	assert_date(UINT64_C(1795190041123), "2026-11-20T15:54:01.123Z");
	assert_date(UINT64_C(946684799999), "1999-12-31T23:59:59.999Z");
	assert_date(UINT64_C(4107542399000), "2100-02-28T23:59:59.000Z");	/* 2100 has no leap day */
	assert_date(UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z");
	assert_date(UINT64_MAX, "9999-12-31T23:59:59.999Z");
}

/* Each day of 150 years against libc. */
static void
test_dates_as_libc_has_them(void **state)
{
	for (time_t day = 0; day < 150 * 366; day++) {
		time_t seconds = day * 86400 + 45296;
		struct tm parts;
		char expected[64];

		gmtime_r(&seconds, &parts);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
		assert_date((uint64_t)seconds * 1000, expected);
	}
}

static void
test_clocks_run(void **state)
{
	struct timespec pause = { .tv_nsec = 3000000 };
	uint64_t before_ms = clock_ms(), before_ns = clock_ns();

	nanosleep(&pause, NULL);
	assert_true(clock_ns() - before_ns >= 3000000);
	assert_in_range(clock_ms() - before_ms, 2, 10000);
	assert_in_range(clock_wall_ms() / 1000, time(NULL) - 1, time(NULL) + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_dates_as_libc_has_them),
		cmocka_unit_test(test_clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
