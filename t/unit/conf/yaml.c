/* rooms: base conf */
#include "fixture.h"

#include "conf/loading.h"

static void
assert_refused(struct fixture *fixture, const char *yaml, const char *lines)
{
	assert_null(load_text(fixture, yaml));
	assert_told(fixture, lines);
}

/* There is a tree, and something wrong with it. */
static void
assert_wrong(struct fixture *fixture, const char *yaml, const char *lines)
{
	bool is_read = load_text(fixture, yaml) != NULL;

	assert_told(fixture, lines);
	assert_true(is_read);
}

static void
test_shapes(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state), "a: 1\nb: [x, 'y']\nc:\n  d: \"e\"\n  f: ~\ng:\n");

	assert_nothing_told(fixture_of(state));
	assert_int_equal(root->kind, CONF_MAP);
	assert_int_equal(root->count, 4);
	assert_scalar(root, "a", "1");
	assert_false(at(root, "a")->quoted);
	assert_int_equal(at(root, "b")->kind, CONF_LIST);
	assert_int_equal(at(root, "b")->count, 2);
	assert_scalar(root, "b/1", "y");
	assert_false(at(root, "b/0")->quoted);
	assert_true(at(root, "b/1")->quoted);
	assert_scalar(root, "c/d", "e");
	assert_int_equal(at(root, "c/f")->kind, CONF_NULL);
	assert_int_equal(at(root, "g")->kind, CONF_NULL);
	assert_ptr_equal(conf_get(root, "a"), root->first);
	assert_null(conf_get(root, "z"));
	assert_null(conf_get(at(root, "b"), "x"));
	assert_null(conf_get(NULL, "x"));
}

static void
assert_place(struct conf_place place, uint32_t line, uint32_t column)
{
	assert_string_equal(place.file, "reeve.yaml");
	assert_int_equal(place.line, line);
	assert_int_equal(place.column, column);
}

/* Columns count characters, not bytes. */
static void
test_places(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state), "\xef\xbb\xbf" "a: 1\nbäö: {ü: x, y: z}\n");

	assert_place(root->place, 1, 1);
	assert_place(at(root, "a")->place, 1, 4);
	assert_place(at(root, "bäö")->key_place, 2, 1);
	assert_place(at(root, "bäö")->place, 2, 6);
	assert_place(at(root, "bäö/y")->key_place, 2, 13);
	assert_place(at(root, "bäö/y")->place, 2, 16);
}

static void
test_nothing_is_an_empty_map(void **state)
{
	static const char *const empty[] = { "", "\n", "# only this\n", "---\n", "--- ~\n", "{}" };

	for (size_t i = 0; i < COUNT(empty); i++) {
		const struct conf_node *root = load_text(fixture_of(state), empty[i]);

		assert_nothing_told(fixture_of(state));
		assert_non_null(root);
		assert_int_equal(root->kind, CONF_MAP);
		assert_int_equal(root->count, 0);
		assert_int_equal(root->place.line, 1);
	}
}

static void
test_what_is_null(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state),
	    "a: null\nb: NULL\nc: Null\nd: 'null'\ne: \"\"\nf: nULL\ng: |\n  ~\nh: !!str\n");

	assert_int_equal(at(root, "a")->kind, CONF_NULL);
	assert_int_equal(at(root, "b")->kind, CONF_NULL);
	assert_int_equal(at(root, "c")->kind, CONF_NULL);
	assert_scalar(root, "d", "null");
	assert_scalar(root, "e", "");
	assert_scalar(root, "f", "nULL");
	assert_scalar(root, "g", "~\n");
	assert_scalar(root, "h", "");
}

