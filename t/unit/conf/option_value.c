/* rooms: base conf */
#include "fixture.h"

enum balance { ROUND_ROBIN, LEAST_REQUESTS, RANDOM_TWO, HASH };

struct everything {
	bool			flag;
	uint64_t		number;
	uint64_t		free_number;
	uint64_t		duration;
	uint64_t		size;
	uint64_t		percent;
	struct span		text;
	struct span		short_text;
	struct span		path;
	enum balance		balance;
	struct conf_texts	texts;
	struct conf_pairs	pairs;
	uint64_t		custom;
};

static const struct option_word balances[] = {
	{ "round_robin", ROUND_ROBIN },
	{ "least_requests", LEAST_REQUESTS },
	{ "random_two", RANDOM_TWO },
	{ "hash", HASH },
	{ 0 },
};

/* A number, or `auto`. */
static bool
custom_parse(struct option_reader *reader, const struct conf_node *node, void *field)
{
	static const struct option number = { .key = "custom", .kind = OPTION_KIND_NUMBER, .min = "1", .max = "9" };
	uint64_t *to = field;

	if (node->kind == CONF_SCALAR && span_is(node->text, "auto")) {
		*to = 1000;
		return true;
	}
	if (node->kind == CONF_LIST) {
		*to = node->count;
		return true;
	}
	return option_read_value(reader, &number, node, field);
}

static const struct option rows[] = {
	OPTION_FLAG(struct everything, flag),
	OPTION_NUMBER(struct everything, number, .min = "1", .max = "1024"),
	OPTION_NUMBER(struct everything, free_number),
	OPTION_DURATION(struct everything, duration, .min = "10ms"),
	OPTION_SIZE(struct everything, size, .max = "1M"),
	OPTION_PERCENT(struct everything, percent),
	OPTION_TEXT(struct everything, text),
	OPTION_TEXT(struct everything, short_text, .min = "1", .max = "3"),
	OPTION_PATH(struct everything, path),
	OPTION_CHOICE(struct everything, balance, .words = balances),
	OPTION_TEXTS(struct everything, texts, .min = "1", .max = "3"),
	OPTION_PAIRS(struct everything, pairs, .max = "2"),
	OPTION_CUSTOM(struct everything, custom, .parse = custom_parse, .type = "1 to 9 or `auto`"),
	OPTION_END
};
static const struct option_group group = { .name = "everything", .rows = rows, .size = sizeof(struct everything) };

static bool
read_root(struct fixture *fixture, struct everything *to)
{
	struct option_reader reader;

	*to = (struct everything){ 0 };
	option_reader_init(&reader, fixture->conf, &fixture->arena, &fixture->problems);
	return option_read(&reader, &group, conf_root(fixture->conf), to);
}

static struct everything
read_good(struct fixture *fixture, const char *yaml)
{
	struct everything everything;

	assert_non_null(load_text(fixture, yaml));
	assert_true(read_root(fixture, &everything));
	assert_nothing_told(fixture);
	return everything;
}

static void
assert_bad(struct fixture *fixture, const char *yaml, const char *lines)
{
	struct everything everything;

	assert_non_null(load_text(fixture, yaml));
	assert_false(read_root(fixture, &everything));
	assert_told(fixture, lines);
}

static void
test_flags(void **state)
{
	struct fixture *fixture = fixture_of(state);
	static const char *const yes[] = { "flag: true", "flag: yes", "flag: on", "flag: True", "flag: ON" };
	static const char *const no[] = { "flag: false", "flag: no", "flag: off", "{}" };

	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(read_good(fixture, yes[i]).flag);
	for (size_t i = 0; i < COUNT(no); i++)
		assert_false(read_good(fixture, no[i]).flag);
	assert_bad(fixture, "flag: maybe", "reeve.yaml:1:7: flag: expected true or false, got \"maybe\"\n");
	assert_bad(fixture, "flag: 'true'", "reeve.yaml:1:7: flag: expected true or false, got the text \"true\"\n");
	assert_bad(fixture, "flag: 1", "reeve.yaml:1:7: flag: expected true or false, got \"1\"\n");
	assert_bad(fixture, "flag: [true]", "reeve.yaml:1:7: flag: expected true or false, got a list\n");
}

