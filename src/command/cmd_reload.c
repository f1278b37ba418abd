/* The answer comes when all workers use the new configuration, or with the reasons why none does. */
#include "command/ask.h"

int
cmd_reload(const struct command_line *line)
{
	return ask_and_print(line, &(struct question){ .verb = "reload", .what = "reloading", .timeout_ms = 120000 });
}
