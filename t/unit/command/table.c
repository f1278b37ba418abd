/* rooms: base loop conf http ipc net codec request store supervise downstream route policy handler upstream logger site worker primary control command */
#include "command/table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct table_column columns[] = { { "NAME", false }, { "N", true }, { "WHY", false } };

static void
assert_table(const char *const *cells, size_t count, const char *expected)
{
	struct table table;
	struct text text = { 0 };

	table_init(&table, columns, 3);
	for (size_t i = 0; i < count; i++)
		table_add(&table, span_text(cells[i]));
	table_print(&table, &text);
	assert_string_equal(text.bytes, expected);
	table_fini(&table);
	text_fini(&text);
}

static void
test_columns_line_up(void **state)
{
	static const char *const cells[] = { "a", "1", "", "longer", "12345", "because" };

	assert_table(cells, 6,
	    "NAME        N  WHY\n"
	    "a           1  \n"
	    "longer  12345  because\n");
}

static void
test_only_titles(void **state)
{
	assert_table(NULL, 0, "NAME  N  WHY\n");
}

/* What is shown came from outside: it can neither break a line nor command the terminal. */
static void
test_cells_are_harmless(void **state)
{
	static const char *const cells[] = {
		"\xc3\xa9t\xc3\xa9", "1", "a\nb\033[2J\x7f", "\xc2\x9b", "2", "\xc2\x80" "2J\xc2\x9f\xc2\xa0\xc2",
	};

	assert_table(cells, 6,
	    "NAME  N  WHY\n"
	    "\xc3\xa9t\xc3\xa9   1  a?b?[2J?\n"
	    "?     2  ?2J?\xc2\xa0\xc2\n");
}

/* Colours take no room. */
static void
test_painted(void **state)
{
	static const char *const expected[] = {
		"NAME   N  WHY\na      7  \nlong  12  x\n",
		"NAME   N  WHY\na      \033[31m7\033[0m  \n\033[33mlong\033[0m  12  x\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct table table;
		struct text text = { 0 };

		table_init(&table, columns, 3);
		table.has_colours = i == 1;
		table_add(&table, SPAN_OF("a"));
		table_add_painted(&table, SPAN_OF("7"), PAINT_RED);
		table_add(&table, SPAN_OF(""));
		table_add_painted(&table, SPAN_OF("long"), PAINT_YELLOW);
		table_add(&table, SPAN_OF("12"));
		table_add(&table, SPAN_OF("x"));
		table_print(&table, &text);
		assert_string_equal(text.bytes, expected[i]);
		table_fini(&table);
		text_fini(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_line_up),
		cmocka_unit_test(test_only_titles),
		cmocka_unit_test(test_cells_are_harmless),
		cmocka_unit_test(test_painted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
