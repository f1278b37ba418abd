/* rooms: base loop */
#include "loop/timeout.h"

#include "base/clock.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct loop *loop;
static struct timer end;
static char calls[64];	/* one letter a call */

static void
stop_now(void *owner)
{
	loop_stop(loop);
}

static int
loop_set_up(void **state)
{
	memset(calls, 0, sizeof(calls));
	loop = loop_create(NULL);
	timer_init(&end, loop, stop_now, NULL);
	return loop == NULL;
}

static int
loop_tear_down(void **state)
{
	timer_fini(&end);
	loop_free(loop);
	return 0;
}

static void
run_for(uint64_t ms)
{
	timer_arm(&end, ms);
	loop_run(loop);
}

static void
sleep_ms(long ms)
{
	struct timespec pause = { .tv_nsec = ms * 1000000 };

	nanosleep(&pause, NULL);
}

/* Writes its letter when its time has come, and sees that it is not too early. */
struct waiter {
	struct timeout	timeout;
	char		letter;
	uint64_t	not_before_ms;
};

static void
waiter_waited(void *owner)
{
	struct waiter *waiter = owner;

	assert_false(timeout_is_armed(&waiter->timeout));
	assert_true(clock_ms() >= waiter->not_before_ms);
	calls[strlen(calls)] = waiter->letter;
}

static void
waiter_init(struct waiter *waiter, char letter, timeout_fn *on_timeout)
{
	*waiter = (struct waiter){ .letter = letter };
	timeout_init(&waiter->timeout, on_timeout, waiter);
}

static void
waiter_arm(struct waiter *waiter, uint64_t duration_ms)
{
	waiter->not_before_ms = clock_ms() + duration_ms;
	timeout_arm(&waiter->timeout, timeout_class_for(loop, duration_ms));
}

static void
test_classes_are_shared_by_duration(void **state)
{
	struct timeout_class *class = timeout_class_for(loop, 100);

	assert_non_null(class);
	assert_ptr_not_equal(timeout_class_for(loop, 200), class);
	assert_ptr_equal(timeout_class_for(loop, 100), class);
	assert_null(timeout_class_for(loop, 0));
}

static void
test_order_over_several_classes(void **state)
{
	struct waiter waiters[6];
	const uint64_t durations[6] = { 30, 10, 60, 30, 10, 60 };

	for (int i = 0; i < 6; i++) {
		waiter_init(&waiters[i], (char)('a' + i), waiter_waited);
		waiter_arm(&waiters[i], durations[i]);
	}
	run_for(120);
	assert_string_equal(calls, "beadcf");
}

/* Arming again goes to the end of the queue, also of another class. */
static void
test_arming_again_starts_over(void **state)
{
	struct waiter a, b, c;

	waiter_init(&a, 'a', waiter_waited);
	waiter_init(&b, 'b', waiter_waited);
	waiter_init(&c, 'c', waiter_waited);
	waiter_arm(&a, 20);
	waiter_arm(&b, 20);
	waiter_arm(&c, 20);
	sleep_ms(10);
	waiter_arm(&a, 20);
	waiter_arm(&b, 60);
	run_for(100);
	assert_string_equal(calls, "cab");
}

static void
test_disarmed_is_not_called(void **state)
{
	struct waiter a, b, zero = { 0 };

	waiter_init(&a, 'a', waiter_waited);
	waiter_init(&b, 'b', waiter_waited);
	timeout_disarm(&a.timeout);
	timeout_disarm(&zero.timeout);
	assert_false(timeout_is_armed(&zero.timeout));
	waiter_arm(&a, 10);
	waiter_arm(&b, 10);
	assert_true(timeout_is_armed(&a.timeout));
	timeout_disarm(&a.timeout);
	assert_false(timeout_is_armed(&a.timeout));
	run_for(40);
	assert_string_equal(calls, "b");
}

static void
test_never_is_no_class(void **state)
{
	struct waiter a;

	waiter_init(&a, 'a', waiter_waited);
	waiter_arm(&a, 5);
	timeout_arm(&a.timeout, NULL);	/* and takes it out of the class it was in */
	assert_false(timeout_is_armed(&a.timeout));
	run_for(20);
	assert_string_equal(calls, "");
}

