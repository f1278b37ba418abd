/*
 * date: HTTP dates (RFC 9110 §5.6.7): written as IMF-fixdate, read in all three forms.
 */
#ifndef REEVE_HTTP_DATE_H
#define REEVE_HTTP_DATE_H

#include "base/span.h"

enum { HTTP_DATE_LENGTH = 29 };	/* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Times before 1970 are written as its start, those after the year 9999 as its end. */
void		http_date_format(char to[HTTP_DATE_LENGTH], int64_t unix_seconds);
/* A two-digit year is the one that is at most 50 years ahead. Whether the day of the week fits is not looked at. */
bool		http_date_parse(struct span from, int64_t *unix_seconds_out);

/* The current date, made once a second. Valid until the next call with another second. */
struct span	http_date_at(uint64_t wall_ms);

#endif
