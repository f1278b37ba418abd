/* rooms: base loop ipc logger */
#include "logger/lines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Lines one after another, '|' behind each. */
static struct text heard;
static struct lines lines;
static size_t longest;

static void
keep_line(void *owner, struct span line)
{
	assert_ptr_equal(owner, &heard);
	assert_true(line.len > 0);
	longest = line.len > longest ? line.len : longest;
	text_add(&heard, line);
	text_add_byte(&heard, '|');
}

static int
set_up(void **state)
{
	longest = 0;
	lines_init(&lines, keep_line, &heard);
	text_add_text(&heard, "");
	return 0;
}

static int
tear_down(void **state)
{
	lines_fini(&lines);
	text_fini(&heard);
	return 0;
}

static void
test_chunks(void **state)
{
	lines_add(&lines, SPAN_OF("one\ntw"));
	assert_string_equal(heard.bytes, "one|");
	lines_add(&lines, SPAN_OF("o"));
	lines_add(&lines, SPAN_OF("\nthree\nfour"));
	assert_string_equal(heard.bytes, "one|two|three|");
	lines_end(&lines);
	assert_string_equal(heard.bytes, "one|two|three|four|");
	lines_end(&lines);
	assert_string_equal(heard.bytes, "one|two|three|four|");
}

static void
test_empty_lines_and_cr(void **state)
{
	lines_add(&lines, SPAN_OF("\n\n\r\na\r\nb\r"));
	lines_add(&lines, SPAN_OF("\n\rc\n"));
	assert_string_equal(heard.bytes, "a|b|\rc|");
}

/* Every way to cut a text gives the same lines. */
static void
test_any_cut(void **state)
{
	struct span text = SPAN_OF("a\n\nbc\r\nd\n");

	for (size_t first = 0; first <= text.len; first++) {
		text_clear(&heard);
		lines_add(&lines, span_first(text, first));
		lines_add(&lines, span_skip(text, first));
		assert_string_equal(heard.bytes, "a|bc|d|");
	}
}

static void
fill(char *bytes, size_t count)
{
	memset(bytes, 'x', count);
}

static void
test_long_lines_come_in_pieces(void **state)
{
	static char bytes[2 * LINE_MAX_BYTES + 10];

	fill(bytes, sizeof(bytes));
	bytes[sizeof(bytes) - 1] = '\n';
	lines_add(&lines, span_make(bytes, sizeof(bytes)));
	assert_int_equal(longest, LINE_MAX_BYTES);
	assert_int_equal(heard.len, sizeof(bytes) - 1 + 3);
	lines_add(&lines, SPAN_OF("next\n"));
	assert_string_equal(heard.bytes + heard.len - 6, "|next|");
}

/* Nobody who never ends a line makes us keep more than one line's length. */
static void
test_endless_line_is_bounded(void **state)
{
	char bytes[1000];

	fill(bytes, sizeof(bytes));
	for (int i = 0; i < 1000; i++) {
		lines_add(&lines, span_make(bytes, sizeof(bytes)));
		assert_true(lines.partial.len < LINE_MAX_BYTES);
	}
	assert_int_equal(longest, LINE_MAX_BYTES);
	assert_int_equal(heard.len, 1000000 / LINE_MAX_BYTES * (LINE_MAX_BYTES + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_chunks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty_lines_and_cr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_any_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_lines_come_in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_endless_line_is_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
