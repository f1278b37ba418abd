/*
 * ask: a question to the running reeve, as all commands ask it: finding it, waiting with a line on the terminal, and
 * telling what went wrong.
 */
#ifndef REEVE_COMMAND_ASK_H
#define REEVE_COMMAND_ASK_H

#include "command/commands.h"

struct question {
	const char	*verb;
	const char	*what;		/* while waiting: "reloading" */
	uint64_t	 timeout_ms;	/* unless --timeout says otherwise; 0: for ever */
	bool		 until_end;	/* then wait until its process has gone */
};

/* True: answer_out has the answer. False: why not has been told on stderr; *code_out is the command's exit code. */
bool	ask(const struct command_line *line, const struct question *question, struct text *answer_out, int *code_out);

/* The whole of a command that only prints the outcome. */
int	ask_and_print(const struct command_line *line, const struct question *question);

#endif
