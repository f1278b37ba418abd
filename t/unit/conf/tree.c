/* rooms: base conf */
#include "fixture.h"

static void
test_path_is_absolute(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char expected[128];

	load_file(fixture, "");
	snprintf(expected, sizeof(expected), "%s/reeve.yaml", fixture->directory);
	assert_string_equal(conf_path(fixture->conf), expected);
	conf_free(fixture->conf);
	fixture->conf = conf_load("./reeve.yaml", &fixture->problems);
	assert_string_equal(conf_path(fixture->conf), expected);
	conf_free(fixture->conf);
	fixture->conf = conf_load(expected, &fixture->problems);
	assert_string_equal(conf_path(fixture->conf), expected);
	assert_string_equal(conf_root(fixture->conf)->place.file, expected);
}

static void
test_files_are_kept(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char path[128];
	struct span first, second;
	struct err err;

	load_file(fixture, "");
	snprintf(path, sizeof(path), "%s/cert.pem", fixture->directory);
	put_bytes("cert.pem", SPAN_OF("one\0two"));
	assert_true(conf_file(fixture->conf, path, 100, &first, &err));
	assert_true(span_equal(first, SPAN_OF("one\0two")));
	assert_int_equal(first.at[first.len], '\0');
	put_file("cert.pem", "changed");
	assert_true(conf_file(fixture->conf, path, 100, &second, &err));
	assert_ptr_equal(first.at, second.at);
}

static void
test_files_that_fail(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct span contents;
	struct err err;

	load_file(fixture, "");
	put_file("five", "12345");
	assert_false(conf_file(fixture->conf, "missing", 100, &contents, &err));
	assert_string_equal(err.text, "cannot open missing: No such file or directory");
	assert_false(conf_file(fixture->conf, "five", 4, &contents, &err));
	assert_string_equal(err.text, "cannot read five: it is larger than 4 bytes");
	assert_true(conf_file(fixture->conf, "five", 5, &contents, &err));
	assert_false(conf_file(fixture->conf, "five", 4, &contents, &err));
	assert_string_equal(err.text, "cannot read five: it is larger than 4 bytes");
	assert_false(conf_file(fixture->conf, ".", 4, &contents, NULL));
}

static struct span
watched(struct fixture *fixture, const char *path)
{
	struct span contents = SPAN_OF("(none)");
	struct err err;

	assert_true(conf_file_watched(fixture->conf, path, 100, &contents, &err));
	return contents;
}

static void
test_watched_are_listed(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct span contents;
	struct err err;

	load_file(fixture, "");
	assert_null(conf_watched(fixture->conf, 0));
	put_file("cert", "1");
	put_file("key", "2");
	put_file("ca", "3");
	watched(fixture, "cert");
	watched(fixture, "key");
	watched(fixture, "cert");
	assert_true(conf_file(fixture->conf, "ca", 100, &contents, &err));
	assert_false(conf_file_watched(fixture->conf, "missing", 100, &contents, &err));
	assert_non_null(conf_watched(fixture->conf, 0));
	assert_non_null(conf_watched(fixture->conf, 1));
	assert_null(conf_watched(fixture->conf, 2));
	assert_span(conf_watched_contents(fixture->conf, strcmp(conf_watched(fixture->conf, 0), "cert") != 0), "1");
	assert_string_not_equal(conf_watched(fixture->conf, 0), conf_watched(fixture->conf, 1));
	assert_string_not_equal(conf_watched(fixture->conf, 0), "ca");
	assert_string_not_equal(conf_watched(fixture->conf, 1), "ca");
}

static void
test_watched_are_read_again(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct span contents;
	struct err err;

	load_file(fixture, "");
	put_file("cert", "old");
	put_file("ca", "old");
	watched(fixture, "cert");
	assert_true(conf_file(fixture->conf, "ca", 100, &contents, &err));
	put_file("cert", "new");
	put_file("ca", "new");
	assert_span(watched(fixture, "cert"), "old");
	conf_read_again(fixture->conf);
	assert_span(watched(fixture, "cert"), "new");
	assert_true(conf_file(fixture->conf, "ca", 100, &contents, &err));
	assert_span(contents, "old");
	assert_non_null(conf_watched(fixture->conf, 0));
	assert_null(conf_watched(fixture->conf, 1));
	put_file("cert", "newer");
	assert_span(watched(fixture, "cert"), "new");
}

/* What was kept is not given in its place. */
static void
test_read_again_and_failed(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct span contents;
	struct err err;

	load_file(fixture, "");
	put_file("cert", "old");
	watched(fixture, "cert");
	assert_int_equal(unlink("cert"), 0);
	conf_read_again(fixture->conf);
	assert_false(conf_file_watched(fixture->conf, "cert", 100, &contents, &err));
	assert_string_equal(err.text, "cannot open cert: No such file or directory");
	assert_string_equal(conf_watched(fixture->conf, 0), "cert");
	put_file("cert", "new");
	assert_span(watched(fixture, "cert"), "new");
}

static void
test_free_of_nothing(void **state)
{
	conf_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_path_is_absolute),
		IN_FIXTURE(test_files_are_kept),
		IN_FIXTURE(test_files_that_fail),
		IN_FIXTURE(test_watched_are_listed),
		IN_FIXTURE(test_watched_are_read_again),
		IN_FIXTURE(test_read_again_and_failed),
		IN_FIXTURE(test_free_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
