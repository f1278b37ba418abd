/* From the fork to the exit: what a worker is given, what it hears, and what it leaves in order. */
#include "worker/worker.h"

#include "base/count.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/title.h"
#include "store/ticket_ring.h"
#include "upstream/upstreams.h"
#include "worker/crash.h"
#include "worker/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FULL_TOLD_EVERY_MS 10000

/* -- what others say ----------------------------------------------------------------------------------------------- */

static void
hear_drain(struct worker *worker, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);
	uint64_t grace_ms = unpack_number(&unpack);

	worker_drain(worker, grace_ms, unpack_number(&unpack));
}

static void
hear_look(struct worker *worker, struct ipc_message *message)
{
	(void)message;
	entrances_look(worker);
}

static void
channel_message(void *owner, struct ipc_message *message)
{
	static const struct {
		enum ipc_type	type;
		void		(*hear)(struct worker *worker, struct ipc_message *message);
	} rows[] = {
		{ IPC_LISTENERS, worker_add_listeners },
		{ IPC_PREPARE, worker_prepare },
		{ IPC_COMMIT, worker_commit },
		{ IPC_ABORT, worker_abort },
		{ IPC_DRAIN, hear_drain },
		{ IPC_LOOK, hear_look },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].type == message->type)
			rows[i].hear(owner, message);
	}
}

/* Nobody can tell us anything any more: what was begun is finished, then there is no reason to stay. */
static void
channel_closed(void *owner)
{
	struct worker *worker = owner;
	const struct shutdown_options *shutdown = &site_options(worker->site)->shutdown;

	log_say(MSG_PRIMARY_GONE);
	channel_close(worker->channel);
	worker->channel = NULL;
	worker_forget_next(worker);
	worker_drain(worker, shutdown->grace, shutdown->idle);
}

static const struct channel_events channel_events = { channel_message, channel_closed };

static void
downstream_request(void *owner, struct request *request)
{
	site_serve(((struct worker *)owner)->site, request);
}

static void
downstream_refused(void *owner, struct request *request, unsigned status, const char *why)
{
	site_refuse(((struct worker *)owner)->site, request, status, why);
}

/* At the limit it is full and not full many times a second. */
static void
full_tell(struct worker *worker)
{
	uint64_t now_ms = loop_now_ms(worker->loop);

	if (worker->full_told_ms != 0 && now_ms - worker->full_told_ms < FULL_TOLD_EVERY_MS)
		return;
	worker->full_told_ms = now_ms;
	log_say(MSG_ACCEPT_PAUSED, log_text("reason", "limits.connections, or half of the open files allowed"),
	    log_number("connections", worker->limits.connections));
}

static void
downstream_full(void *owner, bool full)
{
	struct worker *worker = owner;

	if (full == worker->is_full)
		return;
	worker->is_full = full;
	entrances_pause(worker, full);
	if (full)
		full_tell(worker);
}

static void
downstream_empty(void *owner)
{
	worker_is_empty(owner);
}

static const struct downstream_events downstream_events = {
	.on_request = downstream_request,
	.on_refused = downstream_refused,
	.on_full = downstream_full,
	.on_empty = downstream_empty,
};

/* -- life ---------------------------------------------------------------------------------------------------------- */

static bool
worker_open(struct worker *worker, struct err *err)
{
	const struct worker_birth *birth = worker->birth;

	worker->loop = loop_create(err);
	if (worker->loop == NULL)
		return false;
	worker->tickets = ticket_ring_keys(birth->ticket_ring);
	worker->channel = channel_open(worker->loop, birth->channel_fd, &channel_events, worker);
	worker->log_pipe = log_pipe_open(worker->loop, birth->log_fd, &worker->slot->totals.log_dropped);
	worker->world = upstream_world_create(worker->loop, birth->board, birth->slots, worker->slot, birth->slot);
	worker->downstream = downstream_create(worker->loop, &downstream_events, worker, worker->slot);
	pulse_start(worker);
	return true;
}

static bool
worker_start(struct worker *worker, struct err *err)
{
	const struct worker_birth *birth = worker->birth;
	struct listener_ids ids = { .count = birth->listener_count };
	struct site *site;

	site = privileges_drop(birth->identity, err) ? site_from_bundle(worker, birth->bundle_fd, err) : NULL;
	close(birth->bundle_fd);
	if (site == NULL)
		return false;
	ids.items = memory_alloc((ids.count + 1) * sizeof(*ids.items));
	for (size_t i = 0; i < ids.count; i++) {
		ids.items[i] = birth->listeners[i].id;
		entrance_add(worker, birth->listeners[i].id, birth->listeners[i].fd);
	}
	worker_use(worker, site, birth->generation, &ids);
	memory_free(ids.items);
	return true;
}

static void
worker_close(struct worker *worker)
{
	entrances_close(worker);
	downstream_free(worker->downstream);
	worker_forget_next(worker);
	site_unref(worker->site);
	upstream_world_free(worker->world);
	entrances_free(worker);
	channel_close(worker->channel);
	timer_fini(&worker->grace);
	pulse_stop(worker);
	log_pipe_close(worker->log_pipe);
	loop_free(worker->loop);
}

static void __attribute__((noreturn))
worker_give_up(struct worker *worker, const struct err *err)
{
	struct text payload = { 0 };

	pack_number(&payload, worker->birth->generation);
	pack_span(&payload, span_text(err->text));
	(void)channel_send_now(worker->birth->channel_fd, IPC_FAILED, text_span(&payload), NULL, 0);
	exit(EXIT_FAILURE);
}

/* One a process; here so that what it owns is found, also by those who look for leaks. */
static struct worker worker;

void
worker_main(const struct worker_birth *birth)
{
	struct err err = { "" };

	worker.birth = birth;
	worker.slot = &birth->slots->workers[birth->slot];
	list_init(&worker.entrances);
	snprintf(worker.role, sizeof(worker.role), "worker %u", birth->slot);
	signals_ignore();
	log_to(NULL, NULL);
	title_set("reeve: %s", worker.role);
	crash_report_to(birth->crash_fd, worker.role);
	slot_set(&worker.slot->pid, (uint64_t)getpid());
	if (!worker_open(&worker, &err) || !worker_start(&worker, &err))
		worker_give_up(&worker, &err);
	worker_say(&worker, IPC_READY, birth->generation);
	loop_run(worker.loop);
	worker_close(&worker);
	exit(EXIT_SUCCESS);
}
