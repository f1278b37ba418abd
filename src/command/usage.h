/*
 * usage: the commands' table as text: for the terminal, and as part of reeve(1).
 */
#ifndef REEVE_COMMAND_USAGE_H
#define REEVE_COMMAND_USAGE_H

#include "command/commands.h"

#include <stdio.h>

void	usage_line(const struct command *command, struct text *to);	/* "reeve explain [-c FILE] … METHOD URL" */
int	usage_print(const struct command *command);			/* all about it, to stdout; the exit code */
int	usage_overview(FILE *to);					/* the list of commands; the exit code */

/* The sections of reeve(1), in mdoc(7). */
void	usage_synopsis_man(struct text *to);
void	usage_commands_man(struct text *to);

#endif
