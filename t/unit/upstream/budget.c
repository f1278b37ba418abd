/* rooms: base loop conf http net codec request store upstream */
#include "upstream/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned
take_all(struct budget *budget, uint64_t percent, uint64_t now_ms)
{
	unsigned count = 0;

	while (count < 100000 && budget_take(budget, percent, now_ms))
		count++;
	return count;
}

static void
count_requests(struct budget *budget, unsigned count, uint64_t now_ms)
{
	while (count-- > 0)
		budget_count_request(budget, now_ms);
}

static void
test_a_few_are_always_allowed(void **state)
{
	struct budget budget = { 0 };

	assert_int_equal(take_all(&budget, 20, 1000000), BUDGET_FEW);
	count_requests(&budget, 10, 1000000);
	assert_int_equal(take_all(&budget, 20, 1000000), 0);
}

static void
test_never_at_zero(void **state)
{
	struct budget budget = { 0 };

	count_requests(&budget, 1000, 5000);
	assert_int_equal(take_all(&budget, 0, 5000), 0);
}

static void
test_a_share_of_the_requests(void **state)
{
	struct budget budget = { 0 };

	count_requests(&budget, 500, 5000);
	count_requests(&budget, 500, 9999);
	assert_int_equal(take_all(&budget, 20, 9999), 200);
	count_requests(&budget, 5, 9999);
	assert_int_equal(take_all(&budget, 20, 9999), 1);
	assert_int_equal(take_all(&budget, 100, 9999), 1005 - 201);
}

static void
test_seconds_go_by(void **state)
{
	struct budget budget = { 0 };

	count_requests(&budget, 1000, 1000);
	assert_int_equal(take_all(&budget, 10, 1000), 100);
	assert_int_equal(take_all(&budget, 10, 10999), 0);	/* the tenth second: all of it still counts */
	assert_int_equal(take_all(&budget, 10, 11000), BUDGET_FEW);
	count_requests(&budget, 200, 500000);
	assert_int_equal(take_all(&budget, 10, 500000), 20);
	assert_int_equal(budget.requests, 200);
	assert_int_equal(budget.retries, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_few_are_always_allowed),
		cmocka_unit_test(test_never_at_zero),
		cmocka_unit_test(test_a_share_of_the_requests),
		cmocka_unit_test(test_seconds_go_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
