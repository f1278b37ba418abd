/* rooms: base loop conf http ipc net codec request store supervise downstream route policy handler upstream logger site worker primary control command */
#include "command/command_line.h"

#include "command/commands.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct command_option options[] = {
	{ FLAG_CONFIG, 'c', "config", "FILE", false, "" },
	{ FLAG_JSON, 0, "json", NULL, false, "" },
	{ FLAG_HEADER, 'H', "header", "LINE", true, "" },
	{ FLAG_HELP, 'h', "help", NULL, false, "" },
	{ COMMAND_OPTIONS, 0, NULL, NULL, false, NULL },
};

static struct command_line line;
static struct err err;

/* Arguments up to a NULL. */
static bool
parse(const char *first, ...)
{
	static char *argv[200];
	int argc = 0;
	va_list list;

	va_start(list, first);
	for (const char *each = first; each; each = va_arg(list, const char *))
		memcpy(&argv[argc++], &each, sizeof(each));
	va_end(list);
	err.text[0] = '\0';
	return command_line_parse(&line, options, argc, argv, &err);
}

static void
test_nothing(void **state)
{
	assert_true(parse(NULL));
	assert_int_equal(line.word_count, 0);
	assert_int_equal(line.value_count, 0);
	assert_null(command_line_value(&line, FLAG_CONFIG));
	assert_false(command_line_has(&line, FLAG_JSON));
}

static void
test_every_way_to_give_a_value(void **state)
{
	assert_true(parse("-c", "a", NULL));
	assert_string_equal(command_line_value(&line, FLAG_CONFIG), "a");
	assert_true(parse("-ca", NULL));
	assert_string_equal(command_line_value(&line, FLAG_CONFIG), "a");
	assert_true(parse("--config", "a", NULL));
	assert_string_equal(command_line_value(&line, FLAG_CONFIG), "a");
	assert_true(parse("--config=a=b", NULL));
	assert_string_equal(command_line_value(&line, FLAG_CONFIG), "a=b");
	assert_true(parse("--config=", NULL));
	assert_string_equal(command_line_value(&line, FLAG_CONFIG), "");
	assert_true(parse("-c", "-", NULL));
	assert_string_equal(command_line_value(&line, FLAG_CONFIG), "-");
	assert_true(parse("-c", "--json", NULL));
	assert_string_equal(command_line_value(&line, FLAG_CONFIG), "--json");
}

static void
test_words_and_options_mix(void **state)
{
	assert_true(parse("GET", "-H", "A: b", "/x", "--json", "-HC: d", NULL));
	assert_int_equal(line.word_count, 2);
	assert_string_equal(line.words[0], "GET");
	assert_string_equal(line.words[1], "/x");
	assert_true(command_line_has(&line, FLAG_JSON));
	assert_int_equal(line.value_count, 3);
	assert_string_equal(line.values[0].value, "A: b");
	assert_string_equal(line.values[2].value, "C: d");
}

static void
test_two_dashes_end_options(void **state)
{
	assert_true(parse("--json", "--", "--json", "-c", "--", NULL));
	assert_int_equal(line.word_count, 3);
	assert_string_equal(line.words[0], "--json");
	assert_string_equal(line.words[2], "--");
	assert_true(parse("-", "", NULL));
	assert_int_equal(line.word_count, 2);
}

static void
test_what_is_wrong_is_said(void **state)
{
	assert_false(parse("-c", NULL));
	assert_string_equal(err.text, "--config needs a value: FILE");
	assert_false(parse("--config", NULL));
	assert_false(parse("--jsno", NULL));
	assert_string_equal(err.text, "unknown option \"--jsno\" (did you mean \"--json\"?)");
	assert_false(parse("--jsno=1", NULL));
	assert_false(parse("-x", NULL));
	assert_string_equal(err.text, "unknown option \"-x\"");
	assert_false(parse("--json=1", NULL));
	assert_string_equal(err.text, "--json takes no value");
	assert_false(parse("-hc", "x", NULL));
	assert_false(parse("-c", "a", "--config=b", NULL));
	assert_string_equal(err.text, "--config is given twice");
	assert_false(parse("--json", "--json", NULL));
	assert_false(parse("---", NULL));
	assert_false(parse("--=x", NULL));
}

static void
test_bounds(void **state)
{
	char *many[COMMAND_VALUES_MAX + 1], *words[COMMAND_WORDS_MAX + 1];
	char header[] = "-Hx", word[] = "x";

	for (size_t i = 0; i < COMMAND_VALUES_MAX + 1; i++)
		many[i] = header;
	for (size_t i = 0; i < COMMAND_WORDS_MAX + 1; i++)
		words[i] = word;
	assert_true(command_line_parse(&line, options, COMMAND_VALUES_MAX, many, &err));
	assert_false(command_line_parse(&line, options, COMMAND_VALUES_MAX + 1, many, &err));
	assert_true(command_line_parse(&line, options, COMMAND_WORDS_MAX, words, &err));
	assert_false(command_line_parse(&line, options, COMMAND_WORDS_MAX + 1, words, &err));
	assert_string_equal(err.text, "unexpected argument \"x\"");
}

/* No row of any command can be typed in two ways that mean different things. */
static void
test_tables_are_sound(void **state)
{
	for (const struct command *command = commands; command->name; command++) {
		assert_non_null(command->summary);
		if (command->options == NULL)
			continue;
		assert_non_null(command->run);
		assert_non_null(command->doc);
		assert_ptr_equal(command_find(command->name), command);
		for (const struct command_option *a = command->options; a->name; a++) {
			assert_non_null(a->doc);
			for (const struct command_option *b = command->options; b < a; b++) {
				assert_string_not_equal(a->name, b->name);
				assert_false(a->letter && a->letter == b->letter);
				assert_int_not_equal(a->id, b->id);
			}
		}
	}
	assert_null(command_find("nonsense"));
	assert_null(command_find("upgrade"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_every_way_to_give_a_value),
		cmocka_unit_test(test_words_and_options_mix),
		cmocka_unit_test(test_two_dashes_end_options),
		cmocka_unit_test(test_what_is_wrong_is_said),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_tables_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
