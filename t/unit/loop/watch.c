/* rooms: base loop */
#include "loop/loop.h"

#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;
static struct timer end;
static int pair[2];

static void
stop_now(void *owner)
{
	loop_stop(loop);
}

static int
pair_set_up(void **state)
{
	loop = loop_create(NULL);
	timer_init(&end, loop, stop_now, NULL);
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
}

static int
pair_tear_down(void **state)
{
	timer_fini(&end);
	loop_free(loop);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void
run_for(uint64_t ms)
{
	timer_arm(&end, ms);
	loop_run(loop);
}

/* Counts what it hears, and stops the loop. */
struct hearer {
	struct watch	watch;
	int		count;
	unsigned	ready;
};

static void
hearer_hears(void *owner, unsigned ready)
{
	struct hearer *hearer = owner;

	hearer->count++;
	hearer->ready = ready;
	loop_stop(loop);
}

static void
hearer_init(struct hearer *hearer, int fd)
{
	*hearer = (struct hearer){ 0 };
	watch_init(&hearer->watch, loop, fd, hearer_hears, hearer);
}

/* How often it hears within some milliseconds (the loop stops at the first), and what. */
static unsigned
heard(struct hearer *hearer)
{
	hearer->ready = 0;
	run_for(5);
	timer_disarm(&end);
	return hearer->ready;
}

static void
test_each_want_is_heard_alone(void **state)
{
	static const struct {
		unsigned	wants, hears;
	} steps[] = {
		{ WATCH_NOTHING, 0 },
		{ WATCH_READ, WATCH_READ },
		{ WATCH_READ | WATCH_WRITE, WATCH_READ | WATCH_WRITE },
		{ WATCH_WRITE, WATCH_WRITE },
		{ WATCH_READ, WATCH_READ },
		{ WATCH_WRITE, WATCH_WRITE },
		{ WATCH_READ | WATCH_WRITE, WATCH_READ | WATCH_WRITE },
		{ WATCH_NOTHING, 0 },
		{ WATCH_WRITE, WATCH_WRITE },
		{ WATCH_NOTHING, 0 },
	};
	struct hearer hearer;

	hearer_init(&hearer, pair[0]);
	assert_int_equal(write(pair[1], "x", 1), 1);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		watch_want(&hearer.watch, steps[i].wants);
		watch_want(&hearer.watch, steps[i].wants);
		assert_int_equal(heard(&hearer), steps[i].hears);
	}
	watch_fini(&hearer.watch);
}

