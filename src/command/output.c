/* Whether somebody looks at it decides: colours and the line that counts seconds are for terminals alone. */
#include "command/output.h"

#include "command/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_AFTER_MS 1000u

bool
output_print(struct span text)
{
	if (fwrite(text.at, 1, text.len, stdout) == text.len && fflush(stdout) == 0)
		return true;
	if (errno != EPIPE)
		fprintf(stderr, "reeve: cannot write to stdout: %s\n", strerror(errno));
	return false;
}

int
output_fail(const char *sentence)
{
	fprintf(stderr, "reeve: %s\n", sentence);
	return COMMAND_FAILED;
}

bool
output_has_colours(FILE *stream)
{
	const char *refusal = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (refusal && *refusal)
		return false;
	return isatty(fileno(stream)) && !(terminal && strcmp(terminal, "dumb") == 0);
}

void
output_paint(struct text *to, bool has_colours, enum paint paint, struct span text)
{
	static const char *const codes[] = {
		[PAINT_BOLD] = "1", [PAINT_RED] = "31", [PAINT_YELLOW] = "33", [PAINT_GREEN] = "32", [PAINT_DIM] = "2",
	};

	if (has_colours)
		text_format(to, "\033[%sm", codes[paint]);
	text_add(to, text);
	if (has_colours)
		text_add_text(to, "\033[0m");
}

void
waiting_show(void *owner, uint64_t waited_ms, struct span progress)
{
	struct waiting *waiting = owner;

	if (waited_ms < SHOWN_AFTER_MS || !isatty(STDERR_FILENO))
		return;
	waiting->is_shown = true;
	fprintf(stderr, "\r\033[K%s: %u s%s%.*s", waiting->what, (unsigned)(waited_ms / 1000), progress.len ? ", " : "",
	    (int)progress.len, progress.len ? progress.at : "");
	fflush(stderr);
}

void
waiting_end(struct waiting *waiting)
{
	if (waiting->is_shown)
		fputs("\r\033[K", stderr);
	waiting->is_shown = false;
}
