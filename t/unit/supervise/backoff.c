/* rooms: base ipc loop supervise */
#include "supervise/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
test_growth_and_reset(void **state)
{
	struct backoff backoff = { .initial_ms = 100, .max_ms = 5000, .reset_after_ms = 30000 };
	static const uint64_t expected[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };

	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
			uint64_t delay_ms = backoff_next(&backoff, i == 0 ? 30000 : 29999);

			assert_in_range(delay_ms, expected[i] * 8 / 10, expected[i] * 12 / 10);
		}
	}
}

/* Delays differ, so that many do not come back in one moment. */
static void
test_jitter(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (unsigned i = 0; i < 200; i++) {
		struct backoff backoff = { .initial_ms = 1000, .max_ms = 1000, .reset_after_ms = 1000 };
		uint64_t delay_ms;

		backoff_next(&backoff, 0);
		delay_ms = backoff_next(&backoff, 0);
		least = delay_ms < least ? delay_ms : least;
		most = delay_ms > most ? delay_ms : most;
	}
	assert_true(least < 900 && most > 1100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth_and_reset),
		cmocka_unit_test(test_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
