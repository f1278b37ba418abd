/* rooms: base conf */
#include "fixture.h"

#include <fcntl.h>

static void
test_lists_go_behind(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root;

	put_file("conf.d/20.yaml", "routes: [{respond: twenty}]\nlisten: [{address: \":3\"}]\n");
	put_file("conf.d/10.yaml", "routes:\n  - respond: ten\n");
	put_file("conf.d/.hidden.yaml", "routes: [{respond: hidden}]\n");
	put_file("one.yaml", "routes: {respond: one}\n");
	root = load_file(fixture, "include: [one.yaml, 'conf.d/*.yaml', conf.d/10.yaml]\nroutes: {respond: main}\n"
	    "listen: \":1\"\n");
	assert_nothing_told(fixture);
	assert_int_equal(at(root, "routes")->count, 4);
	assert_scalar(root, "routes/0/respond", "main");
	assert_scalar(root, "routes/1/respond", "one");
	assert_scalar(root, "routes/2/respond", "ten");
	assert_scalar(root, "routes/3/respond", "twenty");
	assert_scalar(root, "listen/0", ":1");
	assert_scalar(root, "listen/1/address", ":3");
	assert_null(at(root, "include"));
	assert_int_equal(root->count, 2);
}

static void
test_maps_take_names_in(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root;

	put_file("a.yaml", "upstreams: {two: {servers: [b]}}\napps: {x: {command: [y]}}\nlimits: {uri_size: 1K}\n"
	    "stores:\n");
	root = load_file(fixture,
	    "upstreams: {one: {servers: [a]}}\napps:\nlimits: {header_size: 4K}\nstores: {memory: {size: 1M}}\n"
	    "include: a.yaml\n");
	assert_nothing_told(fixture);
	assert_int_equal(at(root, "upstreams")->count, 2);
	assert_scalar(root, "upstreams/one/servers/0", "a");
	assert_scalar(root, "upstreams/two/servers/0", "b");
	assert_scalar(root, "apps/x/command/0", "y");
	assert_scalar(root, "limits/header_size", "4K");
	assert_scalar(root, "limits/uri_size", "1K");
	assert_scalar(root, "stores/memory/size", "1M");
}

static void
test_nothing_is_said_twice(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_file("a.yaml", "workers: 2\nupstreams:\n  b: {}\n  api: {}\n  c: {}\ntrusted_proxies: [10.0.0.0/8]\n"
	    "user: [x]\n");
	load_file(fixture, "include: [a.yaml]\nworkers: 1\nupstreams:\n  api: {}\ntrusted_proxies: ['::1']\nuser: y\n");
	assert_told(fixture, "a.yaml:1:1: workers: defined twice: first at reeve.yaml:2:1\n"
			     "a.yaml:4:3: upstreams.api: defined twice: first at reeve.yaml:4:3\n"
			     "a.yaml:6:1: trusted_proxies: defined twice: first at reeve.yaml:5:1\n"
			     "a.yaml:7:1: user: defined twice: first at reeve.yaml:6:1\n");
	assert_scalar(conf_root(fixture->conf), "workers", "1");
	assert_int_equal(at(conf_root(fixture->conf), "upstreams")->count, 3);
	assert_non_null(at(conf_root(fixture->conf), "upstreams/c"));
}

/* As the user typed the main file, and the others beside it. */
static void
test_names_and_places(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root;

	put_file("etc/reeve.yaml", "include: [sub/a.yaml]\nx: 1\n");
	put_file("etc/sub/a.yaml", "include: ['./b*.yaml', ../c.yaml]\ny: 1\n");
	put_file("etc/sub/b.yaml", "z: ${file:secret}\n");
	put_file("etc/sub/secret", "s");
	put_file("etc/c.yaml", "w: 1\nx: 2\n");
	fixture->conf = conf_load("./etc/reeve.yaml", &fixture->problems);
	root = conf_root(fixture->conf);
	assert_told(fixture, "./etc/sub/../c.yaml:2:1: x: defined twice: first at ./etc/reeve.yaml:2:1\n");
	assert_string_equal(at(root, "x")->place.file, "./etc/reeve.yaml");
	assert_string_equal(at(root, "y")->place.file, "./etc/sub/a.yaml");
	assert_string_equal(at(root, "z")->place.file, "./etc/sub/./b.yaml");
	assert_string_equal(at(root, "w")->key_place.file, "./etc/sub/../c.yaml");
	assert_scalar(root, "z", "s");
}

static void
test_missing_files(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_file("dir/x", "");
	load_file(fixture, "include: ['none/*.yaml', '[a]?*.yaml', missing.yaml, dir, '', {a: b}]\nx: 1\n");
	assert_told(fixture, "reeve.yaml:1:40: include[2]: cannot open missing.yaml: No such file or directory\n"
			     "reeve.yaml:1:54: include[3]: cannot read dir: it is a directory\n"
			     "reeve.yaml:1:59: include[4]: expected a path or a glob\n"
			     "reeve.yaml:1:63: include[5]: expected a path or a glob\n");
	assert_scalar(conf_root(fixture->conf), "x", "1");
	fixture_forget(fixture);
	assert_null(conf_load("missing.yaml", &fixture->problems));
	assert_told(fixture, "cannot open missing.yaml: No such file or directory\n");
	load_text(fixture, "include: a.yaml\n");
	assert_told(fixture, "reeve.yaml:1:10: include: there are no files beside a configuration in memory\n");
}

