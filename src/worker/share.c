/*
 * EPOLLEXCLUSIVE and re-adding spread arrivals evenly, but connections that stay add up: whoever was free when a burst
 * came has them all. So a worker that has more than its share lets the others go first.
 */
#include "worker/inside.h"

#define TOLERANCE 16	/* one part of so many above the mean is no matter */
#define TOLERANCE_MIN 2

/* Slots are numbered from the lowest, so while some are replaced there are at most twice as many. */
static void
share_look(struct worker *worker, uint64_t now_ms)
{
	const struct slots *slots = worker->birth->slots;
	uint64_t numbers = slot_get(&slots->notice.workers) * 2;
	struct share share = { .at_ms = now_ms };

	for (uint64_t i = 0; i < numbers && i < SLOTS_MAX; i++) {
		const struct slot *slot = &slots->workers[i];

		if (slot == worker->slot || slot_get(&slot->pid) == 0 || slot_get(&slot->draining) != 0)
			continue;
		share.others += slot_get(&slot->connections);
		share.other_count++;
	}
	worker->share = share;
}

bool
share_is_exceeded(struct worker *worker)
{
	uint64_t now_ms = loop_now_ms(worker->loop);
	uint64_t own = slot_get(&worker->slot->connections);
	uint64_t mean;

	if (own <= TOLERANCE_MIN)
		return false;
	if (worker->share.at_ms != now_ms)
		share_look(worker, now_ms);
	mean = (worker->share.others + own) / (worker->share.other_count + 1);
	return own > mean + mean / TOLERANCE + TOLERANCE_MIN;
}
