/* rooms: base loop conf ipc http net codec request store downstream route policy handler upstream site worker */
#include "worker/crash.h"

#include "base/text.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef __SANITIZE_ADDRESS__

/* How a child ends that reports to fd and then does what is wrong. */
static int
status_of_child(int fd, void (*mistake)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		crash_report_to(fd, "worker 7");
		mistake();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static volatile const char *volatile nowhere = (volatile const char *)16;

static void
read_nowhere(void)
{
	(void)*nowhere;
}

static volatile unsigned depth;

/* The stack is used up, so the report needs one of its own. */
static unsigned
call_forever(unsigned number)
{
	volatile char room[4096];

	room[0] = (char)number;
	depth = number;
	if (number == UINT32_MAX)
		return 0;
	return call_forever(number + 1) + (unsigned)room[0];
}

static void
use_up_the_stack(void)
{
	depth = call_forever(0);
}

static void
give_up(void)
{
	raise(SIGABRT);
}

static void
test_reports(void **state)
{
	static const struct {
		void		 (*mistake)(void);
		int		 signal;
		const char	*says;
	} rows[] = {
		{ read_nowhere, SIGSEGV, "worker 7 crashed: SIGSEGV" },
		{ read_nowhere, SIGSEGV, "address: 0x10\n" },
		{ use_up_the_stack, SIGSEGV, "backtrace:\n" },
		{ give_up, SIGABRT, "worker 7 crashed: SIGABRT" },
		{ give_up, SIGABRT, "sent by pid: " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = memfd_create("report", MFD_CLOEXEC);
		int status = status_of_child(fd, rows[i].mistake);
		char report[16384] = "";

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), rows[i].signal);
		assert_true(pread(fd, report, sizeof(report) - 1, 0) > 0);
		if (strstr(report, rows[i].says) == NULL)
			fail_msg("%s", report);
		close(fd);
	}
}

/* Nowhere to report to: the process ends all the same. */
static void
test_no_descriptor(void **state)
{
	assert_int_equal(WTERMSIG(status_of_child(-1, read_nowhere)), SIGSEGV);
}

#endif

/* A healthy process is not touched by it. */
static void
test_quiet(void **state)
{
	int fd = memfd_create("report", MFD_CLOEXEC);

	crash_report_to(fd, "test");
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_no_descriptor),
#endif
		cmocka_unit_test(test_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