static void
test_numbers(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_int_equal(read_good(fixture, "number: 1").number, 1);
	assert_int_equal(read_good(fixture, "number: 1024").number, 1024);
	assert_true(read_good(fixture, "free_number: 18446744073709551615").free_number == UINT64_MAX);
	assert_int_equal(read_good(fixture, "free_number: 0").free_number, 0);
	assert_bad(fixture, "number: 0", "reeve.yaml:1:9: number: out of range: at least 1, at most 1024\n");
	assert_bad(fixture, "number: 1025", "reeve.yaml:1:9: number: out of range: at least 1, at most 1024\n");
	assert_bad(fixture, "number: -5", "reeve.yaml:1:9: number: out of range: at least 1, at most 1024\n");
	assert_bad(fixture, "number: 99999999999999999999",
	    "reeve.yaml:1:9: number: out of range: at least 1, at most 1024\n");
	assert_bad(fixture, "free_number: -5", "reeve.yaml:1:14: free_number: out of range: at least 0\n");
	assert_bad(fixture, "free_number: 18446744073709551616",
	    "reeve.yaml:1:14: free_number: out of range: too large\n");
	assert_bad(fixture, "number: abc", "reeve.yaml:1:9: number: expected a number, got \"abc\"\n");
	assert_bad(fixture, "number: 1.5", "reeve.yaml:1:9: number: expected a number, got \"1.5\"\n");
	assert_bad(fixture, "number: \"5\"", "reeve.yaml:1:9: number: expected a number, got the text \"5\"\n");
	assert_bad(fixture, "number: {a: b}", "reeve.yaml:1:9: number: expected a number, got a map\n");
	assert_bad(fixture, "number: '-'", "reeve.yaml:1:9: number: expected a number, got the text \"-\"\n");
}

static void
test_durations(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_int_equal(read_good(fixture, "duration: 10s").duration, 10000);
	assert_int_equal(read_good(fixture, "duration: '2m'").duration, 120000);
	assert_bad(fixture, "duration: \"10\"",
	    "reeve.yaml:1:11: duration: expected a duration such as 10s, got \"10\" (a bare number has no unit)\n");
	assert_bad(fixture, "duration: 10",
	    "reeve.yaml:1:11: duration: expected a duration such as 10s, got \"10\" (a bare number has no unit)\n");
	assert_bad(fixture, "duration: soon", "reeve.yaml:1:11: duration: expected a duration such as 10s, got "
	    "\"soon\"\n");
	assert_bad(fixture, "duration: []", "reeve.yaml:1:11: duration: expected a duration such as 10s, got a list\n");
	assert_bad(fixture, "duration: 9ms", "reeve.yaml:1:11: duration: out of range: at least 10ms\n");
}

static void
test_sizes_and_percents(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_int_equal(read_good(fixture, "size: 64K").size, 65536);
	assert_int_equal(read_good(fixture, "size: \"512\"").size, 512);
	assert_int_equal(read_good(fixture, "percent: 20%").percent, 20);
	assert_bad(fixture, "size: 2M", "reeve.yaml:1:7: size: out of range: at most 1M\n");
	assert_bad(fixture, "size: big", "reeve.yaml:1:7: size: expected a size such as 64K, got \"big\"\n");
	assert_bad(fixture, "percent: 20",
	    "reeve.yaml:1:10: percent: expected a percent such as 20%, got \"20\" (a bare number has no unit)\n");
	assert_bad(fixture, "percent: 101%", "reeve.yaml:1:10: percent: expected a percent such as 20%, got "
	    "\"101%\"\n");
}

static void
test_texts(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct everything everything;

	assert_null(read_good(fixture, "").text.at);
	assert_span(read_good(fixture, "text: 5").text, "5");
	assert_span(read_good(fixture, "text: ''").text, "");
	assert_bad(fixture, "text: [a]", "reeve.yaml:1:7: text: expected a text, got a list\n");
	assert_bad(fixture, "short_text: abcd", "reeve.yaml:1:13: short_text: out of range: at least 1, at most 3 "
	    "(bytes)\n");
	everything = read_good(fixture, "texts: [a, 'b', 3]");
	assert_int_equal(everything.texts.count, 3);
	assert_span(everything.texts.items[2], "3");
	everything = read_good(fixture, "texts: one");
	assert_int_equal(everything.texts.count, 1);
	assert_span(everything.texts.items[0], "one");
	assert_bad(fixture, "texts: {a: b}", "reeve.yaml:1:8: texts: expected a list of texts, got a map\n");
	assert_bad(fixture, "texts: []", "reeve.yaml:1:8: texts: out of range: at least 1, at most 3 (entries)\n");
	assert_bad(fixture, "texts: [a, [b], ~]", "reeve.yaml:1:12: texts[1]: expected a text, got a list\n"
						  "reeve.yaml:1:17: texts[2]: has no value\n");
}

