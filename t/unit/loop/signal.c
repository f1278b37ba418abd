/* rooms: base loop */
#include "loop/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *loop;
static int heard[2];

static void
hear(void *owner, int signal_number)
{
	heard[signal_number == SIGUSR2]++;
	assert_ptr_equal(owner, heard);
	loop_stop(loop);
}

static void
test_signals_are_heard_in_the_loop(void **state)
{
	struct loop_signal *one, *two;

	loop = loop_create(NULL);
	one = loop_signal_create(loop, SIGUSR1, hear, heard);
	two = loop_signal_create(loop, SIGUSR2, hear, heard);
	raise(SIGUSR1);
	assert_int_equal(heard[0], 0);	/* not from the handler */
	loop_run(loop);
	assert_int_equal(heard[0], 1);
	raise(SIGUSR2);
	loop_run(loop);
	assert_int_equal(heard[1], 1);
	raise(SIGUSR1);	/* again, and again */
	loop_run(loop);
	assert_int_equal(heard[0], 2);
	assert_int_equal(loop_turns(loop), 3);
	loop_signal_free(one);
	loop_signal_free(two);
	loop_signal_free(NULL);
	loop_free(loop);
}

static struct loop_signal *once;

static void
hear_once(void *owner, int signal_number)
{
	heard[0]++;
	loop_signal_free(once);
	loop_stop(loop);
}

static void
test_freed_in_its_own_callback(void **state)
{
	struct sigaction action;

	heard[0] = 0;
	loop = loop_create(NULL);
	once = loop_signal_create(loop, SIGUSR1, hear_once, NULL);
	raise(SIGUSR1);
	loop_run(loop);
	assert_int_equal(heard[0], 1);
	assert_int_equal(sigaction(SIGUSR1, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_DFL);
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals_are_heard_in_the_loop),
		cmocka_unit_test(test_freed_in_its_own_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
