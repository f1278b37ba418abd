/* rooms: base */
#include "base/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
test_nothing_is_ever_null(void **state)
{
	void *memory = memory_alloc(0);

	assert_non_null(memory);
	memory = memory_resize(memory, 100);
	memset(memory, 'x', 100);
	memory = memory_resize(memory, 0);
	assert_non_null(memory);
	memory_free(memory);
	memory_free(NULL);
}

static void
test_zalloc_zeroes(void **state)
{
	unsigned char *bytes = memory_zalloc(4096);

	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(bytes[i], 0);
	memory_free(bytes);
}

static void
test_copy_text(void **state)
{
	char *copy = memory_copy_text("reeve");

	assert_string_equal(copy, "reeve");
	memory_free(copy);
}

/* AddressSanitizer would end the process itself, before malloc could return NULL. */
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Nothing to give: one line on descriptor 2, then SIGABRT. */
static void
starve(int stderr_to)
{
	const struct rlimit no_core = { 0, 0 };
	volatile size_t too_much = SIZE_MAX / 4;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGABRT, SIG_DFL);
	dup2(stderr_to, STDERR_FILENO);
	memory_free(memory_alloc(too_much));
	_exit(0);
}

static void
test_failure_says_so_and_aborts(void **state)
{
	char said[16384] = "";
	size_t len = 0;
	int pipe_ends[2];
	int status;
	pid_t child;
	ssize_t count;

	assert_int_equal(pipe(pipe_ends), 0);
	child = fork();
	if (child == 0)
		starve(pipe_ends[1]);
	close(pipe_ends[1]);
	while ((count = read(pipe_ends[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)count;
	close(pipe_ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(said, "\"msg\":\"out of memory\"}\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_ever_null),
		cmocka_unit_test(test_zalloc_zeroes),
		cmocka_unit_test(test_copy_text),
		cmocka_unit_test(test_failure_says_so_and_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
