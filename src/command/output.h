/*
 * output: what a command prints, where and how.
 *
 * Results go to stdout, why something failed to stderr. Colours only on terminals, and never when NO_COLOR is set.
 */
#ifndef REEVE_COMMAND_OUTPUT_H
#define REEVE_COMMAND_OUTPUT_H

#include "base/text.h"

#include <stdio.h>

/* To stdout, at once. False: it could not be written (a full disk, a closed pipe); stderr has been told. */
bool	output_print(struct span text);

/* "reeve: what went wrong" on stderr. Always COMMAND_FAILED. */
int	output_fail(const char *sentence);

enum paint { PAINT_BOLD, PAINT_RED, PAINT_YELLOW, PAINT_GREEN, PAINT_DIM };

bool	output_has_colours(FILE *stream);
void	output_paint(struct text *to, bool has_colours, enum paint paint, struct span text);

/*
 * A line on stderr, when that is a terminal, that tells how long something takes already. As control_wait_fn; owner is
 * the struct. Shown from one second on.
 */
struct waiting {
	const char	*what;	/* "reloading" */
	bool		 is_shown;
};

void	waiting_show(void *owner, uint64_t waited_ms, struct span progress);
void	waiting_end(struct waiting *waiting);	/* takes it away again */

#endif
