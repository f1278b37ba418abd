/*
 * lines: whole lines from the chunks in which a pipe gives them.
 *
 * A line longer than LINE_MAX_BYTES comes in pieces of that size, each as a line. Empty lines and the CR before a
 * newline are left out.
 */
#ifndef REEVE_LOGGER_LINES_H
#define REEVE_LOGGER_LINES_H

#include "base/text.h"

enum { LINE_MAX_BYTES = 65536 };

/* A line without its newline, never empty, borrowed for the call. */
typedef void line_fn(void *owner, struct span line);

struct lines {
	struct text	 partial;	/* the line whose end has not come yet; less than LINE_MAX_BYTES */
	line_fn		*on_line;
	void		*owner;
};

void	lines_init(struct lines *lines, line_fn *on_line, void *owner);
void	lines_fini(struct lines *lines);
void	lines_add(struct lines *lines, struct span chunk);
void	lines_end(struct lines *lines);	/* what is partial is a line now */

#endif
