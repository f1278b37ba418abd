#include "command/ask.h"

int
cmd_stop(const struct command_line *line)
{
	return ask_and_print(line, &(struct question){ .verb = "stop", .what = "stopping", .until_end = true });
}