static void
test_core_tags(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root = load_text(fixture,
	    "a: !!str 5\nb: !!int \"5\"\nc: !!seq [1]\nd: !!map {e: 1}\nf: ! 5\ng: !!null ''\nh: ! [1]\n");

	assert_nothing_told(fixture);
	assert_true(at(root, "a")->quoted);
	assert_false(at(root, "b")->quoted);
	assert_true(at(root, "f")->quoted);
	assert_int_equal(at(root, "g")->kind, CONF_NULL);
	assert_wrong(fixture, "a: !secret x\nb:\n  - !!binary aGk=\n  - !!seq {}\n  - !!str [a]\n",
	    "reeve.yaml:1:4: a: the tag !secret is not supported here\n"
	    "reeve.yaml:3:5: b[0]: the tag tag:yaml.org,2002:binary is not supported here\n"
	    "reeve.yaml:4:5: b[1]: the tag tag:yaml.org,2002:seq is not supported here\n"
	    "reeve.yaml:5:5: b[2]: the tag tag:yaml.org,2002:str is not supported here\n");
}

static void
test_not_yaml(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_refused(fixture, "a: [1, 2\nb: 3\n",
	    "reeve.yaml:2:2: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence from "
	    "line 1 on)\n");
	assert_refused(fixture, "a: b\n  c: d\n",
	    "reeve.yaml:2:4: not valid YAML: mapping values are not allowed in this context\n");
	assert_refused(fixture, "a: 'x\n",
	    "reeve.yaml:2:1: not valid YAML: found unexpected end of stream (while scanning a quoted scalar from line "
	    "1 on)\n");
	assert_refused(fixture, "a:\n\tc: d\n",
	    "reeve.yaml:2:1: not valid YAML: found character that cannot start any token (while scanning for the next "
	    "token "
	    "from line 2 on)\n");
}

static void
test_not_utf8(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_refused(fixture, "a: b\nü: \xff\n", "reeve.yaml:2:4: not valid YAML: invalid leading UTF-8 octet\n");
	assert_refused(fixture, "a: \x01\n", "reeve.yaml:1:4: not valid YAML: control characters are not allowed\n");
	assert_null(load_bytes(fixture, SPAN_OF("\xff\xfe" "a\0:\0 \0b\0")));
	assert_int_equal(fixture->problems.errors, 1);
}

static void
test_one_document(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_non_null(load_text(fixture, "---\na: 1\n...\n"));
	assert_nothing_told(fixture);
	assert_refused(fixture, "a: 1\n---\nb: 2\n",
	    "reeve.yaml:2:1: a second YAML document starts here: a file holds one\n");
}

static void
test_root_is_a_map(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_refused(fixture, "- a\n", "reeve.yaml:1:1: a configuration is a map of keys, not a list\n");
	assert_refused(fixture, "\nhello\n", "reeve.yaml:2:1: a configuration is a map of keys, not a text\n");
	assert_refused(fixture, "*a\n", "reeve.yaml:1:1: no anchor &a stands before this alias\n");
}

static void
test_duplicates(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_wrong(fixture, "a: 1\nb:\n  c: {x: 1, y: 2, 'x': 3}\na: 2\na: 3\n",
	    "reeve.yaml:3:19: b.c.x: duplicate key (first in line 3)\n"
	    "reeve.yaml:4:1: a: duplicate key (first in line 1)\n"
	    "reeve.yaml:5:1: a: duplicate key (first in line 1)\n");
	assert_int_equal(conf_root(fixture->conf)->count, 2);
	assert_scalar(conf_root(fixture->conf), "a", "1");
	assert_string_equal(conf_root(fixture->conf)->first->key.at, "a");
}

static void
test_keys_are_texts(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_wrong(fixture, "a:\n  ? [x]\n  : 1\n  ? {y: z}\n  : 2\n  ?\n  : 3\n  \"\": 4\n  b: 5\n",
	    "reeve.yaml:2:5: a: a key must be a text, not a list or a map\n"
	    "reeve.yaml:4:5: a: a key must be a text, not a list or a map\n"
	    "reeve.yaml:6:4: a: a key is empty\n"
	    "reeve.yaml:8:3: a: a key is empty\n");
	assert_int_equal(at(conf_root(fixture->conf), "a")->count, 1);
	assert_scalar(conf_root(fixture->conf), "a/b", "5");
}

static void
test_no_nul(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_wrong(fixture, "a: \"x\\0y\"\n\"k\\0\": 1\n", "reeve.yaml:1:4: a: a text cannot hold a NUL byte\n"
							  "reeve.yaml:2:1: a text cannot hold a NUL byte\n");
	assert_true(at(conf_root(fixture->conf), "a")->broken);
	assert_int_equal(conf_root(fixture->conf)->count, 1);
}

