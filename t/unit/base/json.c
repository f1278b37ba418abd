/* rooms: base */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool
is_json(struct span bytes)
{
	struct json_value value;

	return json_parse(bytes, &value);
}

static void
test_good(void **state)
{
	static const struct {
		const char	*text;
		enum json_kind	 kind;
	} rows[] = {
		{ "null", JSON_NULL },
		{ "true", JSON_BOOL },
		{ "false", JSON_BOOL },
		{ "0", JSON_NUMBER },
		{ "-0.5e+10", JSON_NUMBER },
		{ "12E3", JSON_NUMBER },
		{ "\"\"", JSON_STRING },
		{ "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", JSON_STRING },
		{ "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", JSON_STRING },
		{ " [ ] ", JSON_ARRAY },
		{ "[1,2 , [3]]", JSON_ARRAY },
		{ "\t{ }\r\n", JSON_OBJECT },
		{ "{\"a\": {\"b\": [null]}, \"c\" :1}", JSON_OBJECT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_value value;

		assert_true(json_parse(span_text(rows[i].text), &value));
		assert_int_equal(value.kind, rows[i].kind);
		assert_true(span_equal(value.raw, span_trim(value.raw)));
	}
}

static void
test_bad(void **state)
{
	static const char *const rows[] = {
		"", " ", "nul", "nulll", "True", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "'a'", "\"", "\"a",
		"\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "\"\t\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
		"]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:2}", "{\"a\" 1}", "{,}", "1 2",
		"{}{}", "[1}", "// x\n1", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"",
		"\"\x80\"", "\xef\xbb\xbf{}",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (is_json(span_text(rows[i])))
			fail_msg("taken as JSON: %s", rows[i]);
	}
	assert_false(is_json(span_make("1\0", 2)));
	assert_false(is_json(span_make("\"\0\"", 3)));
	assert_false(is_json(span_make("\"\\\0\"", 4)));
}

static void
test_depth(void **state)
{
	char bytes[2 * (JSON_DEPTH + 1)];

	memset(bytes, '[', JSON_DEPTH);
	memset(bytes + JSON_DEPTH, ']', JSON_DEPTH);
	assert_true(is_json(span_make(bytes, (size_t)2 * JSON_DEPTH)));
	memset(bytes, '[', JSON_DEPTH + 1);
	memset(bytes + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	assert_false(is_json(span_make(bytes, (size_t)2 * (JSON_DEPTH + 1))));
}

/* Every shorter piece of it is not whole, and reading none of them leaves the bytes that were given. */
static void
test_cut_short(void **state)
{
	const char *text = "{\"a\":[1.5e3,\"\\u00e9\xc3\xa9\",true,null],\"b\":{\"c\":\"\\\\\"}}";

	assert_true(is_json(span_text(text)));
	for (size_t len = 0; len < strlen(text); len++) {
		struct text copy = { 0 };

		text_add(&copy, span_make(text, len));
		copy.bytes[len] = '!';
		assert_false(is_json(text_span(&copy)));
		text_fini(&copy);
	}
}

static void
test_walk(void **state)
{
	struct json_value whole, value;
	struct json_walk walk;
	struct span key;
	uint64_t number;

	assert_true(json_parse(SPAN_OF("{\"a\":1, \"b\" : [10,20 ,30], \"c\":{}, \"d\":[ ]}"), &whole));
	assert_int_equal(json_count(whole), 4);
	assert_true(json_get(whole, "b", &value));
	assert_int_equal(json_count(value), 3);
	walk = json_walk(value);
	for (uint64_t want = 10; want <= 30; want += 10) {
		assert_true(json_next(&walk, &key, &value));
		assert_int_equal(key.len, 0);
		assert_true(json_number(value, &number));
		assert_int_equal(number, want);
	}
	assert_false(json_next(&walk, &key, &value));
	assert_false(json_next(&walk, &key, &value));
	assert_true(json_get(whole, "c", &value) && json_count(value) == 0);
	assert_true(json_get(whole, "d", &value) && json_count(value) == 0);
	assert_false(json_get(whole, "e", &value));
	assert_true(json_get(whole, "a", &value));
	assert_int_equal(json_count(value), 0);
	assert_false(json_get(value, "a", &whole));
}

static void
test_values(void **state)
{
	struct json_value value;
	uint64_t number;

	assert_true(json_parse(SPAN_OF("18446744073709551615"), &value) && json_number(value, &number));
	assert_true(number == UINT64_MAX);
	assert_true(json_parse(SPAN_OF("18446744073709551616"), &value) && !json_number(value, &number));
	assert_true(json_parse(SPAN_OF("-1"), &value) && !json_number(value, &number));
	assert_true(json_parse(SPAN_OF("1.0"), &value) && !json_number(value, &number));
	assert_true(json_parse(SPAN_OF("\"1\""), &value) && !json_number(value, &number));
}

static void
test_strings(void **state)
{
	static const struct {
		const char	*json;
		const char	*text;
	} rows[] = {
		{ "\"\"", "" },
		{ "\"plain\"", "plain" },
		{ "\"a\\n\\\"b\\\"\\\\\\/\\t\"", "a\n\"b\"\\/\t" },
		{ "\"\\u0041\\u00e9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac" },
		{ "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!" },
		{ "\"\\ud83d\"", "\xef\xbf\xbd" },
		{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
		{ "\"\\ude00x\"", "\xef\xbf\xbdx" },
		{ "12", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text text = { 0 };
		struct json_value value;

		text_add_text(&text, "");
		assert_true(json_parse(span_text(rows[i].json), &value));
		json_string_add(value, &text);
		assert_string_equal(text.bytes, rows[i].text);
		text_fini(&text);
	}
}

/* What text.h writes is read back as it was. */
static void
test_round_trip(void **state)
{
	struct text json = { 0 }, back = { 0 };
	struct json_value whole, value;
	char bytes[128];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	text_json_open(&json, '{');
	text_json_key(&json, "x");
	text_json_span(&json, span_make(bytes, sizeof(bytes)));
	text_json_close(&json, '}');
	assert_true(json_parse(text_span(&json), &whole) && json_get(whole, "x", &value));
	json_string_add(value, &back);
	assert_int_equal(back.len, sizeof(bytes));
	assert_memory_equal(back.bytes, bytes, sizeof(bytes));
	text_fini(&json);
	text_fini(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	cmocka_unit_test(test_bad),	cmocka_unit_test(test_depth),
		cmocka_unit_test(test_cut_short), cmocka_unit_test(test_walk),	cmocka_unit_test(test_values),
		cmocka_unit_test(test_strings), cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
