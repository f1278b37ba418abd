/*
 * libevent's handlers write into a socket that parent and child share: a signal that reached the child before its
 * handlers are gone would be heard by the parent. So all are blocked around fork(2).
 */
#include "supervise/process.h"

#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool
is_fault(int number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL || number == SIGABRT;
}

/* Real-time signals below SIGRTMIN are the C library's; the kernel refuses SIGKILL and SIGSTOP. */
static void
signals_to_default(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	for (int number = 1; number <= SIGRTMAX; number++) {
		if (is_fault(number) || (number > SIGSYS && number < SIGRTMIN))
			continue;
		(void)sigaction(number, &action, NULL);
	}
}

pid_t
process_fork(struct err *err)
{
	sigset_t all, before, none;
	pid_t pid;

	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		signals_to_default();
		sigprocmask(SIG_SETMASK, &none, NULL);
		return 0;
	}
	if (pid < 0)
		err_set_errno(err, "cannot fork");
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static int
by_number(const void *a, const void *b)
{
	const int *left = a;
	const int *right = b;

	return (*left > *right) - (*left < *right);
}

/* A kernel without close_range(2) is older than those we support; descriptors then stay open, which is only untidy. */
static void
close_between(unsigned from, unsigned to)
{
	if (from <= to)
		(void)syscall(SYS_close_range, from, to, 0);
}

void
process_close_others(int *keep, size_t count)
{
	unsigned next = STDERR_FILENO + 1;

	if (count > 1)
		qsort(keep, count, sizeof(*keep), by_number);
	for (size_t i = 0; i < count; i++) {
		if (keep[i] < (int)next)
			continue;
		close_between(next, (unsigned)keep[i] - 1);
		next = (unsigned)keep[i] + 1;
	}
	close_between(next, UINT_MAX);
}
