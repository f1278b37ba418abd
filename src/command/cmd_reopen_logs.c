/* The answer comes when the logger has opened its file anew, so that logrotate may compress the old one. */
#include "command/ask.h"

int
cmd_reopen_logs(const struct command_line *line)
{
	return ask_and_print(line,
	    &(struct question){ .verb = "reopen-logs", .what = "reopening log files", .timeout_ms = 10000 });
}
