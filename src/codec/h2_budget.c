/*
 * The buckets leak in steps of a tenth of a second, so that whole numbers do.
 */
#include "codec/h2_budget.h"

enum { STEP_MS = 100, STEPS_A_SECOND = 10, BURST_SECONDS = 2 };

#define H2_COST_ROW(name, factor, text) { factor, text },
static const struct { uint16_t factor; const char *text; } costs[] = { H2_COSTS(H2_COST_ROW) };

void
h2_budget_init(struct h2_budget *budget, uint64_t now_ms)
{
	*budget = (struct h2_budget){ .leaked_ms = now_ms };
}

static void
leak(struct h2_budget *budget, uint64_t per_second, uint64_t now_ms)
{
	uint64_t steps = (now_ms - budget->leaked_ms) / STEP_MS;

	if (steps == 0)
		return;
	budget->leaked_ms += steps * STEP_MS;
	if (steps > BURST_SECONDS * STEPS_A_SECOND)
		steps = BURST_SECONDS * STEPS_A_SECOND;
	for (unsigned i = 0; i < H2_COST_COUNT; i++) {
		uint64_t amount = steps * per_second * costs[i].factor;

		budget->level[i] = amount < budget->level[i] ? budget->level[i] - (uint32_t)amount : 0;
	}
}

/* A level counts tenths, so that a step's share of a second is whole. */
bool
h2_budget_spend(struct h2_budget *budget, enum h2_cost cost, uint64_t per_second, uint64_t now_ms)
{
	uint64_t burst = BURST_SECONDS * STEPS_A_SECOND * per_second * costs[cost].factor;

	leak(budget, per_second, now_ms);
	if (budget->level[cost] + STEPS_A_SECOND > burst)
		return false;
	budget->level[cost] += STEPS_A_SECOND;
	return true;
}

const char *
h2_cost_text(enum h2_cost cost)
{
	return costs[cost].text;
}