/* The head goes away and another comes while the class's timer is set: it must still wake for the new head. */
static void
test_timer_of_a_gone_head(void **state)
{
	struct waiter a, b;

	waiter_init(&a, 'a', waiter_waited);
	waiter_init(&b, 'b', waiter_waited);
	waiter_arm(&a, 30);
	sleep_ms(20);
	timeout_disarm(&a.timeout);
	waiter_arm(&b, 30);
	run_for(100);
	assert_string_equal(calls, "b");
	waiter_arm(&a, 30);	/* after the queue was empty */
	run_for(60);
	assert_string_equal(calls, "ba");
}

/* -- handlers that change the queue they are called from */

static struct waiter *victims[3];

static void
free_the_others(void *owner)
{
	struct waiter *waiter = owner;

	waiter_waited(owner);
	for (int i = 0; i < 3; i++) {
		struct waiter *victim = victims[i];

		victims[i] = NULL;
		if (victim == NULL)
			continue;
		timeout_disarm(&victim->timeout);
		if (victim != waiter)
			memory_free(victim);
	}
	memory_free(waiter);
}

static void
test_handler_may_free_all_who_are_due(void **state)
{
	for (int i = 0; i < 3; i++) {
		victims[i] = memory_alloc(sizeof(struct waiter));
		waiter_init(victims[i], (char)('a' + i), free_the_others);
		waiter_arm(victims[i], 10);
	}
	run_for(40);
	assert_string_equal(calls, "a");
}

static void
wait_again(void *owner)
{
	struct waiter *waiter = owner;

	waiter_waited(owner);
	if (strlen(calls) < 6)
		waiter_arm(waiter, 5);
}

static void
test_handler_may_arm_itself(void **state)
{
	struct waiter a, b;

	waiter_init(&a, 'a', wait_again);
	waiter_init(&b, 'b', wait_again);
	waiter_arm(&a, 5);
	waiter_arm(&b, 5);
	run_for(150);
	assert_int_equal(strlen(calls), 7); /* who writes the sixth letter does not wait again, nor does the other */
	assert_memory_equal(calls, "ab", 2);
}

/* -- the loop goes first */

static void
test_disarm_after_the_loop_is_gone(void **state)
{
	struct loop *other = loop_create(NULL);
	struct waiter a;

	waiter_init(&a, 'a', waiter_waited);
	timeout_arm(&a.timeout, timeout_class_for(other, 10));
	loop_free(other);
	assert_false(timeout_is_armed(&a.timeout));
	timeout_disarm(&a.timeout);
}

/* Arming is a list operation: a hundred thousand of them set one timer and disturb nobody. */
static void
test_many(void **state)
{
	enum { MANY = 100000 };
	struct timeout *timeouts = memory_alloc(MANY * sizeof(*timeouts));
	struct timeout_class *class = timeout_class_for(loop, 10);
	int count = 0;

	memset(calls, 0, sizeof(calls));
	for (int i = 0; i < MANY; i++) {
		timeout_init(&timeouts[i], stop_now, NULL);
		timeout_arm(&timeouts[i], class);
	}
	while (timeout_is_armed(&timeouts[MANY - 1]) && count++ < 1000)
		loop_run(loop);
	for (int i = 0; i < MANY; i++)
		assert_false(timeout_is_armed(&timeouts[i]));
	memory_free(timeouts);
}

#define test_in_loop(name) cmocka_unit_test_setup_teardown(name, loop_set_up, loop_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_loop(test_classes_are_shared_by_duration),
		test_in_loop(test_order_over_several_classes),
		test_in_loop(test_arming_again_starts_over),
		test_in_loop(test_disarmed_is_not_called),
		test_in_loop(test_never_is_no_class),
		test_in_loop(test_timer_of_a_gone_head),
		test_in_loop(test_handler_may_free_all_who_are_due),
		test_in_loop(test_handler_may_arm_itself),
		test_in_loop(test_disarm_after_the_loop_is_gone),
		test_in_loop(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
