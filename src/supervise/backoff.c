/* The jitter keeps many children that died together from coming back together. */
#include "supervise/backoff.h"

#include "base/hash.h"

#include <stddef.h>

#define JITTER_PERCENT 20

static uint64_t
with_jitter(uint64_t ms)
{
	uint64_t span = ms * 2 * JITTER_PERCENT / 100;

	return ms - span / 2 + random_below(span + 1);
}

uint64_t
backoff_next(struct backoff *backoff, uint64_t healthy_ms)
{
	uint64_t delay_ms;

	if (healthy_ms >= backoff->reset_after_ms)
		backoff->next_ms = 0;
	delay_ms = backoff->next_ms;
	if (delay_ms == 0)
		backoff->next_ms = backoff->initial_ms;
	else
		backoff->next_ms = delay_ms * 2 < backoff->max_ms ? delay_ms * 2 : backoff->max_ms;
	return with_jitter(delay_ms);
}
