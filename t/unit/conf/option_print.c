/* rooms: base conf */
#include "fixture.h"

#include "upstreams.h"

static struct text
printed(struct fixture *fixture)
{
	struct text to = { 0 };
	struct root root = { 0 };
	struct option_reader reader;

	option_reader_init(&reader, fixture->conf, &fixture->arena, &fixture->problems);
	assert_true(option_read(&reader, &root_group, conf_root(fixture->conf), &root));
	assert_nothing_told(fixture);
	option_print(&root_group, conf_root(fixture->conf), 0, &to);
	return to;
}

static void
assert_prints(struct fixture *fixture, const char *yaml, const char *expected)
{
	struct text once, again;

	assert_non_null(load_text(fixture, yaml));
	once = printed(fixture);
	assert_string_equal(once.bytes, expected);
	assert_non_null(load_bytes(fixture, text_span(&once)));
	again = printed(fixture);
	assert_int_equal(fixture->problems.errors, 0);
	text_fini(&once);
	text_fini(&again);
}

static void
test_defaults_are_marked(void **state)
{
	assert_prints(fixture_of(state), "", "greeting: \"hello: {client_ip}\"  # default\n");
	assert_prints(fixture_of(state), "greeting: hello\ncompress: yes\n", "greeting: hello\ncompress: yes\n");
}

static void
test_nesting(void **state)
{
	assert_prints(fixture_of(state),
	    "upstreams:\n  api:\n    servers: ['http://a', {url: b, weight: 2}]\n    timeouts: {idle: 1s}\n"
	    "    retry-on: [x, '5']\n"
	    "  other: {servers: 'c', tls: {ca: /a}, timeouts: }\n",
	    "upstreams:\n"
	    "  api:\n"
	    "    servers:\n"
	    "      - url: \"http://a\"\n"
	    "        weight: 1  # default\n"
	    "        backup: false  # default\n"
	    "      - url: b\n"
	    "        weight: 2\n"
	    "        backup: false  # default\n"
	    "    timeouts:\n"
	    "      connect: 2s  # default\n"
	    "      idle: 1s\n"
	    "    protocol: http/1.1  # default\n"
	    "    retry-on:\n"
	    "      - x\n"
	    "      - \"5\"\n"
	    "    attempts: 1  # default\n"
	    "  other:\n"
	    "    servers:\n"
	    "      - url: \"c\"\n"
	    "        weight: 1  # default\n"
	    "        backup: false  # default\n"
	    "    timeouts:\n"
	    "      connect: 2s  # default\n"
	    "      idle: 50s  # default\n"
	    "    tls:\n"
	    "      ca: /a\n"
	    "    protocol: http/1.1  # default\n"
	    "    retry-on: [connect, reset]  # default\n"
	    "    attempts: 1  # default\n"
	    "greeting: \"hello: {client_ip}\"  # default\n");
}

/* A group that was not given is shown where that changes nothing: not where a key of it is required or its presence
 * counts, and not when there is nothing to show. */
static void
test_absent_groups(void **state)
{
	assert_prints(fixture_of(state), "upstreams: {a: {servers: x}}\ngreeting: x\n",
	    "upstreams:\n"
	    "  a:\n"
	    "    servers:\n"
	    "      - url: x\n"
	    "        weight: 1  # default\n"
	    "        backup: false  # default\n"
	    "    timeouts:\n"
	    "      connect: 2s  # default\n"
	    "      idle: 50s  # default\n"
	    "    protocol: http/1.1  # default\n"
	    "    retry-on: [connect, reset]  # default\n"
	    "    attempts: 1  # default\n"
	    "greeting: x\n");
}

struct quiet {
	struct span	note;
};

struct holder {
	struct quiet		quiet;
	struct tls		tls;
	struct conf_records	list;
};

static void
test_nothing_to_show(void **state)
{
	static const struct option quiet_rows[] = { OPTION_TEXT(struct quiet, note), OPTION_END };
	static const struct option_group quiet = { .name = "q", .rows = quiet_rows, .size = sizeof(struct quiet) };
	static const struct option	 rows[] = {
		      OPTION_GROUP(struct holder, quiet, .group = &quiet),
		      OPTION_GROUP(struct holder, tls, .group = &tls_group),
		      OPTION_RECORDS(struct holder, list, .group = &quiet),
		      OPTION_END
	};
	static const struct option_group group = { .name = "h", .rows = rows, .size = sizeof(struct holder) };
	struct fixture *fixture = fixture_of(state);
	struct text to = { 0 };

	text_add_text(&to, "");
	load_text(fixture, "");
	option_print(&group, conf_root(fixture->conf), 0, &to);
	assert_string_equal(to.bytes, "");
	load_text(fixture, "quiet: {}\nlist: [{}, {note: x}]\n");
	option_print(&group, conf_root(fixture->conf), 2, &to);
	assert_string_equal(to.bytes, "  quiet: {}\n  list:\n    - {}\n    - note: x\n");
	text_clear(&to);
	load_text(fixture, "list: []\n");
	option_print(&group, conf_root(fixture->conf), 0, &to);
	assert_string_equal(to.bytes, "list: []\n");
	text_fini(&to);
}

static void
test_empty_ones(void **state)
{
	assert_prints(fixture_of(state), "upstreams: {}\nheaders: {}\ngreeting: ''\n",
	    "upstreams: {}\nheaders: {}\ngreeting: \"\"\n");
}

static void
test_secrets(void **state)
{
	struct fixture *fixture = fixture_of(state);

	setenv("REEVE_T_SECRET", "hunter2", 1);
	assert_prints(fixture, "greeting: a${REEVE_T_SECRET}\n"
	    "headers: {X: \"${REEVE_T_SECRET}\", Y: \"${REEVE_T_UNSET:-d}\"}\n",
	    "headers:\n  X: \"******\"\n  Y: \"d\"\ngreeting: \"******\"\n");
}

