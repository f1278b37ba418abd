/* rooms: base loop */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/span.h"
#include "loop/timeout.h"

#include <event2/event.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;
static char calls[64];	/* one letter a call */

static void
note(char letter)
{
	size_t len = strlen(calls);

	assert_true(len + 1 < sizeof(calls));
	calls[len] = letter;
	calls[len + 1] = '\0';
}

static int
loop_set_up(void **state)
{
	calls[0] = '\0';
	loop = loop_create(NULL);
	return loop == NULL;
}

static int
loop_tear_down(void **state)
{
	loop_free(loop);
	return 0;
}

static void
sleep_ms(long ms)
{
	struct timespec pause = { .tv_nsec = ms * 1000000 };

	nanosleep(&pause, NULL);
}

/* Every number of descriptors too few is told, none ends the process. */
static void
test_too_few_descriptors(void **state)
{
	struct rlimit before, few;
	struct loop *another = NULL;
	int lowest = dup(0);
	rlim_t more = 0;

	close(lowest);
	assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
	few = before;
	for (; more < 8 && another == NULL; more++) {
		few.rlim_cur = (rlim_t)lowest + more;
		assert_return_code(setrlimit(RLIMIT_NOFILE, &few), errno);
		another = loop_create(NULL);
		assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
	}
	assert_non_null(another);
	assert_true(more > 1);
	loop_free(another);
}

static void
stop_now(void *owner)
{
	loop_stop(loop);
}

static void
run_for(uint64_t ms)
{
	struct timer timer;

	timer_init(&timer, loop, stop_now, NULL);
	timer_arm(&timer, ms);
	loop_run(loop);
	timer_fini(&timer);
}

/* -- laters */

struct lettered {
	char		 letter;
	struct later	 later;
	struct later	*adds;
};

static void
lettered_run(struct later *later)
{
	struct lettered *lettered = LIST_OWNER(later, struct lettered, later);

	note(lettered->letter);
	if (lettered->adds != NULL)
		loop_later(loop, lettered->adds);
}

static void
add_laters(void *owner)
{
	struct lettered *all = owner;

	for (int i = 0; i < 3; i++)
		loop_later(loop, &all[i].later);
	loop_later(loop, &all[0].later);	/* twice is once */
	loop_later_cancel(&all[1].later);
	note('.');
	loop_stop(loop);
}

static void
test_laters_run_at_the_end_of_the_turn(void **state)
{
	struct lettered all[4] = { { 'a', { .run = lettered_run }, NULL }, { 'b', { .run = lettered_run }, NULL },
		{ 'c', { .run = lettered_run }, NULL }, { 'd', { .run = lettered_run }, NULL } };
	struct timer timer;

	all[0].adds = &all[3].later;
	timer_init(&timer, loop, add_laters, all);
	timer_arm(&timer, 0);
	loop_run(loop);
	assert_string_equal(calls, ".acd");	/* d was added by a, in the same turn */
	timer_fini(&timer);
	loop_later_cancel(&all[1].later);
}

static void
test_laters_added_before_are_the_first_act(void **state)
{
	struct lettered one = { 'a', { .run = lettered_run }, NULL };

	loop_later(loop, &one.later);
	loop_stop(loop);
	loop_run(loop);	/* stopped before: does not poll */
	assert_string_equal(calls, "a");
}

struct piece {
	struct later	later;
	char		bytes[100];
};

static void
piece_free(struct later *later)
{
	note('f');
	memory_free(LIST_OWNER(later, struct piece, later));
}

static void
test_what_is_left_of_laters_runs_when_the_loop_goes(void **state)
{
	struct piece *piece = memory_zalloc(sizeof(*piece));
	struct loop *other = loop_create(NULL);

	loop_free_later(other, &piece->later, piece_free);
	loop_free_later(other, &piece->later, piece_free);
	assert_string_equal(calls, "");
	loop_free(other);
	assert_string_equal(calls, "f");
	loop_free(NULL);
}

/* -- turns and time */

static uint64_t turn_started_ms;

static void
turn_starts(void *owner, uint64_t now_ms)
{
	assert_ptr_equal(owner, calls);
	turn_started_ms = now_ms;
	note('T');
}

struct hearer {
	struct watch	watch;
	uint64_t	heard_ms;
};

static void
hear_slowly(void *owner, unsigned ready)
{
	struct hearer *hearer = owner;

	note('h');
	hearer->heard_ms = loop_now_ms(loop);
	assert_true(hearer->heard_ms == turn_started_ms);
	sleep_ms(5);
	assert_true(loop_now_ms(loop) == hearer->heard_ms);
	loop_stop(loop);
}

