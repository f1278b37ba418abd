/*
 * No new connections; those that wait in a queue are taken, because they were told that they stand. Requests in flight
 * finish, idle connections get one more answer or their `idle` time; what is left after `grace` is cut.
 */
#include "worker/inside.h"

#include "upstream/upstreams.h"

static void
worker_cut(void *owner)
{
	struct worker *worker = owner;

	downstream_cut(worker->downstream);
	worker_is_empty(worker);
}

void
worker_drain(struct worker *worker, uint64_t grace_ms, uint64_t idle_ms)
{
	if (!worker->is_draining) {
		worker->is_draining = true;
		slot_set(&worker->slot->draining, 1);
		timer_init(&worker->grace, worker->loop, worker_cut, worker);
		entrances_close(worker);
		downstream_drain(worker->downstream, idle_ms);
		upstream_world_drain(worker->world);
	}
	if (!worker->is_empty)
		timer_arm(&worker->grace, grace_ms);
}

void
worker_is_empty(struct worker *worker)
{
	worker->is_empty = true;
	timer_disarm(&worker->grace);
	loop_stop(worker->loop);
}
