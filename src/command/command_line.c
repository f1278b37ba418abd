/* Every argument is an option of the table or a word; what an option's value is, is kept as it was typed. */
#include "command/command_line.h"

#include "conf/problem.h"

#include <string.h>

#define NAMES_MAX 32

static const struct command_option *
option_by_letter(const struct command_option *options, char letter)
{
	for (; options->name; options++) {
		if (letter != '\0' && options->letter == letter)
			return options;
	}
	return NULL;
}

static const struct command_option *
option_by_name(const struct command_option *options, struct span name)
{
	for (; options->name; options++) {
		if (span_is(name, options->name))
			return options;
	}
	return NULL;
}

static bool
say_unknown(const struct command_option *options, const char *argument, struct span name, struct err *err)
{
	const char *names[NAMES_MAX], *near;
	size_t count = 0;

	for (; options->name && count < NAMES_MAX; options++)
		names[count++] = options->name;
	near = conf_suggest(name, names, count);
	if (near)
		return err_set(err, "unknown option \"%s\" (did you mean \"--%s\"?)", argument, near);
	return err_set(err, "unknown option \"%s\"", argument);
}

bool
command_line_has(const struct command_line *line, enum command_flag id)
{
	return command_line_value(line, id) != NULL;
}

const char *
command_line_value(const struct command_line *line, enum command_flag id)
{
	for (size_t i = 0; i < line->value_count; i++) {
		if (line->values[i].id == id)
			return line->values[i].value;
	}
	return NULL;
}

static bool
value_add(struct command_line *line, const struct command_option *option, const char *value, struct err *err)
{
	if (!option->repeats && command_line_has(line, option->id))
		return err_set(err, "--%s is given twice", option->name);
	if (line->value_count == COMMAND_VALUES_MAX)
		return err_set(err, "more than %d options", COMMAND_VALUES_MAX);
	line->values[line->value_count].id = option->id;
	line->values[line->value_count].value = value;
	line->value_count++;
	return true;
}

/* `attached`: what stands right behind the option, NULL when nothing does. Takes the next argument when it needs it. */
static bool
option_take(struct command_line *line, const struct command_option *option, const char *attached, int argc,
    char *const *argv, int *at_io, struct err *err)
{
	if (option->value == NULL) {
		if (attached)
			return err_set(err, "--%s takes no value", option->name);
		return value_add(line, option, "", err);
	}
	if (attached == NULL && *at_io + 1 < argc)
		attached = argv[++*at_io];
	if (attached == NULL)
		return err_set(err, "--%s needs a value: %s", option->name, option->value);
	return value_add(line, option, attached, err);
}

static bool
argument_take(struct command_line *line, const struct command_option *options, int argc, char *const *argv, int *at_io,
    struct err *err)
{
	const char *argument = argv[*at_io], *attached;
	const struct command_option *option;
	struct span name;

	if (argument[1] != '-') {
		option = option_by_letter(options, argument[1]);
		if (option == NULL)
			return say_unknown(options, argument, span_make(argument + 1, 1), err);
		attached = argument[2] ? argument + 2 : NULL;
	} else {
		name = span_text(argument + 2);
		name = span_first(name, span_find(name, '='));
		option = option_by_name(options, name);
		if (option == NULL)
			return say_unknown(options, argument, name, err);
		attached = name.at[name.len] == '=' ? name.at + name.len + 1 : NULL;
	}
	return option_take(line, option, attached, argc, argv, at_io, err);
}

static bool
word_take(struct command_line *line, const char *word, struct err *err)
{
	if (line->word_count == COMMAND_WORDS_MAX)
		return err_set(err, "unexpected argument \"%s\"", word);
	line->words[line->word_count++] = word;
	return true;
}

bool
command_line_parse(struct command_line *line, const struct command_option *options, int argc, char *const *argv,
    struct err *err)
{
	bool has_ended = false;

	*line = (struct command_line){ .value_count = 0 };
	for (int at = 0; at < argc; at++) {
		bool is_option = !has_ended && argv[at][0] == '-' && argv[at][1] != '\0';
		bool is_end = is_option && strcmp(argv[at], "--") == 0;

		if (is_end)
			has_ended = true;
		else if (is_option && !argument_take(line, options, argc, argv, &at, err))
			return false;
		else if (!is_option && !word_take(line, argv[at], err))
			return false;
	}
	return true;
}
