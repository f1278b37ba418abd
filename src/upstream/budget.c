/* A ring of seconds and its sum; seconds that went by are taken out of the sum when the next one counts something. */
#include "upstream/budget.h"

static void
second_drop(struct budget *budget, uint64_t second)
{
	unsigned at = (unsigned)(second % BUDGET_SECONDS);

	budget->requests -= budget->requests_at[at];
	budget->retries -= budget->retries_at[at];
	budget->requests_at[at] = 0;
	budget->retries_at[at] = 0;
}

static unsigned
budget_turn(struct budget *budget, uint64_t now_ms)
{
	uint64_t second = now_ms / 1000;

	if (second > budget->second + BUDGET_SECONDS)
		budget->second = second - BUDGET_SECONDS;
	while (budget->second < second)
		second_drop(budget, ++budget->second);
	return (unsigned)(budget->second % BUDGET_SECONDS);
}

void
budget_count_request(struct budget *budget, uint64_t now_ms)
{
	budget->requests_at[budget_turn(budget, now_ms)]++;
	budget->requests++;
}

bool
budget_take(struct budget *budget, uint64_t percent, uint64_t now_ms)
{
	unsigned at = budget_turn(budget, now_ms);
	uint64_t allowed = budget->requests * percent / 100;

	if (percent == 0 || budget->retries >= (allowed > BUDGET_FEW ? allowed : BUDGET_FEW))
		return false;
	budget->retries_at[at]++;
	budget->retries++;
	return true;
}
