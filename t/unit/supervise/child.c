/* rooms: base ipc loop supervise */
#include "supervise/child.h"

#include "base/log.h"
#include "supervise/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum behaviour { SLEEPS, EXITS, CRASHES, IGNORES_TERM, IGNORES_ABORT, CANNOT_FORK };

/* One child and what its owner heard. */
struct parent {
	struct loop		*loop;
	struct family		*family;
	struct child		 child;
	enum behaviour		 behaviour;
	unsigned		 starts;
	unsigned		 ends;
	unsigned		 deaths;
	unsigned		 stop_after_ends;
	bool			 says_ready;
	bool			 stops_in_end;
	struct child_end	 end;
	struct timer		 limit;
};

static void
ignore(int number)
{
	signal(number, SIG_IGN);
}

static _Noreturn void
behave(enum behaviour behaviour)
{
	if (behaviour == EXITS)
		_exit(7);
	if (behaviour == CRASHES)
		raise(SIGKILL);
	if (behaviour == IGNORES_TERM)
		ignore(SIGTERM);
	if (behaviour == IGNORES_ABORT)
		ignore(SIGABRT);
	signal(SIGSEGV, SIG_DFL);
	for (;;)
		pause();
}

static pid_t
parent_start(void *owner, struct err *err)
{
	struct parent *parent = owner;
	pid_t pid;

	parent->starts++;
	if (parent->behaviour == CANNOT_FORK) {
		err_set(err, "no more processes");
		return -1;
	}
	pid = process_fork(err);
	if (pid == 0)
		behave(parent->behaviour);
	return pid;
}

static void
parent_end(void *owner, const struct child_end *end)
{
	struct parent *parent = owner;

	parent->end = *end;
	if (parent->stops_in_end)
		child_stop(&parent->child, 1000);
	if (++parent->ends >= parent->stop_after_ends)
		loop_stop(parent->loop);
}

static void
parent_dead(void *owner)
{
	struct parent *parent = owner;

	parent->deaths++;
	loop_stop(parent->loop);
}

static const struct child_kind kind = {
	.name = "test",
	.start_timeout_ms = 100,
	.abort_timeout_ms = 50,
	.backoff = { .initial_ms = 20, .max_ms = 100, .reset_after_ms = 10000 },
	.start = parent_start,
	.on_end = parent_end,
	.on_dead = parent_dead,
};

static const struct child_kind kind_once = {
	.name = "once",
	.starts_once = true,
	.start = parent_start,
	.on_end = parent_end,
	.on_dead = parent_dead,
};

static void
too_long(void *owner)
{
	loop_stop(((struct parent *)owner)->loop);
}

static void
parent_open(struct parent *parent, const struct child_kind *with, enum behaviour behaviour)
{
	*parent = (struct parent){ .loop = loop_create(NULL), .behaviour = behaviour, .stop_after_ends = 1 };
	parent->family = family_create(parent->loop);
	child_init(&parent->child, with, parent->loop, parent->family, parent);
	timer_init(&parent->limit, parent->loop, too_long, parent);
	child_start(&parent->child);
}

static void
parent_run(struct parent *parent, uint64_t ms)
{
	timer_arm(&parent->limit, ms);
	loop_run(parent->loop);
}

static void
parent_close(struct parent *parent)
{
	child_kill(&parent->child);
	if (child_is_alive(&parent->child))
		parent_run(parent, 2000);
	assert_int_equal(parent->child.state, CHILD_DEAD);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);	/* no zombie, no child */
	child_fini(&parent->child);
	child_fini(&parent->child);
	timer_fini(&parent->limit);
	family_free(parent->family);
	loop_free(parent->loop);
}

static void
test_comes_back(void **state)
{
	struct parent parent;
	pid_t first;

	parent_open(&parent, &kind, SLEEPS);
	assert_int_equal(parent.child.state, CHILD_STARTING);
	first = child_pid(&parent.child);
	child_ready(&parent.child);
	assert_int_equal(parent.child.state, CHILD_UP);
	kill(first, SIGKILL);
	parent_run(&parent, 2000);
	assert_int_equal(parent.ends, 1);
	assert_int_equal(parent.end.pid, first);
	assert_int_equal(parent.end.how.signal, SIGKILL);
	assert_int_equal(parent.end.how.exit_code, -1);
	assert_int_equal(parent.end.state, CHILD_UP);
	assert_int_equal(parent.end.restart_ms, 0);	/* at once */
	assert_false(parent.end.was_asked);
	parent_run(&parent, 20);
	assert_int_equal(parent.starts, 2);
	assert_int_equal(parent.child.restarts, 1);
	assert_true(child_pid(&parent.child) > 0 && child_pid(&parent.child) != first);
	parent_close(&parent);
}

/* It dies as soon as it starts: tried again and again, later and later. */
static void
test_backs_off(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, EXITS);
	parent.stop_after_ends = 4;
	parent_run(&parent, 3000);
	assert_int_equal(parent.ends, 4);
	assert_int_equal(parent.end.how.exit_code, 7);
	assert_int_equal(parent.end.how.signal, 0);
	assert_in_range(parent.end.restart_ms, 64, 96);
	assert_int_equal(parent.child.state, CHILD_WAITING);
	parent_close(&parent);
}

static void
test_never_ready(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, SLEEPS);
	parent_run(&parent, 2000);
	assert_int_equal(parent.end.how.signal, SIGKILL);
	assert_int_equal(parent.end.state, CHILD_KILLED);
	assert_in_range(parent.end.uptime_ms, 95, 1000);
	assert_int_equal(parent.child.state, CHILD_WAITING);
	parent_close(&parent);
}

