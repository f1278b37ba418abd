/*
 * commands: the table of subcommands. A row and a cmd_*.c make one; from the rows come dispatch, usage, `reeve help`
 * and reeve(1).
 */
#ifndef REEVE_COMMAND_COMMANDS_H
#define REEVE_COMMAND_COMMANDS_H

#include "command/command_line.h"

/* Exit codes of all commands. */
enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_MISUSED = 2 };

typedef int command_run(const struct command_line *line);

struct command {
	const char			*name;		/* NULL ends the table */
	const char			*words;		/* "METHOD URL", optional ones in brackets; "": none */
	unsigned			 words_min;
	unsigned			 words_max;
	const struct command_option	*options;	/* NULL: not supported in this version */
	command_run			*run;
	const char			*summary;	/* for the list: no capital, no full stop */
	const char			*doc;		/* paragraphs, a newline between two */
};

extern const struct command commands[];

const struct command	*command_find(const char *name);	/* NULL: none, also those of later versions */

/* Says so on stderr, with what may have been meant. The exit code. */
int			 command_unknown(const char *name);

command_run		 cmd_run, cmd_check, cmd_explain, cmd_status, cmd_reload, cmd_stop, cmd_reopen_logs,
    cmd_version, cmd_help;

/* All of it: what main() got. Returns the exit code. */
int			 command_main(int argc, char *const *argv);

#endif
