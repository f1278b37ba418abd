/* rooms: base http codec */
#include "codec/h2_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned
spend_all(struct h2_budget *budget, enum h2_cost cost, uint64_t per_second, uint64_t now_ms)
{
	unsigned count = 0;

	while (count < 1000000 && h2_budget_spend(budget, cost, per_second, now_ms))
		count++;
	return count;
}

static void
test_as_many_at_once_as_in_two_seconds(void **state)
{
	struct h2_budget budget;

	h2_budget_init(&budget, 5000);
	assert_int_equal(spend_all(&budget, H2_COST_RESETS, 100, 5000), 200);
	assert_int_equal(spend_all(&budget, H2_COST_PINGS, 100, 5000), 200);
	assert_int_equal(spend_all(&budget, H2_COST_PRIORITIES, 100, 5000), 800);
	assert_int_equal(spend_all(&budget, H2_COST_WINDOWS, 100, 5000), 2000);
}

static void
test_it_leaks(void **state)
{
	struct h2_budget budget;

	h2_budget_init(&budget, 5000);
	spend_all(&budget, H2_COST_RESETS, 100, 5000);
	assert_false(h2_budget_spend(&budget, H2_COST_RESETS, 100, 5099));
	assert_int_equal(spend_all(&budget, H2_COST_RESETS, 100, 5100), 10);
	assert_int_equal(spend_all(&budget, H2_COST_RESETS, 100, 6100), 100);
	assert_int_equal(spend_all(&budget, H2_COST_RESETS, 100, 900000), 200);
}

/* Whoever stays at the rate is never cut off, however the moments fall. */
static void
test_the_rate_is_free(void **state)
{
	struct h2_budget budget;

	h2_budget_init(&budget, 0);
	for (uint64_t now_ms = 0; now_ms < 100000; now_ms += 10)
		assert_true(h2_budget_spend(&budget, H2_COST_RESETS, 100, now_ms));
	h2_budget_init(&budget, 0);
	for (uint64_t now_ms = 0; now_ms < 1000000; now_ms += 1000)
		assert_true(h2_budget_spend(&budget, H2_COST_RESETS, 1, now_ms));
}

static void
test_the_largest_rate_does_not_overflow(void **state)
{
	struct h2_budget budget;

	h2_budget_init(&budget, 0);
	assert_int_equal(spend_all(&budget, H2_COST_WINDOWS, 100000, UINT64_MAX), 1000000);
	assert_int_equal(spend_all(&budget, H2_COST_RESETS, 100000, UINT64_MAX), 200000);
}

static void
test_every_cost_has_a_text(void **state)
{
	for (unsigned i = 0; i < H2_COST_COUNT; i++)
		assert_non_null(h2_cost_text((enum h2_cost)i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_many_at_once_as_in_two_seconds),
		cmocka_unit_test(test_it_leaks),
		cmocka_unit_test(test_the_rate_is_free),
		cmocka_unit_test(test_the_largest_rate_does_not_overflow),
		cmocka_unit_test(test_every_cost_has_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