/* One bad file hides no mistake of the others. */
static void
test_bad_files(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_file("a.yaml", "a: [1\n");
	put_file("b.yaml", "- b\n");
	put_file("c.yaml", "c: 1\nc: 2\nenv_file: x\n");
	put_file("d.yaml", "");
	put_file("e.yaml", "e: ${REEVE_T_UNSET}\n");
	load_file(fixture, "include: '?.yaml'\nm: 1\nm: 2\n");
	assert_told(fixture,
	    "a.yaml:2:1: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence from line 1 "
	    "on)\n"
	    "b.yaml:1:1: a configuration is a map of keys, not a list\n"
	    "c.yaml:2:1: c: duplicate key (first in line 1)\n"
	    "c.yaml:3:1: env_file: only the main file can name an env_file\n"
	    "e.yaml:1:4: e: the environment variable REEVE_T_UNSET is not set (${REEVE_T_UNSET:-default} gives it a "
	    "default)\n"
	    "reeve.yaml:3:1: m: duplicate key (first in line 2)\n");
	assert_scalar(conf_root(fixture->conf), "c", "1");
	assert_null(at(conf_root(fixture->conf), "env_file"));
}

static void
test_loops(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_file("a.yaml", "include: b.yaml\n");
	put_file("b.yaml", "include: [./a.yaml]\n");
	load_file(fixture, "include: [a.yaml, b.yaml]\n");
	assert_told(fixture, "b.yaml:1:11: include[0]: a file includes itself: a.yaml includes b.yaml includes "
	    "a.yaml\n");
	put_file("a.yaml", "");
	put_file("b.yaml", "");
	load_file(fixture, "include: ['*.yaml']\n");
	assert_told(fixture, "reeve.yaml:1:11: include[0]: a file includes itself: reeve.yaml includes reeve.yaml\n");
}

static void
test_depth(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char name[32], contents[64];

	for (int i = 1; i < 12; i++) {
		snprintf(name, sizeof(name), "%d.yaml", i);
		snprintf(contents, sizeof(contents), "k%d: 1\ninclude: %d.yaml\n", i, i + 1);
		put_file(name, contents);
	}
	load_file(fixture, "include: 1.yaml\n");
	assert_told(fixture, "8.yaml:2:10: include: files include each other deeper than 8 levels\n");
	assert_non_null(at(conf_root(fixture->conf), "k8"));
	assert_null(at(conf_root(fixture->conf), "k9"));
}

static void
test_variables_in_patterns(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_file("env", "REEVE_T_SITE=north\n");
	put_file("north.yaml", "a: ${REEVE_T_SITE}\n");
	unsetenv("REEVE_T_SITE");
	load_file(fixture, "include: \"${REEVE_T_SITE}.yaml\"\nenv_file: env\n");
	assert_nothing_told(fixture);
	assert_scalar(conf_root(fixture->conf), "a", "north");
}

/* The directory of the file is not part of the glob. */
static void
test_odd_directory(void **state)
{
	struct fixture *fixture = fixture_of(state);

	put_file("[a]*/reeve.yaml", "include: ['x*.yaml', y.yaml]\n");
	put_file("[a]*/x1.yaml", "x: 1\n");
	put_file("[a]*/y.yaml", "y: 1\n");
	fixture->conf = conf_load("[a]*/reeve.yaml", &fixture->problems);
	assert_nothing_told(fixture);
	assert_string_equal(at(conf_root(fixture->conf), "x")->place.file, "[a]*/x1.yaml");
	assert_non_null(at(conf_root(fixture->conf), "y"));
}

static void
test_many_files(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char name[32];

	for (int i = 0; i < 1024; i++) {
		snprintf(name, sizeof(name), "%04d.yml", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	load_file(fixture, "include: '*.yml'\n");
	assert_told(fixture, "reeve.yaml:1:10: include: more than 1024 files\n");
}

/* All files share one bound. */
static void
test_values_are_counted_together(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text yaml = { 0 };

	text_add_text(&yaml, "a: [");
	for (int i = 0; i < 60000; i++)
		text_add_text(&yaml, "1,");
	text_add_text(&yaml, "]\n");
	put_file("a.yaml", yaml.bytes);
	yaml.bytes[0] = 'b';
	put_file("b.yaml", yaml.bytes);
	text_fini(&yaml);
	load_file(fixture, "include: [a.yaml, b.yaml]\n");
	assert_int_equal(fixture->problems.errors, 1);
	assert_non_null(strstr(told(fixture), "more than 100000 values"));
	assert_non_null(at(conf_root(fixture->conf), "a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_lists_go_behind),
		IN_FIXTURE(test_maps_take_names_in),
		IN_FIXTURE(test_nothing_is_said_twice),
		IN_FIXTURE(test_names_and_places),
		IN_FIXTURE(test_missing_files),
		IN_FIXTURE(test_bad_files),
		IN_FIXTURE(test_loops),
		IN_FIXTURE(test_depth),
		IN_FIXTURE(test_variables_in_patterns),
		IN_FIXTURE(test_odd_directory),
		IN_FIXTURE(test_many_files),
		IN_FIXTURE(test_values_are_counted_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
