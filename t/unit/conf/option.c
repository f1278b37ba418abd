/* rooms: base conf */
#include "fixture.h"

#include "upstreams.h"

#include <signal.h>
#include <sys/wait.h>

static bool
read_root(struct fixture *fixture, struct root *root)
{
	struct option_reader reader;
	bool is_good;

	*root = (struct root){ 0 };
	option_reader_init(&reader, fixture->conf, &fixture->arena, &fixture->problems);
	is_good = option_read(&reader, &root_group, conf_root(fixture->conf), root);
	assert_string_equal(reader.path, "");
	assert_int_equal(reader.path_depth, 0);
	return is_good;
}

static struct root
read_good(struct fixture *fixture, const char *yaml)
{
	struct root root;

	assert_non_null(load_text(fixture, yaml));
	assert_true(read_root(fixture, &root));
	assert_nothing_told(fixture);
	return root;
}

static void
assert_bad(struct fixture *fixture, const char *yaml, const char *lines)
{
	struct root root;

	assert_non_null(load_text(fixture, yaml));
	assert_false(read_root(fixture, &root));
	assert_told(fixture, lines);
}

static void
test_defaults(void **state)
{
	struct root root = read_good(fixture_of(state), "upstreams: {api: {servers: a}}");
	const struct upstream *api = root.upstreams.items;

	assert_int_equal(root.upstreams.count, 1);
	assert_span(api->name, "api");
	assert_int_equal(api->timeouts.connect, 2000);
	assert_int_equal(api->timeouts.idle, 50000);
	assert_false(api->has_tls);
	assert_null(api->tls.ca.at);
	assert_int_equal(api->protocol, HTTP_1);
	assert_int_equal(api->retry_on.count, 2);
	assert_span(api->retry_on.items[0], "connect");
	assert_span(api->retry_on.items[1], "reset");
	assert_int_equal(api->attempts, 1);
	assert_span(root.greeting, "hello: {client_ip}");
	assert_null(root.state_dir.at);
	assert_false(root.compress_given);
}

static void
test_given(void **state)
{
	struct root root = read_good(fixture_of(state),
	    "compress: false\nupstreams:\n  api:\n    servers: [a, {url: b, weight: 3, backup: true}]\n"
	    "    timeouts: {idle: 1s}\n"
	    "    tls: {ca: /ca.pem}\n    retry-on: [idle]\n    attempts: 9\n    protocol: h2\n  other:\n"
	    "    servers: {url: c}\n"
	    "    timeouts:\n");
	const struct upstream *upstreams = root.upstreams.items;
	const struct server *servers = upstreams[0].servers.items;

	assert_int_equal(root.upstreams.count, 2);
	assert_int_equal(upstreams[0].servers.count, 2);
	assert_span(servers[0].url, "a");
	assert_int_equal(servers[0].weight, 1);
	assert_span(servers[1].url, "b");
	assert_int_equal(servers[1].weight, 3);
	assert_true(servers[1].backup);
	assert_int_equal(upstreams[0].timeouts.connect, 2000);
	assert_int_equal(upstreams[0].timeouts.idle, 1000);
	assert_true(upstreams[0].has_tls);
	assert_span(upstreams[0].tls.ca, "/ca.pem");
	assert_int_equal(upstreams[0].protocol, HTTP_2);
	assert_int_equal(upstreams[0].retry_on.count, 1);
	assert_int_equal(upstreams[0].attempts, 9);
	assert_span(upstreams[1].name, "other");
	assert_int_equal(upstreams[1].servers.count, 1);
	assert_int_equal(upstreams[1].timeouts.idle, 50000);
	assert_true(root.compress_given);
	assert_false(root.compress);
}

