/* rooms: base */
#include "base/put.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
pieces_follow_each_other(void **state)
{
	char room[64], *at = room;

	(void)state;
	at = put_span(at, SPAN_OF("Content-Length: "));
	at = put_number(at, 1048576);
	at = put_span(at, span_make(NULL, 0));
	at = put_span(at, SPAN_OF("\r\n"));
	assert_int_equal(at - room, 25);
	assert_memory_equal(room, "Content-Length: 1048576\r\n", 25);
}

static void
numbers_from_none_to_the_largest(void **state)
{
	char room[NUMBER_DIGITS_MAX];

	(void)state;
	assert_int_equal(put_number(room, 0) - room, 1);
	assert_int_equal(room[0], '0');
	assert_int_equal(put_number(room, UINT64_MAX) - room, NUMBER_DIGITS_MAX);
	assert_memory_equal(room, "18446744073709551615", NUMBER_DIGITS_MAX);
}

static void
percent_codes_are_upper_case(void **state)
{
	char room[3];

	(void)state;
	assert_int_equal(put_percent_code(room, 0xaf) - room, 3);
	assert_memory_equal(room, "%AF", 3);
	put_percent_code(room, '\0');
	assert_memory_equal(room, "%00", 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_follow_each_other),
		cmocka_unit_test(numbers_from_none_to_the_largest),
		cmocka_unit_test(percent_codes_are_upper_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
