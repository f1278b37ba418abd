/* rooms: base http */
#include "http/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROOM = 3 };

struct row {
	const char		*value;
	uint64_t		 length;
	enum range_result	 result;
	struct byte_range	 ranges[ROOM];
	size_t			 count;
};

static void
check_rows(const struct row *rows, size_t count)
{
	struct byte_range ranges[ROOM + 1];
	size_t found;

	for (size_t i = 0; i < count; i++) {
		ranges[ROOM] = (struct byte_range){ 77, 77 };
		if (range_parse(span_text(rows[i].value), rows[i].length, ranges, ROOM, &found) != rows[i].result)
			fail_msg("%s of %ju", rows[i].value, (uintmax_t)rows[i].length);
		assert_int_equal(ranges[ROOM].first, 77);
		assert_int_equal(found, rows[i].count);
		for (size_t j = 0; j < found; j++) {
			assert_true(ranges[j].first == rows[i].ranges[j].first);
			assert_true(ranges[j].last == rows[i].ranges[j].last);
		}
	}
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void
test_ranges(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-499", 1000, RANGE_SOME, { { 0, 499 } }, 1 },
		{ "bytes=0-0", 1000, RANGE_SOME, { { 0, 0 } }, 1 },
		{ "bytes=0-0", 1, RANGE_SOME, { { 0, 0 } }, 1 },
		{ "bytes=999-", 1000, RANGE_SOME, { { 999, 999 } }, 1 },
		{ "bytes=500-", 1000, RANGE_SOME, { { 500, 999 } }, 1 },
		{ "bytes=500-999999", 1000, RANGE_SOME, { { 500, 999 } }, 1 },
		{ "bytes=0-", 1000, RANGE_SOME, { { 0, 999 } }, 1 },
		{ "bytes=-500", 1000, RANGE_SOME, { { 500, 999 } }, 1 },
		{ "bytes=-1000", 1000, RANGE_SOME, { { 0, 999 } }, 1 },
		{ "bytes=-1001", 1000, RANGE_SOME, { { 0, 999 } }, 1 },
		{ "bytes=-99999999999999999999999", 1000, RANGE_SOME, { { 0, 999 } }, 1 },
		{ "bytes=1-99999999999999999999999", 1000, RANGE_SOME, { { 1, 999 } }, 1 },
		{ "BYTES=0-1", 1000, RANGE_SOME, { { 0, 1 } }, 1 },
		{ "bytes=0-0,-1", 1000, RANGE_SOME, { { 0, 0 }, { 999, 999 } }, 2 },
		{ "bytes= 0-0 ,\t5-6 , 8-9", 1000, RANGE_SOME, { { 0, 0 }, { 5, 6 }, { 8, 9 } }, 3 },
		{ "bytes=,0-0,,5-6,", 1000, RANGE_SOME, { { 0, 0 }, { 5, 6 } }, 2 },
		{ "bytes=5-6,0-0", 1000, RANGE_SOME, { { 5, 6 }, { 0, 0 } }, 2 },	/* as asked */
		{ "bytes=0-1,2000-", 1000, RANGE_SOME, { { 0, 1 } }, 1 },
		{ "bytes=0-499,499-600", 1000, RANGE_SOME, { { 0, 499 }, { 499, 600 } }, 2 },
		{ "bytes=0-499,500-999", 1000, RANGE_SOME, { { 0, 499 }, { 500, 999 } }, 2 },
	};

	CHECK_ROWS(rows);
}

static void
test_unsatisfiable(void **state)
{
	static const struct row rows[] = {
		{ "bytes=1000-", 1000, RANGE_UNSATISFIABLE, { { 0, 0 } }, 0 },
		{ "bytes=1000-2000", 1000, RANGE_UNSATISFIABLE, { { 0, 0 } }, 0 },
		{ "bytes=-0", 1000, RANGE_UNSATISFIABLE, { { 0, 0 } }, 0 },
		{ "bytes=0-", 0, RANGE_UNSATISFIABLE, { { 0, 0 } }, 0 },
		{ "bytes=2000-,3000-4000", 1000, RANGE_UNSATISFIABLE, { { 0, 0 } }, 0 },
		{ "bytes=99999999999999999999999-", 1000, RANGE_UNSATISFIABLE, { { 0, 0 } }, 0 },
	};

	CHECK_ROWS(rows);
}

static void
test_the_whole_is_served(void **state)
{
	static const struct row rows[] = {
		{ "", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=,", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes 0-1", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes =0-1", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "lines=0-1", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=5", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=-", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=--5", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=5-4", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0-1,5-4", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0-1x", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0x0-1", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=+0-1", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0 - 1", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0-1-2", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0-1;5-6", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0-0,1-1,2-2,3-3", 1000, RANGE_NONE, { { 0, 0 } }, 0 },		/* one more than room */
		{ "bytes=0-0,2000-,3000-,4000-", 1000, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=0-,0-", 1000, RANGE_NONE, { { 0, 0 } }, 0 },			/* twice the whole */
		{ "bytes=0-499,499-999", 1000, RANGE_NONE, { { 0, 0 } }, 0 },		/* a byte more than it */
	};

	CHECK_ROWS(rows);
}

static void
test_the_largest_length_does_not_overflow(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-18446744073709551614", UINT64_MAX, RANGE_SOME, { { 0, UINT64_MAX - 1 } }, 1 },
		{ "bytes=0-,-1", UINT64_MAX, RANGE_NONE, { { 0, 0 } }, 0 },
		{ "bytes=18446744073709551615-", UINT64_MAX, RANGE_UNSATISFIABLE, { { 0, 0 } }, 0 },
	};

	CHECK_ROWS(rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_unsatisfiable),
		cmocka_unit_test(test_the_whole_is_served),
		cmocka_unit_test(test_the_largest_length_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