static void
test_pairs(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct everything everything = read_good(fixture, "pairs: {a: 1, b c: two}");

	assert_int_equal(everything.pairs.count, 2);
	assert_span(everything.pairs.items[1].name, "b c");
	assert_span(everything.pairs.items[1].value, "two");
	assert_int_equal(everything.pairs.items[1].node->place.column, 20);
	assert_int_equal(read_good(fixture, "pairs: {}").pairs.count, 0);
	assert_bad(fixture, "pairs: a", "reeve.yaml:1:8: pairs: expected a map of texts, got \"a\"\n");
	assert_bad(fixture, "pairs: {a: ~, b: {}}", "reeve.yaml:1:9: pairs.a: has no value\n"
						    "reeve.yaml:1:18: pairs.b: expected a text, got a map\n");
	assert_bad(fixture, "pairs: {a: 1, b: 1, c: 1}", "reeve.yaml:1:8: pairs: out of range: at most 2 (entries)\n");
}

static void
assert_path(struct fixture *fixture, struct span path, const char *below)
{
	char expected[256];

	snprintf(expected, sizeof(expected), "%s/%s", fixture->directory, below);
	assert_span(path, expected);
	assert_int_equal(path.len, strlen(expected));
}

static void
test_paths(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct everything everything;

	assert_path(fixture, read_good(fixture, "path: tls/a.pem").path, "tls/a.pem");
	assert_path(fixture, read_good(fixture, "path: ./a").path, "a");
	assert_path(fixture, read_good(fixture, "path: ../a").path, "../a");
	assert_span(read_good(fixture, "path: /a/./b").path, "/a/./b");
	assert_bad(fixture, "path: ''", "reeve.yaml:1:7: path: expected a path, got \"\"\n");
	assert_bad(fixture, "path: [a]", "reeve.yaml:1:7: path: expected a path, got a list\n");
	put_file("conf.d/a.yaml", "path: b\n");
	load_file(fixture, "include: conf.d/a.yaml\n");
	assert_true(read_root(fixture, &everything));
	assert_path(fixture, everything.path, "conf.d/b");
}

/* Wherever the one that unpacks is. */
static void
test_paths_of_a_packed_one(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct text packed = { 0 };
	struct everything everything;

	load_file(fixture, "path: x\n");
	conf_pack(fixture->conf, &packed);
	conf_free(fixture->conf);
	fixture->conf = conf_unpack(text_span(&packed), NULL);
	text_fini(&packed);
	assert_int_equal(chdir("/"), 0);
	assert_true(read_root(fixture, &everything));
	assert_path(fixture, everything.path, "x");
}

static void
test_choices(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_int_equal(read_good(fixture, "balance: random_two").balance, RANDOM_TWO);
	assert_int_equal(read_good(fixture, "balance: \"hash\"").balance, HASH);
	assert_bad(fixture, "balance: fastest",
	    "reeve.yaml:1:10: balance: expected one of round_robin, least_requests, random_two, hash; got "
	    "\"fastest\"\n");
	assert_bad(fixture, "balance: least-request",
	    "reeve.yaml:1:10: balance: expected one of round_robin, least_requests, random_two, hash; got "
	    "\"least-request\" "
	    "(did you mean \"least_requests\"?)\n");
	assert_bad(fixture, "balance: {}",
	    "reeve.yaml:1:10: balance: expected one of round_robin, least_requests, random_two, hash; got a map\n");
}

static void
test_custom(void **state)
{
	struct fixture *fixture = fixture_of(state);

	assert_int_equal(read_good(fixture, "custom: auto").custom, 1000);
	assert_int_equal(read_good(fixture, "custom: 5").custom, 5);
	assert_bad(fixture, "custom: 10", "reeve.yaml:1:9: custom: out of range: at least 1, at most 9\n");
	assert_bad(fixture, "custom: ~", "reeve.yaml:1:1: custom: has no value\n");
}

