/*
 * clock: what time it is.
 *
 * Timeouts use the monotonic clock only; the wall clock is for what people and HTTP read. Inside a loop prefer
 * loop_now_ms(), which costs nothing.
 */
#ifndef REEVE_BASE_CLOCK_H
#define REEVE_BASE_CLOCK_H

#include "base/text.h"

#include <stdint.h>

uint64_t	clock_ms(void);		/* monotonic, ms */
uint64_t	clock_ns(void);		/* monotonic, ns */
uint64_t	clock_wall_ms(void);	/* since 1970-01-01T00:00:00Z, ms */

/* "2026-11-20T15:54:01.123Z" (RFC 3339), 24 bytes at `to`, not NUL-terminated. */
void		clock_format_rfc3339(char to[24], uint64_t wall_ms);

#endif
