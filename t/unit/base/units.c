/* rooms: base */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define DAY UINT64_C(86400000)

typedef void format_fn(struct text *to, uint64_t number);
typedef bool parse_fn(struct span from, uint64_t *number_out);

struct row {
	const char	*text;
	uint64_t	 number;
};

static void
assert_formats(format_fn *format, const struct row *row)
{
	struct text text = { 0 };

	format(&text, row->number);
	assert_string_equal(text.bytes, row->text);
	text_fini(&text);
}

static void
assert_parses(parse_fn *parse, const struct row *row)
{
	uint64_t number = ~row->number;

	assert_true(parse(span_text(row->text), &number));
	assert_true(number == row->number);
}

static void
test_durations(void **state)
{
	static const struct row rows[] = { { "0s", 0 }, { "1ms", 1 }, { "250ms", 250 }, { "10s", 10000 },
		{ "1500ms", 1500 }, { "90s", 90000 }, { "5m", 300000 }, { "2h", 7200000 }, { "7d", 7 * DAY },
		{ "36h", 36 * 3600000 }, { "3650d", 3650 * DAY } };

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_parses(duration_parse, &rows[i]);
}

static void
test_bad_durations(void **state)
{
	static const char *const bad[] = { "", "0", "10", "s", "ms", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S",
		"1M", "1sec", "1m30s", "3651d", "18446744073709551615d", "213503982335d", "99999999999999999999s" };
	uint64_t ms = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(duration_parse(span_text(bad[i]), &ms));
	assert_int_equal(ms, 7);
}

static void
test_sizes(void **state)
{
	static const struct row rows[] = { { "0", 0 }, { "1", 1 }, { "512", 512 }, { "1K", 1024 }, { "64K", 65536 },
		{ "1025", 1025 }, { "10M", 10 << 20 }, { "1G", 1 << 30 }, { "1025M", UINT64_C(1025) << 20 },
		{ "18446744073709551615", UINT64_MAX } };
	static const struct row others[] = { { "512B", 512 }, { "1k", 1024 }, { "1KB", 1024 }, { "2m", 2 << 20 },
		{ "2mb", 2 << 20 }, { "3g", UINT64_C(3) << 30 }, { "3GB", UINT64_C(3) << 30 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_parses(size_parse, &rows[i]);
	for (size_t i = 0; i < COUNT(others); i++)
		assert_parses(size_parse, &others[i]);
}

static void
test_bad_sizes(void **state)
{
	static const char *const bad[] = { "", "K", "B", "-1", "1.5M", "1 K", "1KK", "1BK", "1T", "1KiB", "1K ",
		"18446744073709551616", "17179869184G" };
	uint64_t bytes = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(size_parse(span_text(bad[i]), &bytes));
	assert_int_equal(bytes, 7);
}

static void
test_percents(void **state)
{
	static const char *const bad[] = { "", "20", "%", "101%", "-1%", "1.5%", "20 %", "20%%", "4294967297%" };
	uint32_t percent = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(percent_parse(span_text(bad[i]), &percent));
	assert_int_equal(percent, 7);
	assert_true(percent_parse(SPAN_OF("0%"), &percent));
	assert_int_equal(percent, 0);
	assert_true(percent_parse(SPAN_OF("100%"), &percent));
	assert_int_equal(percent, 100);
}

static void
test_short_durations(void **state)
{
	static const struct row rows[] = { { "0ms", 0 }, { "999ms", 999 }, { "1s", 1000 }, { "1.5s", 1599 },
		{ "59.9s", 59999 }, { "1m", 60000 }, { "1m 1s", 61999 }, { "59m 59s", 3599999 },
		{ "2h", 7200000 + 59999 }, { "3d 4h", 3 * DAY + 4 * 3600000 + 5 }, { "400d", 400 * DAY } };

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_formats(duration_format_short, &rows[i]);
}

static void
test_short_sizes(void **state)
{
	static const struct row rows[] = { { "0", 0 }, { "1023", 1023 }, { "1K", 1024 }, { "1.5K", 1536 },
		{ "12.4M", 13002342 }, { "1M", (1 << 20) - 1 }, { "1023.9K", 1023 * 1024 + 900 }, { "1G", 1 << 30 },
		{ "2T", UINT64_C(2) << 40 }, { "16384P", UINT64_MAX } };

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_formats(size_format_short, &rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_bad_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_bad_sizes),
		cmocka_unit_test(test_percents),
		cmocka_unit_test(test_short_durations),
		cmocka_unit_test(test_short_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