static void
test_nothing(void **state)
{
	assert_bad(fixture_of(state), "flag:\nnumber: null\nduration: ~\ntext:\npath:\nbalance:\ntexts:\npairs:\n",
	    "reeve.yaml:1:1: flag: has no value\n"
	    "reeve.yaml:2:1: number: has no value\n"
	    "reeve.yaml:3:1: duration: has no value\n"
	    "reeve.yaml:4:1: text: has no value\n"
	    "reeve.yaml:5:1: path: has no value\n"
	    "reeve.yaml:6:1: balance: has no value\n"
	    "reeve.yaml:7:1: texts: has no value\n"
	    "reeve.yaml:8:1: pairs: has no value\n");
}

/* What came from outside is not quoted, and what loading refused is not refused again. */
static void
test_secrets_and_broken_ones(void **state)
{
	struct fixture *fixture = fixture_of(state);

	setenv("REEVE_T_SECRET", "hash2", 1);
	setenv("REEVE_T_COUNT", "5", 1);
	unsetenv("REEVE_T_UNSET");
	assert_bad(fixture, "number: ${REEVE_T_SECRET}\nbalance: ${REEVE_T_SECRET}\npercent: ${REEVE_T_COUNT}\n"
			    "size: ${REEVE_T_UNSET}\nflag: *a\ncustom: ${REEVE_T_UNSET}\n"
			    "texts: [\"${REEVE_T_UNSET}\"]\n",
	    "reeve.yaml:1:9: number: expected a number, got \"******\"\n"
	    "reeve.yaml:2:10: balance: expected one of round_robin, least_requests, random_two, hash; got \"******\"\n"
	    "reeve.yaml:3:10: percent: expected a percent such as 20%, got \"******\" (a bare number has no unit)\n"
	    "reeve.yaml:4:7: size: the environment variable REEVE_T_UNSET is not set (${REEVE_T_UNSET:-default} gives "
	    "it a "
	    "default)\n"
	    "reeve.yaml:5:7: flag: no anchor &a stands before this alias\n"
	    "reeve.yaml:6:9: custom: the environment variable REEVE_T_UNSET is not set (${REEVE_T_UNSET:-default} "
	    "gives it a "
	    "default)\n"
	    "reeve.yaml:7:9: texts[0]: the environment variable REEVE_T_UNSET is not set (${REEVE_T_UNSET:-default} "
	    "gives it "
	    "a default)\n");
	assert_int_equal(read_good(fixture, "number: ${REEVE_T_COUNT}\n").number, 5);
}

static void
test_long_values_are_cut(void **state)
{
	assert_bad(fixture_of(state), "number: 0123456789012345678901234567890123456789012345678901234567äöü\n",
	    "reeve.yaml:1:9: number: expected a number, got "
	    "\"0123456789012345678901234567890123456789012345678901234567ä…\"\n");
	assert_bad(fixture_of(state), "number: 01234567890123456789012345678901234567890123456789012345678äöü\n",
	    "reeve.yaml:1:9: number: expected a number, got "
	    "\"01234567890123456789012345678901234567890123456789012345678…\"\n");
}

static void
test_off(void **state)
{
	const struct conf_node *root = load_text(fixture_of(state), "a: off\nb: false\nc: No\nd: 'off'\ne: on\n"
	    "f: [off]\ng:\n");

	assert_true(option_is_off(at(root, "a")));
	assert_true(option_is_off(at(root, "b")));
	assert_true(option_is_off(at(root, "c")));
	assert_false(option_is_off(at(root, "d")));
	assert_false(option_is_off(at(root, "e")));
	assert_false(option_is_off(at(root, "f")));
	assert_false(option_is_off(at(root, "g")));
	assert_false(option_is_off(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(test_flags),
		IN_FIXTURE(test_numbers),
		IN_FIXTURE(test_durations),
		IN_FIXTURE(test_sizes_and_percents),
		IN_FIXTURE(test_texts),
		IN_FIXTURE(test_pairs),
		IN_FIXTURE(test_paths),
		IN_FIXTURE(test_paths_of_a_packed_one),
		IN_FIXTURE(test_choices),
		IN_FIXTURE(test_custom),
		IN_FIXTURE(test_nothing),
		IN_FIXTURE(test_secrets_and_broken_ones),
		IN_FIXTURE(test_long_values_are_cut),
		IN_FIXTURE(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