static void
test_aliases(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root = load_text(fixture,
	    "a: &a {x: 1, y: [2, 3]}\nb: *a\nc: [*a, &s text, *s]\n*s : d\ne: &a other\nf: *a\n");

	assert_nothing_told(fixture);
	assert_scalar(root, "b/x", "1");
	assert_scalar(root, "b/y/1", "3");
	assert_scalar(root, "c/0/y/0", "2");
	assert_scalar(root, "c/2", "text");
	assert_scalar(root, "text", "d");
	assert_scalar(root, "f", "other");
	assert_null(at(root, "c/0")->key.at);
	assert_place(at(root, "b/x")->place, 1, 11);
	assert_place(at(root, "b")->key_place, 2, 1);
	assert_int_equal(root->count, 6);
}

static void
test_bad_aliases(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_wrong(fixture, "a: *nowhere\nb: &b {c: [*b]}\n*x : 1\n",
	    "reeve.yaml:1:4: a: no anchor &nowhere stands before this alias\n"
	    "reeve.yaml:2:12: b.c[0]: the alias *b stands inside what it names\n"
	    "reeve.yaml:3:1: no anchor &x stands before this alias\n");
	assert_true(at(conf_root(fixture->conf), "a")->broken);
}

static void
test_merge_keys(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const struct conf_node *root = load_text(fixture,
	    "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\n"
	    "own: {b: 0, <<: *one}\nlist: {<<: [*two, *one], d: 4}\ninline: {<<: &in {x: 1, y: 2}, y: 3}\nagain: *in\n"
	    "text: {'<<': 5}\nboth: {<<: [{a: {z: 1}}, {a: 9}]}\n");

	assert_nothing_told(fixture);
	assert_scalar(root, "own/a", "1");
	assert_scalar(root, "own/b", "0");
	assert_int_equal(at(root, "own")->count, 2);
	assert_scalar(root, "list/b", "2");
	assert_scalar(root, "list/a", "1");
	assert_scalar(root, "list/d", "4");
	assert_string_equal(at(root, "list")->first->key.at, "d");
	assert_scalar(root, "inline/y", "3");
	assert_scalar(root, "again/y", "2");
	assert_int_equal(at(root, "again")->count, 2);
	assert_scalar(root, "text/<<", "5");
	assert_scalar(root, "both/a/z", "1");
	assert_wrong(fixture, "a: {<<: 5}\nb: {<<: [{x: 1}, y]}\nc: {<<: *z}\nd: {x: 1, <<: {x: 2}, x: 3}\n",
	    "reeve.yaml:1:9: a.<<: a merge key wants a map or a list of maps\n"
	    "reeve.yaml:2:18: b.<<: a merge key wants a map or a list of maps\n"
	    "reeve.yaml:3:9: c.<<: no anchor &z stands before this alias\n"
	    "reeve.yaml:4:23: d.x: duplicate key (first in line 4)\n");
}