static void
test_stop(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, SLEEPS);
	child_ready(&parent.child);
	child_stop(&parent.child, 2000);
	assert_int_equal(parent.child.state, CHILD_STOPPING);
	parent_run(&parent, 2000);
	assert_int_equal(parent.end.how.signal, SIGTERM);
	assert_true(parent.end.was_asked);
	assert_true(parent.end.restart_ms == UINT64_MAX);
	assert_int_equal(parent.deaths, 1);
	child_start(&parent.child);
	assert_int_equal(parent.child.state, CHILD_STARTING);
	parent_close(&parent);
}

static void
test_stop_takes_too_long(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, IGNORES_TERM);
	parent_run(&parent, 20);
	child_stop(&parent.child, 60000);
	parent_run(&parent, 50);
	assert_int_equal(parent.ends, 0);
	child_stop(&parent.child, 30);	/* sooner, please */
	parent_run(&parent, 2000);
	assert_int_equal(parent.end.how.signal, SIGKILL);
	assert_int_equal(parent.deaths, 1);
	parent_close(&parent);
}

static void
test_hung(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, IGNORES_ABORT);
	parent_run(&parent, 20);
	child_ready(&parent.child);
	child_hung(&parent.child);
	assert_int_equal(parent.child.state, CHILD_ABORTING);
	parent_run(&parent, 2000);
	assert_int_equal(parent.end.how.signal, SIGKILL);
	assert_int_equal(parent.child.state, CHILD_WAITING);
	parent_close(&parent);
}

static void
test_cannot_fork(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, CANNOT_FORK);
	assert_int_equal(parent.ends, 1);
	assert_int_equal(parent.end.restart_ms, 0);
	parent_run(&parent, 2000);	/* that end stopped the loop already */
	parent.stop_after_ends = 3;
	parent_run(&parent, 2000);
	assert_int_equal(parent.ends, 3);
	assert_int_equal(parent.end.pid, 0);
	parent.behaviour = SLEEPS;
	parent_run(&parent, 80);
	assert_int_equal(parent.child.state, CHILD_STARTING);
	parent_close(&parent);
}

/* What made it die is mended: no more waiting. */
static void
test_hurry(void **state)
{
	static const struct child_kind slow = {
		.name = "slow",
		.backoff = { .initial_ms = 60000, .max_ms = 60000, .reset_after_ms = 60000 },
		.start = parent_start,
		.on_end = parent_end,
		.on_dead = parent_dead,
	};
	struct parent parent;

	parent_open(&parent, &slow, EXITS);
	parent.stop_after_ends = 2;
	parent_run(&parent, 2000);
	assert_int_equal(parent.child.state, CHILD_WAITING);
	assert_true(parent.end.restart_ms > 40000);
	parent.behaviour = SLEEPS;
	child_hurry(&parent.child);
	parent_run(&parent, 50);
	assert_int_equal(parent.child.state, CHILD_STARTING);
	child_hurry(&parent.child);	/* nothing to hurry */
	assert_int_equal(parent.starts, 3);
	parent_close(&parent);
}

static void
test_once(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind_once, EXITS);
	parent_run(&parent, 2000);
	assert_int_equal(parent.child.state, CHILD_DEAD);
	assert_int_equal(parent.deaths, 1);
	assert_int_equal(parent.starts, 1);
	assert_true(parent.end.restart_ms == UINT64_MAX);
	parent_close(&parent);
}

/* The owner wants no other start, and says so while it is told of the end. */
static void
test_stop_inside(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, CRASHES);
	parent.stops_in_end = true;
	parent_run(&parent, 2000);
	parent_run(&parent, 50);
	assert_int_equal(parent.child.state, CHILD_DEAD);
	assert_int_equal(parent.starts, 1);
	assert_int_equal(parent.deaths, 1);
	parent_close(&parent);
}

/* Events that mean nothing in a state change nothing. */
static void
test_out_of_order(void **state)
{
	struct parent parent;

	parent_open(&parent, &kind, SLEEPS);
	child_ready(&parent.child);
	child_stop(&parent.child, 1000);
	child_ready(&parent.child);
	child_hung(&parent.child);
	assert_int_equal(parent.child.state, CHILD_STOPPING);
	parent_run(&parent, 2000);
	child_stop(&parent.child, 1000);
	child_hung(&parent.child);
	child_kill(&parent.child);
	assert_int_equal(parent.child.state, CHILD_DEAD);
	assert_int_equal(parent.deaths, 1);
	assert_string_equal(child_state_name(CHILD_DEAD), "DEAD");
	parent_close(&parent);
}

/* A process that nobody knows is reaped and disturbs nobody. */
static void
test_stranger(void **state)
{
	struct parent parent;
	pid_t stranger;

	parent_open(&parent, &kind, SLEEPS);
	child_ready(&parent.child);
	stranger = fork();
	if (stranger == 0)
		_exit(0);
	parent_run(&parent, 50);
	assert_int_equal(kill(stranger, 0), -1);
	assert_int_equal(parent.ends, 0);
	parent_close(&parent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_backs_off),
		cmocka_unit_test(test_never_ready),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_takes_too_long),
		cmocka_unit_test(test_hung),
		cmocka_unit_test(test_cannot_fork),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_stop_inside),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_stranger),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
