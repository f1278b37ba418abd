/* Help for people, and the pages of docs/ that are made from the tables the program runs by. */
#include "command/commands.h"
#include "command/manual.h"
#include "command/output.h"
#include "command/usage.h"
#include "site/site.h"

static int
page_print(struct text *page)
{
	int code = output_print(text_span(page)) ? COMMAND_DONE : COMMAND_FAILED;

	text_fini(page);
	return code;
}

static int
manual_print(const char *name)
{
	struct text page = { 0 };

	if (manual_format(name, &page))
		return page_print(&page);
	fprintf(stderr, "reeve help: there is no manual page \"%s\": reeve or reeve.yaml\n", name);
	return COMMAND_MISUSED;
}

static int
command_explain(const char *name)
{
	const struct command *command = command_find(name);

	if (command)
		return usage_print(command);
	return command_unknown(name);
}

int
cmd_help(const struct command_line *line)
{
	struct text page = { 0 };

	if (command_line_has(line, FLAG_MANUAL))
		return manual_print(command_line_value(line, FLAG_MANUAL));
	if (command_line_has(line, FLAG_REFERENCE)) {
		site_document(&page);
		return page_print(&page);
	}
	if (command_line_has(line, FLAG_MESSAGES)) {
		messages_format(&page);
		return page_print(&page);
	}
	return line->word_count > 0 ? command_explain(line->words[0]) : usage_overview(stdout);
}