static void
test_level_triggered(void **state)
{
	struct hearer hearer;
	char byte;

	hearer_init(&hearer, pair[0]);
	watch_want(&hearer.watch, WATCH_READ);
	assert_int_equal(heard(&hearer), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(heard(&hearer), WATCH_READ);
	assert_int_equal(heard(&hearer), WATCH_READ);	/* nobody has read it yet */
	assert_int_equal(read(pair[0], &byte, 1), 1);
	assert_int_equal(heard(&hearer), 0);
	watch_fini(&hearer.watch);
}

/* A peer that is gone is heard as both that were asked for. */
static void
test_hang_up(void **state)
{
	struct hearer hearer;

	hearer_init(&hearer, pair[0]);
	close(pair[1]);
	pair[1] = dup(pair[0]);
	watch_want(&hearer.watch, WATCH_READ);
	assert_int_equal(heard(&hearer), WATCH_READ);
	watch_want(&hearer.watch, WATCH_READ | WATCH_WRITE);
	assert_int_equal(heard(&hearer), WATCH_READ | WATCH_WRITE);
	watch_fini(&hearer.watch);
}

static void
test_fini_is_safe_twice_and_on_zero(void **state)
{
	struct hearer hearer = { 0 };

	watch_fini(&hearer.watch);
	hearer_init(&hearer, pair[0]);
	watch_fini(&hearer.watch);
	hearer_init(&hearer, pair[0]);
	watch_want(&hearer.watch, WATCH_WRITE);
	watch_fini(&hearer.watch);
	watch_fini(&hearer.watch);
	assert_int_equal(heard(&hearer), 0);
}

static void
test_readd(void **state)
{
	struct hearer hearer;

	hearer_init(&hearer, pair[0]);
	watch_readd(&hearer.watch);
	assert_int_equal(heard(&hearer), 0);	/* wants nothing still */
	watch_want(&hearer.watch, WATCH_READ);
	assert_int_equal(write(pair[1], "x", 1), 1);
	watch_readd(&hearer.watch);
	assert_int_equal(heard(&hearer), WATCH_READ);
	watch_fini(&hearer.watch);
}

/* -- being finished while others of the same turn are still to be called */

struct crowd {
	struct watch	watches[4];
	struct timer	timer;
	int		fds[4];
	int		count;
};

static void
crowd_ends(struct crowd *crowd)
{
	crowd->count++;
	for (int i = 0; i < 4; i++) {
		watch_fini(&crowd->watches[i]);
		memset(&crowd->watches[i], 0xee, sizeof(crowd->watches[i]));	/* as freed memory would be */
	}
	timer_fini(&crowd->timer);
	memset(&crowd->timer, 0xee, sizeof(crowd->timer));
}

static void
crowd_hears(void *owner, unsigned ready)
{
	crowd_ends(owner);
}

static void
crowd_due(void *owner)
{
	crowd_ends(owner);
}

static void
test_finished_in_its_turn_is_never_called(void **state)
{
	struct crowd crowd = { .count = 0 };

	timer_init(&crowd.timer, loop, crowd_due, &crowd);
	timer_arm(&crowd.timer, 0);
	for (int i = 0; i < 4; i++) {
		crowd.fds[i] = eventfd(1, EFD_NONBLOCK);
		watch_init(&crowd.watches[i], loop, crowd.fds[i], crowd_hears, &crowd);
		watch_want(&crowd.watches[i], WATCH_READ | WATCH_WRITE);
	}
	run_for(20);
	assert_int_equal(crowd.count, 1);
	for (int i = 0; i < 4; i++)
		close(crowd.fds[i]);
}

/* Not wanting any more counts at once too. */
static void
crowd_unwants(void *owner, unsigned ready)
{
	struct crowd *crowd = owner;

	crowd->count++;
	for (int i = 0; i < 4; i++)
		watch_want(&crowd->watches[i], WATCH_NOTHING);
}

static void
test_unwanted_in_its_turn_is_not_called(void **state)
{
	struct crowd crowd = { .count = 0 };

	for (int i = 0; i < 4; i++) {
		crowd.fds[i] = eventfd(1, EFD_NONBLOCK);
		watch_init(&crowd.watches[i], loop, crowd.fds[i], crowd_unwants, &crowd);
		watch_want(&crowd.watches[i], WATCH_READ);
	}
	run_for(20);
	assert_int_equal(crowd.count, 1);
	for (int i = 0; i < 4; i++) {
		watch_fini(&crowd.watches[i]);
		close(crowd.fds[i]);
	}
}

static void
hearer_reads_then_writes(void *owner, unsigned ready)
{
	struct hearer *hearer = owner;

	hearer->count++;
	if (ready == WATCH_READ)
		watch_want(&hearer->watch, WATCH_WRITE);
	else
		hearer_hears(owner, ready);
}

static void
test_wants_change_inside_the_callback(void **state)
{
	struct hearer hearer;

	hearer_init(&hearer, pair[0]);
	hearer.watch.on_ready = hearer_reads_then_writes;
	assert_int_equal(write(pair[1], "x", 1), 1);
	watch_want(&hearer.watch, WATCH_READ);
	assert_int_equal(heard(&hearer), WATCH_WRITE);
	watch_fini(&hearer.watch);
}

/* -- what cannot be watched */

static void
keep_line(void *owner, enum log_level level, struct span line)
{
	text_add(owner, line);
}

static void
test_unwatchable_is_logged(void **state)
{
	struct text lines = { 0 };
	struct hearer hearer;
	int fd = open("/proc/self/exe", O_RDONLY);

	log_to(keep_line, &lines);
	hearer_init(&hearer, fd);
	watch_want(&hearer.watch, WATCH_READ);	/* epoll knows no regular files: EPERM */
	log_to(NULL, NULL);
	assert_non_null(strstr(lines.bytes, message_text(MSG_WATCH_FAILED)));
	assert_non_null(strstr(lines.bytes, "Operation not permitted"));
	watch_fini(&hearer.watch);
	text_fini(&lines);
	close(fd);
}

#define test_with_pair(name) cmocka_unit_test_setup_teardown(name, pair_set_up, pair_tear_down)

/* Input alone is not told, and does not keep the loop turning; the peer's end is. */
static void
test_hangup_is_told_and_nothing_else(void **state)
{
	struct hearer hearer;
	uint64_t turns;

	hearer_init(&hearer, pair[0]);
	watch_want(&hearer.watch, WATCH_READ);
	watch_want(&hearer.watch, WATCH_HANGUP);
	assert_int_equal(write(pair[1], "x", 1), 1);
	run_for(20);
	assert_int_equal(hearer.count, 0);
	turns = loop_turns(loop);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	run_for(20);
	assert_int_equal(hearer.count, 0);
	assert_true(loop_turns(loop) - turns < 10);
	close(pair[1]);
	run_for(1000);
	assert_int_equal(hearer.count, 1);
	assert_int_equal(hearer.ready, WATCH_HANGUP);
	watch_want(&hearer.watch, WATCH_READ);
	run_for(1000);
	assert_int_equal(hearer.count, 2);
	assert_true(hearer.ready & WATCH_READ);
	watch_fini(&hearer.watch);
	pair[1] = dup(pair[0]);
}

/* close(2) takes the descriptor out of epoll: the next one of that number is watched anew. */
static void
test_closing_leaves_nothing_behind(void **state)
{
	struct hearer hearer;
	int before[2];

	memcpy(before, pair, sizeof(pair));
	hearer_init(&hearer, pair[0]);
	watch_want(&hearer.watch, WATCH_READ);
	watch_close(&hearer.watch);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(pair[0], before[0]);
	hearer_init(&hearer, pair[0]);
	watch_want(&hearer.watch, WATCH_READ);
	assert_int_equal(write(pair[1], "x", 1), 1);
	run_for(1000);
	assert_int_equal(hearer.count, 1);
	watch_fini(&hearer.watch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_pair(test_each_want_is_heard_alone),
		test_with_pair(test_level_triggered),
		test_with_pair(test_hang_up),
		test_with_pair(test_fini_is_safe_twice_and_on_zero),
		test_with_pair(test_readd),
		test_with_pair(test_finished_in_its_turn_is_never_called),
		test_with_pair(test_unwanted_in_its_turn_is_not_called),
		test_with_pair(test_wants_change_inside_the_callback),
		test_with_pair(test_unwatchable_is_logged),
		test_with_pair(test_hangup_is_told_and_nothing_else),
		test_with_pair(test_closing_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
