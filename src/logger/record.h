/*
 * record: one log line as the destination wants it.
 *
 *	json	a JSON object passes as it is; any other line (a library's complaint, a program's print) becomes the
 *		`msg` of a record of level info with the source's name
 *	pretty	15:54:01.123 INFO  worker 2  request GET /x 200 1.2ms upstream=127.0.0.1:3000
 *		local time; control characters stay escaped, so a log line cannot play with the terminal
 */
#ifndef REEVE_LOGGER_RECORD_H
#define REEVE_LOGGER_RECORD_H

#include "base/text.h"

/* Whether record_to_json() would leave it as it is. */
bool	record_is_json(struct span line);

/* `to` gets the line without its newline. */
void	record_to_json(struct span line, const char *source, uint64_t wall_ms, struct text *to);
void	record_to_pretty(struct span line, const char *source, uint64_t wall_ms, bool has_colours, struct text *to);

#endif