static void
test_clock_is_fresh_and_stands_during_a_turn(void **state)
{
	struct hearer hearer;
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t before_ms;
	pid_t child;

	loop_on_turn(loop, turn_starts, calls);
	watch_init(&hearer.watch, loop, fd, hear_slowly, &hearer);
	watch_want(&hearer.watch, WATCH_READ);
	before_ms = clock_ms();
	child = fork();
	if (child == 0) {
		sleep_ms(30);
		_exit(eventfd_write(fd, 1));
	}
	loop_run(loop);
	assert_string_equal(calls, "Th");
	assert_int_equal(loop_turns(loop), 1);
	assert_true(hearer.heard_ms >= before_ms + 29);	/* read after the poll returned, not before */
	watch_fini(&hearer.watch);
	waitpid(child, NULL, 0);
	close(fd);
}

static void
test_clock_outside_of_turns_goes_on(void **state)
{
	uint64_t before_ms = loop_now_ms(loop);

	assert_in_range(clock_ms() - before_ms, 0, 1000);
	sleep_ms(5);
	assert_true(loop_now_ms(loop) >= before_ms + 4);
	run_for(1);
	sleep_ms(5);
	assert_in_range(clock_ms() - loop_now_ms(loop), 0, 4);
	assert_in_range(clock_wall_ms() - loop_wall_ms(loop), 0, 4);
}

/* Two descriptors ready at once are one turn. */
static void
hear(void *owner, unsigned ready)
{
	note('h');
	watch_want(owner, WATCH_NOTHING);
}

static void
test_turn_counts_once_for_all_its_callbacks(void **state)
{
	struct watch watches[3];
	int fd = eventfd(1, EFD_NONBLOCK);
	int copies[3];

	loop_on_turn(loop, turn_starts, calls);
	for (int i = 0; i < 3; i++) {
		copies[i] = dup(fd);
		watch_init(&watches[i], loop, copies[i], hear, &watches[i]);
		watch_want(&watches[i], WATCH_READ);
	}
	run_for(20);
	assert_string_equal(calls, "ThhhT");
	assert_int_equal(loop_turns(loop), 2);
	for (int i = 0; i < 3; i++) {
		watch_fini(&watches[i]);
		close(copies[i]);
	}
	close(fd);
}

/* A library that uses the base directly (evdns) makes turns and laters too. */
static struct lettered by_library = { 'l', { .run = lettered_run }, NULL };

static void
library_callback(evutil_socket_t fd, short flags, void *owner)
{
	note('x');
	loop_later(loop, &by_library.later);
	loop_stop(loop);
}

static void
test_library_events_turn_the_loop(void **state)
{
	struct event *event = event_new(loop_base(loop), -1, 0, library_callback, NULL);
	struct timeval soon = { 0, 1000 };

	event_add(event, &soon);
	loop_run(loop);
	assert_string_equal(calls, "xl");
	assert_int_equal(loop_turns(loop), 1);
	event_free(event);
}

/* -- stopping */

static void
hear_and_stop(void *owner, unsigned ready)
{
	hear(owner, ready);
	loop_stop(loop);
}

/* Both are ready: who is heard first stops, and the other waits for the next run. */
static void
test_stop_is_heard_at_once(void **state)
{
	struct watch watches[2];
	int fd = eventfd(1, EFD_NONBLOCK);
	int copy = dup(fd);

	watch_init(&watches[0], loop, fd, hear_and_stop, &watches[0]);
	watch_init(&watches[1], loop, copy, hear_and_stop, &watches[1]);
	watch_want(&watches[0], WATCH_READ);
	watch_want(&watches[1], WATCH_READ);
	loop_run(loop);
	assert_string_equal(calls, "h");
	loop_run(loop);
	assert_string_equal(calls, "hh");
	watch_fini(&watches[0]);
	watch_fini(&watches[1]);
	close(fd);
	close(copy);
}

#define test_in_loop(name) cmocka_unit_test_setup_teardown(name, loop_set_up, loop_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_few_descriptors),
		test_in_loop(test_laters_run_at_the_end_of_the_turn),
		test_in_loop(test_laters_added_before_are_the_first_act),
		test_in_loop(test_what_is_left_of_laters_runs_when_the_loop_goes),
		test_in_loop(test_clock_is_fresh_and_stands_during_a_turn),
		test_in_loop(test_clock_outside_of_turns_goes_on),
		test_in_loop(test_turn_counts_once_for_all_its_callbacks),
		test_in_loop(test_library_events_turn_the_loop),
		test_in_loop(test_stop_is_heard_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
