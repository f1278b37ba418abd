/* Waits for the end of the process and not only for the answer: a script may start the next one at once. */
#include "command/ask.h"

int
cmd_stop(const struct command_line *line)
{
	return ask_and_print(line, &(struct question){ .verb = "stop", .what = "stopping", .until_end = true });
}
