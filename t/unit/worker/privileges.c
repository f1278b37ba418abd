/* rooms: base loop conf ipc http net codec request store downstream route policy handler upstream site worker */
#include "worker/privileges.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct identity nobody = { .uid = 65534, .gid = 65534, .groups = { 65534, 100 }, .group_count = 2 };

static int
exit_code_of(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_stays(void **state)
{
	pid_t child = fork();

	if (child == 0) {
		uid_t before = geteuid();

		if (!privileges_drop(NULL, NULL) || geteuid() != before)
			_exit(1);
		_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2);
	}
	assert_int_equal(exit_code_of(child), 0);
}

static void
test_becomes(void **state)
{
	pid_t child;

	if (geteuid() != 0)
		return;	/* only root can; cmocka's skip() counts as a failure in TAP */
	child = fork();
	if (child == 0) {
		gid_t groups[8];

		if (!privileges_drop(&nobody, NULL))
			_exit(1);
		if (getuid() != 65534 || geteuid() != 65534 || getgid() != 65534 || getegid() != 65534)
			_exit(2);
		if (getgroups(8, groups) != 2 || setuid(0) == 0 || setgid(0) == 0)
			_exit(3);
		if (open("/proc/1/environ", O_RDONLY | O_CLOEXEC) >= 0)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(exit_code_of(child), 0);
}

/* Private keys are in a worker's memory. */
static void
test_lets_nobody_look_unless_cores_are_asked_for(void **state)
{
	static const rlim_t limits[] = { 0, 4096 };

	for (size_t i = 0; geteuid() == 0 && i < 2; i++) {
		pid_t child = fork();

		if (child == 0) {
			const struct rlimit core = { limits[i], limits[i] };

			if (setrlimit(RLIMIT_CORE, &core) != 0 || !privileges_drop(&nobody, NULL))
				_exit(1);
			_exit((prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1) == (limits[i] > 0) ? 0 : 5);
		}
		assert_int_equal(exit_code_of(child), 0);
	}
}

/* Who is not root cannot become anybody, and must not go on as if he had. */
static void
test_cannot(void **state)
{
	pid_t child = fork();

	if (child == 0) {
		struct err err = { "" };

		if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(1);
		if (privileges_drop(&(struct identity){ .uid = 1, .gid = 1 }, &err))
			_exit(2);
		_exit(strstr(err.text, "cannot take the groups") != NULL ? 0 : 3);
	}
	assert_int_equal(exit_code_of(child), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stays),
		cmocka_unit_test(test_becomes),
		cmocka_unit_test(test_lets_nobody_look_unless_cores_are_asked_for),
		cmocka_unit_test(test_cannot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
