/* Rates are differences of counters that only grow, over the time between two looks. */
#include "primary/inside.h"

#include "base/clock.h"

#define EVERY_MS 1000

static double
rate(uint64_t before, uint64_t now, uint64_t ms)
{
	return now > before && ms > 0 ? (double)(now - before) * 1000.0 / (double)ms : 0.0;
}

static void
sample_take(void *owner)
{
	struct primary *primary = owner;
	struct sample *sample = &primary->sample;
	struct slot_totals totals;
	uint64_t now_ms = clock_ms();

	for (EACH_WORKER(primary, at)) {
		struct worker_child *worker = WORKER(at);
		uint64_t requests = slot_get(&worker_slot(worker)->totals.requests);

		worker->requests_per_second = rate(worker->sampled_requests, requests, now_ms - sample->at_ms);
		worker->sampled_requests = requests;
	}
	slots_sum(primary->slots, &totals);
	sample->requests_per_second = rate(sample->requests, totals.requests, now_ms - sample->at_ms);
	sample->requests = totals.requests;
	sample->at_ms = now_ms;
	rollback_tidy(primary);
	timer_arm(&sample->timer, EVERY_MS);
}

void
sample_start(struct primary *primary)
{
	primary->sample.at_ms = clock_ms();
	timer_init(&primary->sample.timer, primary->loop, sample_take, primary);
	timer_arm(&primary->sample.timer, EVERY_MS);
}

void
sample_stop(struct primary *primary)
{
	timer_fini(&primary->sample.timer);
}
