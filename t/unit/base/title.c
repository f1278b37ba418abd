/* rooms: base */
#include "base/title.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int count;
static char **arguments;
static size_t room;	/* bytes of arguments and environment at the start */

static void
assert_title(const char *expected)
{
	char shown[4096] = "";
	FILE *file = fopen("/proc/self/cmdline", "r");
	size_t len = fread(shown, 1, sizeof(shown) - 1, file);

	fclose(file);
	assert_true(len > 0);
	assert_string_equal(shown, expected);
}

static void
test_title(void **state)
{
	char long_title[9000];
	char cut[4097];
	char home[256];

	title_set("ignored before title_init");
	snprintf(home, sizeof(home), "%s", getenv("REEVE_TITLE_TEST"));
	title_init(count, arguments);
	title_set("reeve: worker %d", 3);
	assert_title("reeve: worker 3");
	assert_string_equal(arguments[1], "one");
	assert_null(arguments[count]);
	assert_string_equal(getenv("REEVE_TITLE_TEST"), home);
	assert_int_equal(setenv("REEVE_TITLE_OTHER", "added", 1), 0);
	title_init(count, arguments);	/* a second time does nothing */
	memset(long_title, 'x', sizeof(long_title) - 1);
	long_title[sizeof(long_title) - 1] = '\0';
	title_set("%s", long_title);
	memset(cut, 'x', sizeof(cut) - 1);
	cut[room - 2] = '\0';
	assert_title(cut);
	title_set("short");
	assert_title("short");
	assert_string_equal(getenv("REEVE_TITLE_TEST"), home);
	assert_string_equal(getenv("REEVE_TITLE_OTHER"), "added");
}

/* Runs itself again with a known environment, since a title's room is what the process was started with. */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_title),
	};
	char *again[] = { argv[0], "one", "two", NULL };
	char *environment[] = { "REEVE_TITLE_TEST=kept", "CMOCKA_MESSAGE_OUTPUT=TAP", NULL };

	if (argc == 1)
		return execve("/proc/self/exe", again, environment);
	room = strlen(argv[0]) + 1 + 4 + 4 + strlen(environment[0]) + 1 + strlen(environment[1]) + 1;
	count = argc;
	arguments = argv;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
