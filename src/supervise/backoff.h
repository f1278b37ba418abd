/*
 * backoff: how long to wait before something that failed is tried again.
 *
 *	at once, initial, initial × 2, × 4 … max, each ±20 %; from the start again after it was healthy for reset_after
 */
#ifndef REEVE_SUPERVISE_BACKOFF_H
#define REEVE_SUPERVISE_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t	initial_ms;
	uint64_t	max_ms;
	uint64_t	reset_after_ms;
	uint64_t	next_ms;	/* 0: the next try is at once */
};

/* The delay before the next try, after one that was healthy for so long. */
uint64_t	backoff_next(struct backoff *backoff, uint64_t healthy_ms);

#endif
