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
test_one_is_kept(void **state)
{
	struct fixture *fixture = fixture_of(state);
	size_t cert;

	load_file(fixture, "");
	put_file("cert", "old");
	put_file("key", "old");
	watched(fixture, "cert");
	watched(fixture, "key");
	put_file("cert", "new");
	put_file("key", "new");
	cert = strcmp(conf_watched(fixture->conf, 0), "cert") == 0 ? 0 : 1;
	conf_read_again(fixture->conf);
	conf_watched_keep(fixture->conf, cert);
	assert_span(watched(fixture, "cert"), "old");
	assert_span(watched(fixture, "key"), "new");
}

static size_t
group_of(struct fixture *fixture, const char *name)
{
	size_t groups[16];
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
	conf_watched_group(fixture->conf, groups);
	for (size_t i = 0; conf_watched(fixture->conf, i); i++) {
		if (strcmp(conf_watched(fixture->conf, i), path) == 0)
			return groups[i];
	}
	fail_msg("%s is not watched", path);
	return 0;
}

/* By their pairs; c2 and c3 share a key; ca and crl stand in one map, but the pairs below it not. */
static void
test_watched_groups(void **state)
{
	static const char *const names[] = { "c1", "k1", "c2", "c3", "k2", "ca", "crl", "sub/c4" };
	struct fixture *fixture = fixture_of(state);
	struct err err;

	put_file("sub/more.yaml", "routes: [{tls: {cert: c4, key: ../k1}}]\n");
	load_file(fixture,
	    "include: sub/more.yaml\n"
	    "listen:\n"
	    "- tls: {certificates: [{cert: c1, key: ./k1}, {cert: c2, key: k2}], client_ca: ca, client_crl: crl}\n"
	    "- tls: {certificates: [{cert: c3, key: k2}, {cert: c1, key: k1}]}\n");
	assert_nothing_told(fixture);
	for (size_t i = 0; i < COUNT(names); i++) {
		struct span contents;
		char path[128];

		put_file(names[i], names[i]);
		snprintf(path, sizeof(path), "%s/%s", fixture->directory, names[i]);
		assert_true(conf_file_watched(fixture->conf, path, 100, &contents, &err));
	}
	assert_int_equal(group_of(fixture, "c1"), group_of(fixture, "k1"));
	assert_int_equal(group_of(fixture, "c2"), group_of(fixture, "k2"));
	assert_int_equal(group_of(fixture, "c3"), group_of(fixture, "k2"));
	assert_int_equal(group_of(fixture, "ca"), group_of(fixture, "crl"));
	assert_int_not_equal(group_of(fixture, "c1"), group_of(fixture, "c2"));
	assert_int_not_equal(group_of(fixture, "c1"), group_of(fixture, "ca"));
	assert_int_not_equal(group_of(fixture, "c2"), group_of(fixture, "ca"));
	assert_int_not_equal(group_of(fixture, "sub/c4"), group_of(fixture, "c2"));
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
		IN_FIXTURE(test_one_is_kept),
		IN_FIXTURE(test_watched_groups),
		IN_FIXTURE(test_free_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
