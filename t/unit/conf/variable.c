/* rooms: base conf */
#include "fixture.h"

static int
start(void **state)
{
	setenv("REEVE_T_REAL", "real", 1);
	for (char name[] = "REEVE_T_A"; name[8] <= 'Z'; name[8]++)
		unsetenv(name);
	return fixture_start(state);
}

#define WITH_VARIABLES(test) cmocka_unit_test_setup_teardown(test, start, fixture_end)

static void
test_lines(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_file("env", "# comment\n\nREEVE_T_A=plain\n  export REEVE_T_B = spaced out  # comment\n"
	    "export\tREEVE_T_C=\"q # \\n\\t\\\"\\$\\x\" # c\n"
			"REEVE_T_D='single \\n'\nREEVE_T_E=\nREEVE_T_F=a=b#c\r\nREEVE_T_G=#\nexported=1\n"
			"REEVE_T_A2=\"\"\n"
			"REEVE_T_H=no newline");
	load_file(fixture, "env_file: env\n");
	assert_nothing_told(fixture);
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_A"), "plain");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_B"), "spaced out");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_C"), "q # \n\t\"$\\x");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_D"), "single \\n");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_E"), "");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_F"), "a=b#c");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_G"), "");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_H"), "no newline");
	assert_string_equal(conf_environment(fixture->conf, "exported"), "1");
	assert_null(conf_environment(fixture->conf, "REEVE_T_Z"));
}

/* Also when the key stands last; the real environment wins, then the later line, then the earlier. */
static void
test_read_before_expanding(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root;

	put_file("conf/one", "REEVE_T_A=1\nREEVE_T_B=1\nREEVE_T_B=2\nREEVE_T_REAL=file\n");
	put_file("conf/two", "REEVE_T_A=3\n");
	setenv("REEVE_T_WHERE", "two", 1);
	put_file("conf/reeve.yaml", "a: ${REEVE_T_A}\nb: ${REEVE_T_B}\nc: ${REEVE_T_REAL}\n"
	    "env_file: [one, \"${REEVE_T_WHERE}\"]\n");
	fixture->conf = conf_load("conf/reeve.yaml", &fixture->problems);
	assert_nothing_told(fixture);
	root = conf_root(fixture->conf);
	assert_scalar(root, "a", "3");
	assert_scalar(root, "b", "2");
	assert_scalar(root, "c", "real");
	assert_scalar(root, "env_file/1", "two");
	assert_true(at(root, "a")->secret);
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_REAL"), "real");
}

static void
test_bad_lines(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_bytes("env", SPAN_OF("REEVE_T_A\n=x\nREEVE T=1\n1A=x\nREEVE_T_B=\"open\nREEVE_T_C='a'b\nREEVE_T_D=a\0b\n"
				 "REEVE_T_E=fine\n"));
	load_file(fixture, "a: ${REEVE_T_E}\nenv_file: env\n");
	assert_told(fixture, "env:1:1: env_file: expected NAME=VALUE\n"
			     "env:2:1: env_file: expected NAME=VALUE\n"
			     "env:3:1: env_file: expected NAME=VALUE\n"
			     "env:4:1: env_file: expected NAME=VALUE\n"
			     "env:5:1: env_file: the quote is not closed in this line\n"
			     "env:6:1: env_file: text after the closing quote\n"
			     "env:7:1: env_file: a NUL byte\n");
	assert_scalar(conf_root(fixture->conf), "a", "fine");
}

static void
test_bad_files(void **state)
{
	struct fixture *fixture = fixture_of(state);

	load_file(fixture, "env_file: [missing, {a: b}, ~, '']\n");
	assert_told(fixture, "reeve.yaml:1:12: env_file[0]: cannot open missing: No such file or directory\n"
			     "reeve.yaml:1:21: env_file[1]: expected a path, or a list of them\n"
			     "reeve.yaml:1:29: env_file[2]: expected a path, or a list of them\n"
			     "reeve.yaml:1:32: env_file[3]: expected a path, or a list of them\n");
	load_text(fixture, "env_file: env\n");
	assert_told(fixture, "reeve.yaml:1:11: env_file: there are no files beside a configuration in memory\n");
}

/* What was answered once stays the answer. */
static void
test_answers_are_kept(void **state)
{
	struct fixture *fixture = fixture_of(state);

	load_text(fixture, "");
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_REAL"), "real");
	setenv("REEVE_T_REAL", "changed", 1);
	assert_string_equal(conf_environment(fixture->conf, "REEVE_T_REAL"), "real");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_VARIABLES(test_lines),
		WITH_VARIABLES(test_read_before_expanding),
		WITH_VARIABLES(test_bad_lines),
		WITH_VARIABLES(test_bad_files),
		WITH_VARIABLES(test_answers_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
