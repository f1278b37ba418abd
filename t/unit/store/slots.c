/* rooms: base store */
#include "store/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_rows(void **state)
{
	size_t count = 0;

	for (const struct slot_total_row *row = slot_total_rows; row->name != NULL; row++, count++) {
		assert_int_equal(row->offset, count * sizeof(uint64_t));
		assert_true(row->doc[0] != '\0');
	}
	assert_int_equal(count * sizeof(uint64_t), sizeof(struct slot_totals));
	assert_string_equal(slot_total_rows[0].name, "connections_accepted");
}

/* A child's counts are seen here, and the sum does not go back when it is gone. */
static void
test_shared_and_retired(void **state)
{
	struct slots *slots = slots_create(NULL);
	struct slot_totals sum;
	pid_t child;

	assert_non_null(slots);
	assert_int_equal((uintptr_t)&slots->workers[1] % 64, 0);
	child = fork();
	if (child == 0) {
		slot_set(&slots->workers[7].pid, (uint64_t)getpid());
		slot_add(&slots->workers[7].totals.requests, 5);
		slot_add(&slots->workers[7].totals.retries, 2);
		slot_set(&slots->workers[7].connections, 3);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	slot_set(&slots->workers[1023].pid, 1);
	slot_add(&slots->workers[1023].totals.requests, 10);
	assert_int_equal(slot_get(&slots->workers[7].pid), child);
	slots_sum(slots, &sum);
	assert_int_equal(sum.requests, 15);
	slots_retire(slots, 7);
	slots_sum(slots, &sum);
	assert_int_equal(sum.requests, 15);
	assert_int_equal(sum.retries, 2);
	assert_int_equal(sum.connections_closed, 3);	/* with their worker */
	assert_int_equal(slots->workers[7].connections, 0);
	assert_int_equal(slots->workers[7].pid, 0);
	slots_free(slots);
	slots_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_shared_and_retired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