/* All of it in one run, each with its full path. */
static void
test_everything_wrong_at_once(void **state)
{
	assert_bad(fixture_of(state),
	    "upstream: {}\napps: {}\nupstreams:\n  legacy:\n    servers:\n      - url: a\n        wieght: 2\n"
	    "      - weight: 101\n"
	    "      -\n    timeouts: {conect: 1s, idle: 5}\n    slow_start: 1s\n    attempts: 11\n    retry_on: x\n"
	    "  empty:\n  text: x\nzzz: 1\nheaders: {A: [b]}\n",
	    "reeve.yaml:1:1: upstream: unknown key (did you mean \"upstreams\"?)\n"
	    "reeve.yaml:2:1: apps: not supported in this version\n"
	    "reeve.yaml:7:9: upstreams.legacy.servers[0].wieght: unknown key (did you mean \"weight\"?)\n"
	    "reeve.yaml:8:9: upstreams.legacy.servers[1].url: required key is missing\n"
	    "reeve.yaml:8:17: upstreams.legacy.servers[1].weight: out of range: at least 1, at most 100\n"
	    "reeve.yaml:9:8: upstreams.legacy.servers[2]: has no value\n"
	    "reeve.yaml:10:16: upstreams.legacy.timeouts.conect: unknown key (did you mean \"connect\"?)\n"
	    "reeve.yaml:10:34: upstreams.legacy.timeouts.idle: expected a duration such as 10s, got \"5\" (a bare "
	    "number has no "
	    "unit)\n"
	    "reeve.yaml:11:5: upstreams.legacy.slow_start: not supported in this version\n"
	    "reeve.yaml:12:15: upstreams.legacy.attempts: out of range: at most 10\n"
	    "reeve.yaml:13:5: upstreams.legacy.retry_on: unknown key (did you mean \"retry-on\"?)\n"
	    "reeve.yaml:14:3: upstreams.empty.servers: required key is missing\n"
	    "reeve.yaml:15:9: upstreams.text: expected a map of keys, got \"x\"\n"
	    "reeve.yaml:16:1: zzz: unknown key\n"
	    "reeve.yaml:17:14: headers.A: expected a text, got a list\n");
}

static void
test_groups_want_maps(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_bad(fixture, "upstreams: [a]", "reeve.yaml:1:12: upstreams: expected a map of names, got a list\n");
	assert_bad(fixture, "upstreams: x", "reeve.yaml:1:12: upstreams: expected a map of names, got \"x\"\n");
	assert_bad(fixture, "upstreams:", "reeve.yaml:1:1: upstreams: has no value\n");
	assert_bad(fixture, "upstreams: {a: {servers: [x], timeouts: 5s}}",
	    "reeve.yaml:1:41: upstreams.a.timeouts: expected a map of keys, got \"5s\"\n");
	assert_bad(fixture, "upstreams: {a: {servers: []}}",
	    "reeve.yaml:1:26: upstreams.a.servers: out of range: at least 1 (entries)\n");
	assert_bad(fixture, "upstreams: {a: {servers: }}", "reeve.yaml:1:17: upstreams.a.servers: has no value\n");
}

/* The short form keeps the group's path; a list is no url. */
static void
test_short_form(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_bad(fixture, "upstreams: {a: {servers: [[x]]}}",
	    "reeve.yaml:1:27: upstreams.a.servers[0]: expected a text, got a list\n");
}

static void
test_check_comes_last(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_bad(fixture, "upstreams: {a: {servers: x, tls: {ca: a, cert: b}}}",
	    "reeve.yaml:1:34: upstreams.a.tls: cert and key come together\n");
	assert_bad(fixture, "upstreams: {a: {servers: x, tls: {cert: b}}}",
	    "reeve.yaml:1:34: upstreams.a.tls.ca: required key is missing\n");
	assert_bad(fixture, "upstreams: {a: {servers: x, tls: }}",
	    "reeve.yaml:1:29: upstreams.a.tls.ca: required key is missing\n");
}

static void
test_aliases_tell_once(void **state)
{
	assert_bad(fixture_of(state),
	    "upstreams:\n  a: &a {servers: x, attempts: 11}\n  b: *a\n  c: {<<: *a, protocol: h3}\n",
	    "reeve.yaml:2:32: upstreams.a.attempts: out of range: at most 10\n"
	    "reeve.yaml:4:25: upstreams.c.protocol: expected one of http/1.1, h2; got \"h3\"\n");
}

static void
test_warnings(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct option_reader reader;

	load_text(fixture, "a: 1\n");
	option_reader_init(&reader, fixture->conf, &fixture->arena, &fixture->problems);
	option_enter(&reader, "routes");
	option_enter_index(&reader, 12);
	option_enter(&reader, "match");
	option_warning(&reader, at(conf_root(fixture->conf), "a"), "hidden by routes[%d]", 3);
	assert_false(option_problem(&reader, NULL, "nowhere"));
	option_leave(&reader);
	option_leave(&reader);
	option_warning(&reader, NULL, "late");
	option_leave(&reader);
	assert_told(fixture, "routes[12].match: nowhere\nroutes: warning: late\n"
			     "reeve.yaml:1:4: routes[12].match: warning: hidden by routes[3]\n");
	assert_int_equal(fixture->problems.errors, 1);
	assert_int_equal(fixture->problems.warnings, 2);
}

