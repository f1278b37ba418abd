/* Only what the primary has to be told: it finds out all else, and reads no configuration itself. */
#include "command/commands.h"
#include "command/output.h"
#include "command/places.h"
#include "primary/primary.h"

int
cmd_run(const struct command_line *line)
{
	struct err err;
	const char *config = config_place(line, &err);

	if (config == NULL)
		return output_fail(err.text);
	return primary_run(config, command_line_value(line, FLAG_CONTROL));
}
