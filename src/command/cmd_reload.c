#include "command/ask.h"

int
cmd_reload(const struct command_line *line)
{
	return ask_and_print(line, &(struct question){ .verb = "reload", .what = "reloading", .timeout_ms = 120000 });
}