static void
test_at_a_key(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct option_reader reader;
	const struct conf_node *map;

	load_text(fixture, "tls:\n  cert: a\n");
	option_reader_init(&reader, fixture->conf, &fixture->arena, &fixture->problems);
	map = at(conf_root(fixture->conf), "tls");
	option_enter(&reader, "tls");
	assert_false(option_problem_at(&reader, map, "cert", "%s is none", "a"));
	assert_false(option_problem_at(&reader, map, "key", "missing"));
	option_warning_at(&reader, map, "cert", "ends soon");
	option_warning_at(&reader, NULL, "ca", "nowhere");
	option_leave(&reader);
	assert_told(fixture, "tls.ca: warning: nowhere\n"
			     "reeve.yaml:2:3: tls.key: missing\n"
			     "reeve.yaml:2:9: tls.cert: a is none\n"
			     "reeve.yaml:2:9: tls.cert: warning: ends soon\n");
}

/* A key of a kilobyte is cut, and leaving finds the way back. */
static void
test_long_paths(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct option_reader reader;
	char key[1024];

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	option_reader_init(&reader, NULL, &fixture->arena, &fixture->problems);
	option_enter(&reader, "a");
	option_enter(&reader, key);
	option_enter_index(&reader, 5);
	assert_int_equal(strlen(reader.path), sizeof(reader.path) - 1);
	option_leave(&reader);
	option_leave(&reader);
	assert_string_equal(reader.path, "a");
}

/* A table that refuses its own default or bound is a mistake of ours: the process ends, and says which row. */
static void
assert_aborts(const struct option *rows, const char *yaml, const char *sentence)
{
	const struct option_group group = { .name = "g", .rows = rows, .size = sizeof(uint64_t) };
	char said[256] = { 0 };
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		struct conf_problems problems;
		struct option_reader reader;
		struct arena arena;
		uint64_t field = 0;

		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		conf_problems_init(&problems);
		arena_init(&arena, 1024);
		option_reader_init(&reader, conf_load_bytes("x", span_text(yaml), &problems), &arena, &problems);
		option_read(&reader, &group, conf_root(reader.conf), &field);
		_exit(0);
	}
	close(ends[1]);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_string_equal(said, sentence);
}

static void
test_our_own_mistakes(void **state)
{
	static const struct option bad_default[] = {
		{ .key = "wait", .kind = OPTION_KIND_DURATION, .def = "10" }, OPTION_END
	};
	static const struct option bad_bound[] = {
		{ .key = "wait", .kind = OPTION_KIND_DURATION, .max = "10" }, OPTION_END
	};

	assert_aborts(bad_default, "{}", "option wait: its own default is refused: expected a duration such as 10s, "
					 "got \"10\" (a bare number has no unit)\n");
	assert_aborts(bad_bound, "wait: 1s", "option wait: its own bound \"10\" is none\n");
}

static void
test_broken_maps(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct option_reader reader;
	struct upstream upstream = { 0 };

	load_text(fixture, "a: !odd {}\nb: \n");
	assert_told(fixture, "reeve.yaml:1:4: a: the tag !odd is not supported here\n");
	option_reader_init(&reader, fixture->conf, &fixture->arena, &fixture->problems);
	assert_false(option_read(&reader, &upstream_group, at(conf_root(fixture->conf), "a"), &upstream));
	assert_int_equal(fixture->problems.errors, 1);
	assert_string_equal(option_shown(&reader, at(conf_root(fixture->conf), "b")), "nothing");
}

static void
test_default_only(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct option_reader reader;
	struct upstream upstream = { 0 };

	load_text(fixture, "");
	option_reader_init(&reader, fixture->conf, &fixture->arena, &fixture->problems);
	assert_true(option_read(&reader, &upstream_group, NULL, &upstream));
	assert_nothing_told(fixture);
	assert_int_equal(upstream.timeouts.idle, 50000);
}

/* What was read outlives the conf. */
static void
test_outlives_the_conf(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct root root = read_good(fixture, "upstreams: {api: {servers: abc}}\nheaders: {n: v}\n");

	conf_free(fixture->conf);
	fixture->conf = NULL;
	assert_span(((struct upstream *)root.upstreams.items)->name, "api");
	assert_span(((struct server *)((struct upstream *)root.upstreams.items)->servers.items)->url, "abc");
	assert_span(root.headers.items[0].name, "n");
	assert_span(root.headers.items[0].value, "v");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_defaults),
		IN_FIXTURE(test_given),
		IN_FIXTURE(test_everything_wrong_at_once),
		IN_FIXTURE(test_groups_want_maps),
		IN_FIXTURE(test_short_form),
		IN_FIXTURE(test_check_comes_last),
		IN_FIXTURE(test_aliases_tell_once),
		IN_FIXTURE(test_warnings),
		IN_FIXTURE(test_at_a_key),
		IN_FIXTURE(test_long_paths),
		IN_FIXTURE(test_our_own_mistakes),
		IN_FIXTURE(test_broken_maps),
		IN_FIXTURE(test_default_only),
		IN_FIXTURE(test_outlives_the_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
