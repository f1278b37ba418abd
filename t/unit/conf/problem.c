/* rooms: base conf */
#include "fixture.h"

static void
add(struct fixture *fixture, const char *file, uint32_t line, uint32_t column, const char *path, const char *sentence)
{
	conf_problems_add(&fixture->problems, false, (struct conf_place){ file, line, column }, path, "%s", sentence);
}

static void
test_a_line_for_each(void **state)
{
	struct fixture *fixture = fixture_of(state);

	add(fixture, "reeve.yaml", 12, 5, "upstreams.api.timeouts.conect", "unknown key");
	add(fixture, "reeve.yaml", 0, 0, "", "cannot be read");
	add(fixture, NULL, 0, 0, "listen", "is missing");
	conf_problems_add(&fixture->problems, true, (struct conf_place){ "reeve.yaml", 3, 1 }, "routes[2]",
	    "hidden by %s",
	    "routes[1]");
	conf_problems_format(&fixture->problems, &fixture->told);
	assert_string_equal(fixture->told.bytes, "reeve.yaml:12:5: upstreams.api.timeouts.conect: unknown key\n"
						 "reeve.yaml: cannot be read\n"
						 "listen: is missing\n"
						 "reeve.yaml:3:1: routes[2]: warning: hidden by routes[1]\n");
	assert_int_equal(fixture->problems.errors, 3);
	assert_int_equal(fixture->problems.warnings, 1);
}

static void
test_sorted_by_place(void **state)
{
	struct fixture *fixture = fixture_of(state);

	add(fixture, "b.yaml", 1, 1, "", "fourth");
	add(fixture, "a.yaml", 10, 1, "", "third");
	add(fixture, "a.yaml", 9, 20, "", "second");
	add(fixture, "a.yaml", 9, 3, "", "first");
	assert_told(fixture, "a.yaml:9:3: first\na.yaml:9:20: second\na.yaml:10:1: third\nb.yaml:1:1: fourth\n");
}

/* Two aliases of one mistake are one mistake; two missing keys of one map are two. */
static void
test_doubles(void **state)
{
	struct fixture *fixture = fixture_of(state);

	add(fixture, "a.yaml", 2, 2, "routes[0].body.max_size", "wrong");
	add(fixture, "a.yaml", 2, 2, "listen[0].tls", "required key is missing");
	add(fixture, "a.yaml", 2, 2, "routes[1].body.max_size", "wrong");
	add(fixture, "a.yaml", 2, 2, "listen[0].address", "required key is missing");
	add(fixture, "a.yaml", 2, 2, "routes[0].body.max_size", "wrong");
	assert_told(fixture, "a.yaml:2:2: routes[0].body.max_size: wrong\n"
			     "a.yaml:2:2: listen[0].tls: required key is missing\n"
			     "a.yaml:2:2: listen[0].address: required key is missing\n");
	assert_int_equal(fixture->problems.errors, 3);
}

static void
test_added_after_sorting(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_nothing_told(fixture);
	add(fixture, "a.yaml", 2, 1, "", "b");
	add(fixture, "a.yaml", 1, 1, "", "a");
	conf_problems_sort(&fixture->problems);
	add(fixture, "a.yaml", 3, 1, "", "c");
	assert_told(fixture, "a.yaml:1:1: a\na.yaml:2:1: b\na.yaml:3:1: c\n");
}

static void
test_outlives_the_names(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char file[] = "gone.yaml", path[] = "key";

	add(fixture, file, 1, 1, path, "wrong");
	memset(file, 'x', sizeof(file) - 1);
	memset(path, 'x', sizeof(path) - 1);
	assert_told(fixture, "gone.yaml:1:1: key: wrong\n");
}

static void
test_stays_one_line(void **state)
{
	struct fixture *fixture = fixture_of(state);

	add(fixture, "a.yaml", 1, 1, "a\nb", "got \"x\x1b[2J\"");
	assert_told(fixture, "a.yaml:1:1: a\\x0ab: got \"x\\x1b[2J\"\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_a_line_for_each),
		IN_FIXTURE(test_sorted_by_place),
		IN_FIXTURE(test_doubles),
		IN_FIXTURE(test_added_after_sorting),
		IN_FIXTURE(test_outlives_the_names),
		IN_FIXTURE(test_stays_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
