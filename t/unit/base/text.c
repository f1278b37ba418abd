/* rooms: base */
#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
test_growing(void **state)
{
	struct text text = { 0 };

	assert_int_equal(text_span(&text).len, 0);
	text_clear(&text);
	text_add(&text, span_make(NULL, 0));
	assert_string_equal(text.bytes, "");
	for (int i = 0; i < 10000; i++) {
		text_add_text(&text, "ab");
		text_add_byte(&text, 'c');
		assert_int_equal(text.bytes[text.len], '\0');
	}
	assert_int_equal(text.len, 30000);
	assert_memory_equal(text.bytes + 29994, "abcabc", 6);
	text_clear(&text);
	assert_int_equal(text.len, 0);
	assert_string_equal(text.bytes, "");
	text_fini(&text);
	text_fini(&text);
}

static void
test_reserve(void **state)
{
	struct text text = { 0 };
	char *to = text_reserve(&text, 1000);

	memset(to, 'x', 1000);
	text.len += 1000;
	to = text_reserve(&text, 64);
	assert_ptr_equal(to, text.bytes + 1000);
	assert_true(text.room > 1064);
	text_fini(&text);
}

static void
test_numbers(void **state)
{
	struct text text = { 0 };

	text_add_number(&text, 0);
	text_add_byte(&text, ' ');
	text_add_number(&text, UINT64_MAX);
	assert_string_equal(text.bytes, "0 18446744073709551615");
	text_fini(&text);
}

/* Every length around the room that is left. */
static void
test_format(void **state)
{
	for (int len = 0; len < 300; len++) {
		struct text text = { 0 };

		text_add_text(&text, "<");
		text_format(&text, "%*s", len, "");
		text_add_text(&text, ">");
		assert_int_equal(text.len, len + 2);
		assert_int_equal(text.bytes[len + 1], '>');
		assert_int_equal(text.bytes[len + 2], '\0');
		text_fini(&text);
	}
}

struct string_row {
	struct span	 from;
	const char	*json;
};

static void
assert_json_strings(const struct string_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct text text = { 0 };

		text_json_string(&text, rows[i].from);
		assert_string_equal(text.bytes, rows[i].json);
		text_fini(&text);
	}
}

static void
test_html(void **state)
{
	struct text text = { 0 };

	text_html(&text, SPAN_OF("a<b> & \"c\" 'd'"));
	assert_string_equal(text.bytes, "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
	text_fini(&text);
}

static void
test_json_escapes(void **state)
{
	static const struct string_row rows[] = {
		{ { NULL, 0 }, "\"\"" },
		{ SPAN("plain /text\x7f"), "\"plain /text\x7f\"" },
		{ SPAN("a\"b\\c"), "\"a\\\"b\\\\c\"" },
		{ SPAN("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
		{ SPAN("\0x\x01\x1f\x1b[0m"), "\"\\u0000x\\u0001\\u001f\\u001b[0m\"" },
	};

	assert_json_strings(rows, COUNT(rows));
}

static void
test_json_keeps_valid_utf8(void **state)
{
	static const struct string_row rows[] = {
		{ SPAN("\xc3\xa4"), "\"\xc3\xa4\"" },
		{ SPAN("\xe2\x82\xac!"), "\"\xe2\x82\xac!\"" },
		{ SPAN("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"" },
		{ SPAN("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"" },
	};

	assert_json_strings(rows, COUNT(rows));
}

#define R "\xef\xbf\xbd"	/* U+FFFD */

static void
test_json_replaces_invalid_utf8(void **state)
{
	static const struct string_row rows[] = {
		{ SPAN("\x80"), "\"" R "\"" },
		{ SPAN("\xff" "a"), "\"" R "a\"" },
		{ SPAN("\xc0\xaf"), "\"" R R "\"" },		 /* overlong */
		{ SPAN("\xe0\x80\xaf"), "\"" R R R "\"" },	 /* overlong */
		{ SPAN("\xed\xa0\x80"), "\"" R R R "\"" },	 /* surrogate */
		{ SPAN("\xf4\x90\x80\x80"), "\"" R R R R "\"" }, /* over U+10FFFF */
		{ SPAN("\xe2\x82"), "\"" R "\"" },		 /* ends too early */
		{ SPAN("\xe2\x82\"x"), "\"" R "\\\"x\"" },	 /* must not swallow the quote */
		{ SPAN("\xf0\x9f\x98\xc3\xa4"), "\"" R "\xc3\xa4\"" },
	};

	assert_json_strings(rows, COUNT(rows));
}

/* Whatever the bytes, nothing ends the string or the line. */
static void
test_json_no_byte_breaks_out(void **state)
{
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			const char bytes[2] = { (char)a, (char)b };
			struct text text = { 0 };

			text_json_string(&text, span_make(bytes, 2));
			for (size_t i = 1; i + 1 < text.len; i++) {
				if (text.bytes[i] == '\\')
					i++;
				else
					assert_true(text.bytes[i] != '"' && (unsigned char)text.bytes[i] >= ' ');
			}
			assert_int_equal(text.bytes[text.len - 1], '"');
			text_fini(&text);
		}
	}
}

static void
test_json_commas(void **state)
{
	struct text text = { 0 };

	text_json_open(&text, '{');
	text_json_key(&text, "list");
	text_json_open(&text, '[');
	text_json_number(&text, 1);
	text_json_span(&text, SPAN_OF("{"));
	text_json_open(&text, '[');
	text_json_close(&text, ']');
	text_json_open(&text, '{');
	text_json_close(&text, '}');
	text_json_bool(&text, true);
	text_json_close(&text, ']');
	text_json_key(&text, "a\"b:");
	text_json_text(&text, NULL);
	text_json_key(&text, "text");
	text_json_text(&text, "x");
	text_json_key(&text, "signed");
	text_json_signed(&text, INT64_MIN);
	text_json_close(&text, '}');
	text_add_byte(&text, '\n');
	text_json_open(&text, '[');
	text_json_bool(&text, false);
	text_json_signed(&text, 5);
	text_json_close(&text, ']');
	assert_string_equal(text.bytes, "{\"list\":[1,\"{\",[],{},true],\"a\\\"b:\":null,\"text\":\"x\","
					"\"signed\":-9223372036854775808}\n[false,5]");
	text_fini(&text);
}

static void
test_json_decimals(void **state)
{
	struct text text = { 0 };

	text_json_open(&text, '[');
	text_json_decimal(&text, 1.25, 1);
	text_json_decimal(&text, 3, 3);
	text_json_decimal(&text, -0.5, 2);
	text_json_decimal(&text, INFINITY, 2);
	text_json_decimal(&text, NAN, 2);
	text_json_close(&text, ']');
	assert_string_equal(text.bytes, "[1.2,3.000,-0.50,null,null]");
	text_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_json_escapes),
		cmocka_unit_test(test_json_keeps_valid_utf8),
		cmocka_unit_test(test_json_replaces_invalid_utf8),
		cmocka_unit_test(test_json_no_byte_breaks_out),
		cmocka_unit_test(test_json_commas),
		cmocka_unit_test(test_json_decimals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