static void
test_paths_are_absolute(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char expected[256];

	snprintf(expected, sizeof(expected), "greeting: x\nstate_dir: %s/state\n", fixture->directory);
	assert_prints(fixture, "state_dir: ./state\ngreeting: x\n", expected);
}

/* Whatever a text holds, it is the same text after another round. */
static void
test_texts_come_back(void **state)
{
	static const struct span texts[] = {
		SPAN(""), SPAN(" "), SPAN("~"), SPAN("null"), SPAN("a: b"), SPAN("a #b"), SPAN("#"),
		SPAN("- a"), SPAN("-"), SPAN("-5"), SPAN("--"), SPAN("---"), SPAN("..."), SPAN("a:"),
		SPAN(":a"), SPAN("%a"), SPAN("[a"), SPAN("{a}"), SPAN("*a"), SPAN("&a"), SPAN("!a"),
		SPAN("|"), SPAN(">"), SPAN("@"), SPAN("`"), SPAN("'"), SPAN("\""), SPAN("\\"), SPAN("a\nb"),
		SPAN("\n"), SPAN("a\r\n"), SPAN("\t"), SPAN("\x01\x1f\x7f"), SPAN("ü€😀"), SPAN("\xc2\x85"),
		SPAN("\xc2\x9f"), SPAN("\xe2\x80\xa8"), SPAN("\xef\xbb\xbf"), SPAN("\xef\xbf\xbe"),
		SPAN("${X}"), SPAN("$${X}"), SPAN("$$${"), SPAN("$"), SPAN("5"), SPAN("true"), SPAN("<<"),
		SPAN("a,b"), SPAN("http://a"), SPAN("10:30"), SPAN("="), SPAN("?"),
	};
	struct fixture *fixture = fixture_of(state);

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct conf_node node = { .kind = CONF_SCALAR, .quoted = true, .text = texts[i],
		    .key = SPAN("greeting") };
		struct conf_node root = { .kind = CONF_MAP, .first = &node, .count = 1 };
		struct text to = { 0 };

		option_print(&root_group, &root, 0, &to);
		assert_non_null(load_bytes(fixture, text_span(&to)));
		assert_nothing_told(fixture);
		assert_true(span_equal(at(conf_root(fixture->conf), "greeting")->text, texts[i]));
		text_clear(&to);
		node.quoted = false;
		option_print(&root_group, &root, 0, &to);
		assert_non_null(load_bytes(fixture, text_span(&to)));
		assert_nothing_told(fixture);
		assert_true(span_equal(at(conf_root(fixture->conf), "greeting")->text, texts[i]));
		text_fini(&to);
	}
}

static void
test_keys_come_back(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *headers;
	struct text to;

	load_text(fixture, "headers: {'a: b': 1, '<<': 2, '${X}': 3, '~': 4, 'null': 5, 'x y': 6, \"\\n\": 7, '-1': "
	    "8, X-A: 9}\n");
	to = printed(fixture);
	assert_non_null(load_bytes(fixture, text_span(&to)));
	headers = at(conf_root(fixture->conf), "headers");
	assert_int_equal(headers->count, 9);
	assert_scalar(headers, "a: b", "1");
	assert_scalar(headers, "<<", "2");
	assert_scalar(headers, "${X}", "3");
	assert_scalar(headers, "~", "4");
	assert_scalar(headers, "null", "5");
	assert_scalar(headers, "x y", "6");
	assert_scalar(headers, "\n", "7");
	assert_scalar(headers, "-1", "8");
	assert_scalar(headers, "X-A", "9");
	text_fini(&to);
}

static bool
anything(struct option_reader *reader, const struct conf_node *node, void *field)
{
	return true;
}

struct custom {
	struct span	value;
};

/* A custom value is printed as it stands in the tree, however deep. */
static void
test_trees(void **state)
{
	static const struct option rows[] = { OPTION_CUSTOM(struct custom, value, .parse = anything),
	    OPTION_END };
	static const struct option_group group = { .name = "custom", .rows = rows, .size = sizeof(struct custom) };
	struct fixture *fixture = fixture_of(state);
	struct text to = { 0 };

	load_text(fixture, "value:\n  - [a, [], {}, ~, [b, [c]]]\n  - {x: {y: [1, {z: 2, w: }]}, v: []}\n  - - - d\n");
	option_print(&group, conf_root(fixture->conf), 0, &to);
	assert_string_equal(to.bytes, "value:\n"
				      "  - - a\n"
				      "    - []\n"
				      "    - {}\n"
				      "    - null\n"
				      "    - - b\n"
				      "      - - c\n"
				      "  - x:\n"
				      "      y:\n"
				      "        - 1\n"
				      "        - z: 2\n"
				      "          w: null\n"
				      "    v: []\n"
				      "  - - - d\n");
	assert_non_null(load_bytes(fixture, text_span(&to)));
	assert_scalar(conf_root(fixture->conf), "value/0/4/1/0", "c");
	assert_scalar(conf_root(fixture->conf), "value/1/x/y/1/z", "2");
	text_fini(&to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_defaults_are_marked),
		IN_FIXTURE(test_nesting),
		IN_FIXTURE(test_absent_groups),
		IN_FIXTURE(test_nothing_to_show),
		IN_FIXTURE(test_empty_ones),
		IN_FIXTURE(test_secrets),
		IN_FIXTURE(test_paths_are_absolute),
		IN_FIXTURE(test_texts_come_back),
		IN_FIXTURE(test_keys_come_back),
		IN_FIXTURE(test_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