/* "Billion laughs": ten levels of ten aliases each. */
static void
test_laughs_are_counted(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text yaml = { 0 };

	text_add_text(&yaml, "a0: &a0 ha\n");
	for (int i = 1; i < 10; i++) {
		text_format(&yaml, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			text_format(&yaml, "%s*a%d", j ? ", " : "", i - 1);
		text_add_text(&yaml, "]\n");
	}
	assert_null(load_text(fixture, yaml.bytes));
	assert_told(fixture, "reeve.yaml:6:45: the configuration has more than 100000 values (aliases counted)\n");
	text_fini(&yaml);
}

static void
test_depth(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text yaml = { 0 };

	text_add_text(&yaml, "a: ");
	for (int i = 0; i < 64; i++)
		text_add_byte(&yaml, '[');
	for (int i = 0; i < 64; i++)
		text_add_byte(&yaml, ']');
	assert_non_null(load_text(fixture, yaml.bytes));
	assert_nothing_told(fixture);
	text_clear(&yaml);
	text_add_text(&yaml, "a: ");
	for (int i = 0; i < 900; i++)
		text_add_byte(&yaml, '[');
	assert_refused(fixture, yaml.bytes, "reeve.yaml:1:68: nested deeper than 64 levels\n");
	text_fini(&yaml);
}

/* Each alias stands one level in, so forty of forty levels would be 1600. */
static void
test_depth_through_aliases(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text yaml = { 0 };

	text_add_text(&yaml, "a0: &a0 [x]\n");
	for (int i = 1; i < 40; i++)
		text_format(&yaml, "a%d: &a%d [[*a%d]]\n", i, i, i - 1);
	assert_null(load_text(fixture, yaml.bytes));
	assert_told(fixture, "reeve.yaml:33:13: nested deeper than 64 levels\n");
	text_fini(&yaml);
}

static void
test_many_anchors(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text yaml = { 0 };

	for (int i = 0; i < 1001; i++)
		text_format(&yaml, "k%d: &k%d v\n", i, i);
	assert_refused(fixture, yaml.bytes, "reeve.yaml:1001:8: more than 1000 anchors in one file\n");
	text_fini(&yaml);
}

/* Sorting finds doubles; comparing each with each would take minutes here. */
static void
test_many_keys(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text yaml = { 0 };

	for (int i = 0; i < 40000; i++)
		text_format(&yaml, "key%d: v\n", i);
	text_add_text(&yaml, "key17: v\n");
	assert_wrong(fixture, yaml.bytes, "reeve.yaml:40001:1: key17: duplicate key (first in line 18)\n");
	assert_int_equal(conf_root(fixture->conf)->count, 40000);
	text_fini(&yaml);
}

/* A path is for people: what would fill their terminal is left out. */
static void
test_long_paths(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text yaml = { 0 };

	for (int i = 0; i < 6; i++) {
		text_add_byte(&yaml, '{');
		for (int j = 0; j < 120; j++)
			text_add_byte(&yaml, (char)('a' + i));
		text_add_text(&yaml, ": ");
	}
	text_add_text(&yaml, "*x}}}}}}");
	assert_non_null(load_text(fixture, yaml.bytes));
	assert_int_equal(fixture->problems.errors, 1);
	assert_true(strlen(fixture->problems.first->path) < 700);
	assert_non_null(strstr(fixture->problems.first->path, "a.bbb"));
	text_fini(&yaml);
}

static void
test_large_files(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = memory_alloc(CONF_FILE_MAX + 1);

	memset(bytes, ' ', CONF_FILE_MAX + 1);
	assert_null(load_bytes(fixture, span_make(bytes, CONF_FILE_MAX + 1)));
	assert_told(fixture, "reeve.yaml is larger than 4194304 bytes\n");
	put_bytes("large.yaml", span_make(bytes, CONF_FILE_MAX + 1));
	fixture_forget(fixture);
	assert_null(conf_load("large.yaml", &fixture->problems));
	assert_told(fixture, "cannot read large.yaml: it is larger than 4194304 bytes\n");
	memory_free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_shapes),
		IN_FIXTURE(test_places),
		IN_FIXTURE(test_nothing_is_an_empty_map),
		IN_FIXTURE(test_what_is_null),
		IN_FIXTURE(test_core_tags),
		IN_FIXTURE(test_not_yaml),
		IN_FIXTURE(test_not_utf8),
		IN_FIXTURE(test_one_document),
		IN_FIXTURE(test_root_is_a_map),
		IN_FIXTURE(test_duplicates),
		IN_FIXTURE(test_keys_are_texts),
		IN_FIXTURE(test_no_nul),
		IN_FIXTURE(test_aliases),
		IN_FIXTURE(test_bad_aliases),
		IN_FIXTURE(test_merge_keys),
		IN_FIXTURE(test_laughs_are_counted),
		IN_FIXTURE(test_depth),
		IN_FIXTURE(test_depth_through_aliases),
		IN_FIXTURE(test_many_anchors),
		IN_FIXTURE(test_many_keys),
		IN_FIXTURE(test_long_paths),
		IN_FIXTURE(test_large_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
