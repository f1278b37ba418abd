/* rooms: base ipc loop supervise */
#include "supervise/process.h"

#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int
exit_code_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
do_nothing(int number)
{
	(void)number;
}

static void
test_signals(void **state)
{
	sigset_t blocked, now;
	struct sigaction action;
	pid_t pid;

	signal(SIGUSR1, do_nothing);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	pid = process_fork(NULL);
	if (pid == 0) {
		bool is_clean = sigprocmask(SIG_SETMASK, NULL, &now) == 0 && !sigismember(&now, SIGHUP);

		is_clean = is_clean && sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
		is_clean = is_clean && sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
		_exit(is_clean ? 0 : 1);
	}
	assert_int_equal(exit_code_of(pid), 0);
	sigprocmask(SIG_SETMASK, NULL, &now);
	assert_true(sigismember(&now, SIGHUP) && !sigismember(&now, SIGTERM));	/* the parent's are as before */
	sigemptyset(&blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void
test_close_others(void **state)
{
	pid_t pid = process_fork(NULL);

	if (pid == 0) {
		int fds[20], keep[5];

		for (int i = 0; i < 20; i++)
			fds[i] = fcntl(0, F_DUPFD, 40 + 3 * i);
		keep[0] = fds[19];
		keep[1] = -1;
		keep[2] = fds[0];
		keep[3] = fds[0];
		keep[4] = fds[7];
		process_close_others(keep, 5);
		for (int i = 0; i < 20; i++) {
			if (is_open(fds[i]) != (i == 0 || i == 7 || i == 19))
				_exit(1);
		}
		if (!is_open(1) || !is_open(2))
			_exit(2);
		process_close_others(NULL, 0);
		_exit(is_open(fds[0]) ? 3 : 0);
	}
	assert_int_equal(exit_code_of(pid), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_close_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
