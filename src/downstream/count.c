/* What the slot tells of requests: those in flight, and how those that are over have ended. */
#include "downstream/conn.h"

#include "base/count.h"
#include "store/slots.h"

void
downstream_count_begin(struct downstream *downstream)
{
	slot_add(&downstream->slot->requests_active, 1);
}

void
downstream_count_end(struct downstream *downstream, const struct request *request)
{
	static const size_t classes[] = {
		[1] = offsetof(struct slot_totals, responses_1xx), [2] = offsetof(struct slot_totals, responses_2xx),
		[3] = offsetof(struct slot_totals, responses_3xx), [4] = offsetof(struct slot_totals, responses_4xx),
		[5] = offsetof(struct slot_totals, responses_5xx),
	};
	struct slot_totals *totals = &downstream->slot->totals;
	unsigned class = request->response.status / 100;

	slot_set(&downstream->slot->requests_active, slot_get(&downstream->slot->requests_active) - 1);
	slot_add(&totals->requests, 1);
	slot_add(&totals->bytes_in, request->bytes_in);
	slot_add(&totals->bytes_out, request->bytes_out);
	if (request->state == REQUEST_ABORTED)
		slot_add(&totals->aborted, 1);
	if (class >= 1 && class < COUNT(classes))
		slot_add((uint64_t *)(void *)((char *)totals + classes[class]), 1);
}
