/* rooms: base http codec */
#include "codec/h2_priority.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
check(const char *value, unsigned urgency, bool is_incremental)
{
	struct h2_priority priority = { 3, false };

	h2_priority_parse(span_text(value), &priority);
	if (priority.urgency != urgency || priority.is_incremental != is_incremental)
		fail_msg("\"%s\": %u %d", value, priority.urgency, priority.is_incremental);
}

static void
test_what_is_said(void **state)
{
	check("", 3, false);
	check("u=0", 0, false);
	check("u=7, i", 7, true);
	check("i,u=1", 1, true);
	check("i=?1", 3, true);
	check("u=5;x=y, i;z", 5, true);
	check("u=1, u=2", 2, false);
	check("i, i=?0", 3, false);
	check("  u=4 ,\ti ", 4, true);
}

static void
test_what_is_not_understood_counts_for_nothing(void **state)
{
	check("u=8", 3, false);
	check("u=-1", 3, false);
	check("u=10", 3, false);
	check("u", 3, false);
	check("u=", 3, false);
	check("u=1.5", 3, false);
	check("i=1", 3, false);
	check("i=", 3, false);
	check("U=1, I", 3, false);
	check(",,=,;=", 3, false);
	check("urgency=1", 3, false);
}

static void
test_what_is_not_said_stays(void **state)
{
	struct h2_priority priority = { 1, true };

	h2_priority_parse(SPAN_OF("u=6"), &priority);
	assert_int_equal(priority.urgency, 6);
	assert_true(priority.is_incremental);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_said),
		cmocka_unit_test(test_what_is_not_understood_counts_for_nothing),
		cmocka_unit_test(test_what_is_not_said_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
