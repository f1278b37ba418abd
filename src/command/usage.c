/* Two ways to write the same rows: wrapped for a terminal, and as mdoc(7). */
#include "command/usage.h"

#include "command/output.h"

#include <assert.h>
#include <string.h>

#define WIDTH 79
#define OPTION_COLUMN 28

static bool
is_optional(const struct command_option *option)
{
	return option->id != FLAG_HELP;
}

void
usage_line(const struct command *command, struct text *to)
{
	text_format(to, "reeve %s", command->name);
	for (const struct command_option *option = command->options; option && option->name; option++) {
		if (!is_optional(option))
			continue;
		if (option->letter)
			text_format(to, " [-%c", option->letter);
		else
			text_format(to, " [--%s", option->name);
		text_format(to, option->value ? " %s]" : "]", option->value);
		if (option->repeats)
			text_add_text(to, "...");
	}
	if (command->words[0])
		text_format(to, " %s", command->words);
}

/* Words of `from` in lines of at most WIDTH, `indent` spaces before each; the cursor stands at `column` already. */
static void
wrap(struct text *to, const char *from, int indent, int column)
{
	struct span rest = span_text(from), word;
	bool is_first = true;

	while (span_cut(&rest, ' ', &word)) {
		int len = (int)word.len;

		if (!is_first && column + 1 + len > WIDTH) {
			text_format(to, "\n%*s", indent, "");
			column = indent;
			is_first = true;
		}
		text_format(to, "%s%.*s", is_first ? "" : " ", len, word.at);
		column += len + !is_first;
		is_first = false;
	}
	text_add_byte(to, '\n');
}

static void
option_print(const struct command_option *option, struct text *to)
{
	struct text head = { 0 };

	if (option->letter)
		text_format(&head, "  -%c, --%s", option->letter, option->name);
	else
		text_format(&head, "      --%s", option->name);
	if (option->value)
		text_format(&head, " %s", option->value);
	text_add(to, text_span(&head));
	if (head.len + 2 > OPTION_COLUMN)
		text_format(to, "\n%*s", OPTION_COLUMN, "");
	else
		text_format(to, "%*s", (int)(OPTION_COLUMN - head.len), "");
	wrap(to, option->doc, OPTION_COLUMN, OPTION_COLUMN);
	text_fini(&head);
}

static void
paragraphs_print(const char *doc, struct text *to)
{
	struct span rest = span_text(doc), paragraph;

	while (span_cut(&rest, '\n', &paragraph)) {
		struct text copy = { 0 };

		text_add(&copy, paragraph);
		text_add_byte(to, '\n');
		wrap(to, copy.bytes, 0, 0);
		text_fini(&copy);
	}
}

int
usage_print(const struct command *command)
{
	struct text text = { 0 };
	int code;

	text_add_text(&text, "Usage: ");
	usage_line(command, &text);
	text_add_byte(&text, '\n');
	paragraphs_print(command->doc, &text);
	text_add_text(&text, "\nOptions:\n");
	for (const struct command_option *option = command->options; option->name; option++)
		option_print(option, &text);
	code = output_print(text_span(&text)) ? COMMAND_DONE : COMMAND_FAILED;
	text_fini(&text);
	return code;
}

int
usage_overview(FILE *to)
{
	struct text text = { 0 };
	bool is_done;

	text_add_text(&text, "Usage: reeve COMMAND [OPTIONS]\n\nServes, watches and reloads what stands before an API. "
			     "Commands:\n\n");
	for (const struct command *command = commands; command->name; command++) {
		if (command->options)
			text_format(&text, "  %-12s %s\n", command->name, command->summary);
	}
	text_add_text(&text, "\nreeve help COMMAND tells more, reeve(1) and reeve.yaml(5) all.\n");
	is_done = fwrite(text.bytes, 1, text.len, to) == text.len && fflush(to) == 0;
	text_fini(&text);
	return is_done ? COMMAND_DONE : COMMAND_FAILED;
}

/* -- mdoc(7) ------------------------------------------------------------------------------------------------------- */

/* At the space between two sentences: mdoc(7) wants each on a line of its own. */
static bool
sentence_ends(const char *at)
{
	return at[0] == ' ' && at[-1] == '.' && at[1] >= 'A' && at[1] <= 'Z';
}

/* With a backslash, or what else mdoc(7) needs, before what it would obey. */
static void
man_escape(struct text *to, const char *text)
{
	bool is_line_start = true;

	assert(*text != ' ');
	for (; *text; text++) {
		if (is_line_start && (*text == '.' || *text == '\''))
			text_add_text(to, "\\&");
		if (*text == '\\')
			text_add_text(to, "\\e");
		else if (*text == '-')
			text_add_text(to, "\\-");
		else if (sentence_ends(text))
			text_add_byte(to, '\n');
		else
			text_add_byte(to, *text);
		is_line_start = *text == '\n' || sentence_ends(text);
	}
}

/* ".Op Fl c Ar FILE"; names of several words are one argument. */
static void
option_man(const struct command_option *option, const char *macro, bool is_long, struct text *to)
{
	text_format(to, "%s", macro);
	if (option->letter)
		text_format(to, " Fl %c", option->letter);
	if (option->letter && is_long)
		text_add_text(to, " ,");
	if (!option->letter || is_long)
		text_format(to, " Fl \\-%s", option->name);
	if (option->value)
		text_format(to, " Ar \"%s\"", option->value);
	text_add_byte(to, '\n');
}

static void
synopsis_man(const struct command *command, struct text *to)
{
	text_format(to, ".Nm\n.Cm %s\n", command->name);
	for (const struct command_option *option = command->options; option->name; option++) {
		if (is_optional(option))
			option_man(option, ".Op", false, to);
	}
	if (command->words[0] == '[')
		text_format(to, ".Op Ar %.*s\n", (int)strlen(command->words) - 2, command->words + 1);
	else if (command->words[0])
		text_format(to, ".Ar %s\n", command->words);
}

void
usage_synopsis_man(struct text *to)
{
	for (const struct command *command = commands; command->name; command++) {
		if (command->options)
			synopsis_man(command, to);
	}
}

static void
paragraphs_man(const char *doc, struct text *to)
{
	struct span rest = span_text(doc), paragraph;
	bool is_first = true;

	while (span_cut(&rest, '\n', &paragraph)) {
		struct text copy = { 0 };

		text_add(&copy, paragraph);
		if (!is_first)
			text_add_text(to, ".Pp\n");
		man_escape(to, copy.bytes);
		text_add_byte(to, '\n');
		text_fini(&copy);
		is_first = false;
	}
}

void
usage_commands_man(struct text *to)
{
	for (const struct command *command = commands; command->name; command++) {
		if (command->options == NULL)
			continue;
		text_format(to, ".Ss reeve %s\n", command->name);
		paragraphs_man(command->doc, to);
		text_add_text(to, ".Bl -tag -width Ds\n");
		for (const struct command_option *option = command->options; option->name; option++) {
			option_man(option, ".It", true, to);
			man_escape(to, option->doc);
			text_add_byte(to, '\n');
		}
		text_add_text(to, ".El\n");
	}
}
