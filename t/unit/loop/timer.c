/* rooms: base loop */
#include "loop/loop.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;

static int
loop_set_up(void **state)
{
	loop = loop_create(NULL);
	return loop == NULL;
}

static int
loop_tear_down(void **state)
{
	loop_free(loop);
	return 0;
}

struct alarm {
	struct timer	timer;
	uint64_t	rang_ms;
	int		count;
	bool		stops;
};

static void
alarm_rings(void *owner)
{
	struct alarm *alarm = owner;

	assert_false(timer_is_armed(&alarm->timer));
	alarm->count++;
	alarm->rang_ms = loop_now_ms(loop);
	if (alarm->stops)
		loop_stop(loop);
}

static void
alarm_init(struct alarm *alarm, bool stops)
{
	*alarm = (struct alarm){ .stops = stops };
	timer_init(&alarm->timer, loop, alarm_rings, alarm);
}

static void
spin_us(uint64_t us)
{
	uint64_t end_ns = clock_ns() + us * 1000;

	while (clock_ns() < end_ns)
		continue;
}

static void
hear_nothing(void *owner, unsigned ready)
{
}

/*
 * Armed at all distances from the kernel's tick while the loop keeps turning: by a clock that only moves with the tick,
 * some would be early.
 */
static void
test_never_early(void **state)
{
	struct alarm alarm;
	struct watch watch;
	int fd = eventfd(1, EFD_NONBLOCK);

	watch_init(&watch, loop, fd, hear_nothing, NULL);
	watch_want(&watch, WATCH_READ);
	alarm_init(&alarm, true);
	for (uint64_t delay_ms = 0; delay_ms < 25; delay_ms++) {
		uint64_t before_ms;

		spin_us(delay_ms * 137);
		before_ms = clock_ms();
		timer_arm(&alarm.timer, delay_ms);
		assert_true(timer_is_armed(&alarm.timer));
		loop_run(loop);
		assert_in_range(alarm.rang_ms, before_ms + delay_ms, before_ms + delay_ms + 500);
	}
	assert_int_equal(alarm.count, 25);
	timer_fini(&alarm.timer);
	watch_fini(&watch);
	close(fd);
}

static void
test_arming_again_replaces(void **state)
{
	struct alarm early, late;

	alarm_init(&early, false);
	alarm_init(&late, true);
	timer_arm(&early.timer, 1);
	timer_arm(&early.timer, 60000);
	timer_arm(&late.timer, 60000);
	timer_arm(&late.timer, 20);
	loop_run(loop);
	assert_int_equal(early.count, 0);
	assert_int_equal(late.count, 1);
	timer_fini(&early.timer);
	timer_fini(&late.timer);
}

static void
test_disarmed_never_rings(void **state)
{
	struct alarm alarm, end;

	alarm_init(&alarm, false);
	alarm_init(&end, true);
	timer_disarm(&alarm.timer);
	timer_arm(&alarm.timer, 1);
	timer_disarm(&alarm.timer);
	assert_false(timer_is_armed(&alarm.timer));
	timer_arm(&end.timer, 20);
	loop_run(loop);
	assert_int_equal(alarm.count, 0);
	timer_fini(&alarm.timer);
	timer_fini(&end.timer);
}

/* Two due in one turn: who rings first disarms the other. */
struct rivals {
	struct timer	timers[2];
	int		count;
};

static void
rival_rings(void *owner)
{
	struct rivals *rivals = owner;

	rivals->count++;
	timer_disarm(&rivals->timers[0]);
	timer_fini(&rivals->timers[1]);
}

static void
test_disarmed_in_the_same_turn(void **state)
{
	struct rivals rivals = { .count = 0 };
	struct alarm end;

	alarm_init(&end, true);
	for (int i = 0; i < 2; i++) {
		timer_init(&rivals.timers[i], loop, rival_rings, &rivals);
		timer_arm(&rivals.timers[i], 5);
	}
	timer_arm(&end.timer, 40);
	loop_run(loop);
	assert_int_equal(rivals.count, 1);
	timer_fini(&rivals.timers[0]);
	timer_fini(&end.timer);
}

static void
rearm(void *owner)
{
	struct alarm *alarm = owner;

	if (++alarm->count == 3)
		loop_stop(loop);
	else
		timer_arm(&alarm->timer, 1);
}

static void
test_arms_itself_again(void **state)
{
	struct alarm alarm;

	alarm_init(&alarm, false);
	alarm.timer.on_due = rearm;
	timer_arm(&alarm.timer, 1);
	loop_run(loop);
	assert_int_equal(alarm.count, 3);
	timer_fini(&alarm.timer);
}

static void
test_fini_is_safe_twice_and_on_zero(void **state)
{
	struct alarm alarm = { 0 };

	timer_fini(&alarm.timer);
	assert_false(timer_is_armed(&alarm.timer));
	alarm_init(&alarm, false);
	timer_arm(&alarm.timer, 1);
	timer_fini(&alarm.timer);
	timer_fini(&alarm.timer);
	assert_false(timer_is_armed(&alarm.timer));
}

#define test_in_loop(name) cmocka_unit_test_setup_teardown(name, loop_set_up, loop_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_loop(test_never_early),
		test_in_loop(test_arming_again_replaces),
		test_in_loop(test_disarmed_never_rings),
		test_in_loop(test_disarmed_in_the_same_turn),
		test_in_loop(test_arms_itself_again),
		test_in_loop(test_fini_is_safe_twice_and_on_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
