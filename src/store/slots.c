/* One shared anonymous mapping; pages of slots that nobody uses are never touched. */
#include "store/slots.h"

#include "base/count.h"
#include "store/shared.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define SLOT_TOTAL_ROW(name, doc) { #name, doc, offsetof(struct slot_totals, name) },
const struct slot_total_row slot_total_rows[] = { SLOT_TOTALS(SLOT_TOTAL_ROW){ 0 } };
#undef SLOT_TOTAL_ROW

static_assert(COUNT(slot_total_rows) - 1 == sizeof(struct slot_totals) / sizeof(uint64_t), "every total has a row");
static_assert(sizeof(struct slot) % 64 == 0 && offsetof(struct slots, workers) % 64 == 0,
    "two workers never write into one cache line");

struct slots *
slots_create(struct err *err)
{
	return shared_create(sizeof(struct slots), err);
}

void
slots_free(struct slots *slots)
{
	shared_free(slots, sizeof(*slots));
}

/* The totals as what they are: a row of numbers. */
static void
totals_add(struct slot_totals *sum, const struct slot_totals *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		slot_add(&to[i], slot_get(&from[i]));
}

/* A pid stays in a slot until it is retired, so a look at it spares touching pages of unused slots' totals. */
void
slots_sum(const struct slots *slots, struct slot_totals *sum_out)
{
	*sum_out = (struct slot_totals){ 0 };
	totals_add(sum_out, &slots->retired);
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		if (slot_get(&slots->workers[i].pid) != 0)
			totals_add(sum_out, &slots->workers[i].totals);
	}
}

void
slots_retire(struct slots *slots, unsigned number)
{
	assert(number < SLOTS_MAX);
	totals_add(&slots->retired, &slots->workers[number].totals);
	slot_add(&slots->retired.connections_closed, slot_get(&slots->workers[number].connections));
	memset(&slots->workers[number], 0, sizeof(slots->workers[number]));
}
