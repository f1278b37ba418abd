/*
 * command_line: what a user typed, parsed by the rows of a command's table.
 *
 * Options may stand before and after the words; "--" ends them. A letter's value is the rest of its argument or the
 * next one (-cFILE, -c FILE), a long name's comes after '=' or next (--config=FILE, --config FILE).
 */
#ifndef REEVE_COMMAND_COMMAND_LINE_H
#define REEVE_COMMAND_COMMAND_LINE_H

#include "base/err.h"
#include "base/text.h"

/* Every option of every command. */
enum command_flag {
	FLAG_CONFIG,
	FLAG_CONTROL,
	FLAG_JSON,
	FLAG_PRINT,
	FLAG_HEADER,
	FLAG_CLIENT,
	FLAG_TIMEOUT,
	FLAG_REFERENCE,
	FLAG_MANUAL,
	FLAG_MESSAGES,
	FLAG_HELP,
	COMMAND_OPTIONS
};

struct command_option {
	enum command_flag	 id;
	char			 letter;	/* 0: none */
	const char		*name;		/* without "--"; NULL ends the table */
	const char		*value;		/* what its value is called, "FILE"; NULL: it has none */
	bool			 repeats;
	const char		*doc;		/* a sentence */
};

enum { COMMAND_VALUES_MAX = 64, COMMAND_WORDS_MAX = 8 };

struct command_line {
	struct {
		enum command_flag	 id;
		const char		*value;	/* "" for options without one */
	} values[COMMAND_VALUES_MAX];		/* in the order typed */
	size_t		 value_count;
	const char	*words[COMMAND_WORDS_MAX];
	size_t		 word_count;
};

/* What follows the command's name. Values and words are borrowed from argv. */
bool		 command_line_parse(struct command_line *line, const struct command_option *options, int argc,
    char *const *argv, struct err *err);

/* NULL when it was not given. */
const char	*command_line_value(const struct command_line *line, enum command_flag id);
bool		 command_line_has(const struct command_line *line, enum command_flag id);

#endif
