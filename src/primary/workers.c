/*
 * Who should be there follows from the edition in use: one worker a seat, born as the identity it names.
 * workers_adjust() compares that with who is there and does what is missing; it is called whenever either side has
 * changed.
 */
#include "primary/inside.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "supervise/process.h"
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <stdio.h>
#include <sys/mman.h>

#define START_TIMEOUT_MS 10000
#define ABORT_TIMEOUT_MS 2000	/* from SIGABRT to SIGKILL */
#define CUT_TIME_MS 5000	/* beyond the grace, for cutting what is left */

/* -- what a worker says -------------------------------------------------------------------------------------------- */

/* The old one of a seat goes as soon as its successor serves. */
static void
seat_hand_over(struct worker_child *successor)
{
	for (EACH_WORKER(successor->primary, at)) {
		struct worker_child *worker = WORKER(at);

		if (worker != successor && worker->seat == successor->seat && !worker->is_leaving &&
		    worker->identity_version < successor->identity_version) {
			worker->is_leaving = true;
			child_stop(&worker->child, worker->primary->current->orders->grace_ms + CUT_TIME_MS);
		}
	}
}

/* The lowest slot that is up makes the health probes for all. */
static void
workers_choose_prober(struct primary *primary)
{
	const struct worker_child *chosen = NULL;

	for (EACH_WORKER(primary, at)) {
		const struct worker_child *worker = WORKER(at);

		if (worker->child.state != CHILD_UP || worker->is_leaving)
			continue;
		if (chosen == NULL || worker->slot < chosen->slot)
			chosen = worker;
	}
	if (chosen != NULL)
		slot_set(&primary->slots->notice.prober, chosen->slot);
}

static void
hear_ready(struct worker_child *worker, uint64_t generation)
{
	if (worker->child.state != CHILD_STARTING) {
		reload_worker_ready(worker, generation);
		return;
	}
	worker->generation = generation;
	child_ready(&worker->child);
	log_say(MSG_WORKER_READY, log_number("worker", worker->slot), log_signed("worker_pid", worker->child.pid),
	    log_number("started_in_ms", child_uptime_ms(&worker->child)));
	workers_choose_prober(worker->primary);
	seat_hand_over(worker);
	primary_worker_ready(worker->primary);
}

static void
hear_failed(struct worker_child *worker, uint64_t generation, struct span why)
{
	size_t len = why.len < sizeof(worker->why) - 1 ? why.len : sizeof(worker->why) - 1;

	memcpy(worker->why, why.at, len);
	worker->why[len] = '\0';
	if (worker->child.state != CHILD_STARTING)
		reload_worker_failed(worker, generation, worker->why);
}

static void
worker_message(void *owner, struct ipc_message *message)
{
	struct worker_child *worker = owner;
	struct unpack unpack = unpack_begin(message->payload);
	uint64_t generation = unpack_number(&unpack);

	switch (message->type) {
	case IPC_READY:
		hear_ready(worker, generation);
		break;
	case IPC_FAILED:
		hear_failed(worker, generation, unpack_span(&unpack));
		break;
	case IPC_IN_USE:
		worker->generation = generation;
		reload_worker_in_use(worker);
		break;
	default:
		break;
	}
}

static void
worker_closed(void *owner)
{
	(void)owner;	/* its end is told by child_end */
}

static const struct channel_events worker_events = { worker_message, worker_closed };

/* -- its process --------------------------------------------------------------------------------------------------- */

/* In the child: everything but what it was given is closed, the shared memory stays. */
static void __attribute__((noreturn))
worker_be_born(const struct worker_birth *birth)
{
	int *keep = memory_alloc((4 + birth->listener_count) * sizeof(*keep));
	size_t count = 0;

	keep[count++] = birth->channel_fd;
	keep[count++] = birth->bundle_fd;
	keep[count++] = birth->log_fd;
	keep[count++] = birth->crash_fd;
	for (size_t i = 0; i < birth->listener_count; i++)
		keep[count++] = birth->listeners[i].fd;
	process_close_others(keep, count);
	memory_free(keep);
	worker_main(birth);
}

static struct worker_listener *
birth_listeners(const struct worker_child *worker)
{
	const struct listeners *listeners = &worker->primary->current->listeners;
	struct worker_listener *given = memory_alloc(listeners->count * sizeof(*given));

	for (size_t i = 0; i < listeners->count; i++) {
		given[i] = (struct worker_listener){
			.id = listener_id(listeners->items[i]),
			.fd = listener_fd(listeners->items[i], worker->seat),
		};
	}
	return given;
}

static pid_t
worker_fork(struct worker_child *worker, int channel_fd, struct err *err)
{
	struct primary *primary = worker->primary;
	const struct edition *edition = primary->current;
	struct worker_listener *listeners = birth_listeners(worker);
	struct worker_birth birth = {
		    .slot = worker->slot,
		    .generation = edition->generation,
		    .channel_fd = channel_fd,
		    .bundle_fd = edition->bundle_fd,
		    .log_fd = logs_write_end(primary, worker->slot),
		    .crash_fd = worker->crash_fd,
		    .listeners = listeners,
		    .listener_count = edition->listeners.count,
		    .slots = primary->slots,
		    .board = primary->board,
		    .ticket_ring = primary->ticket_ring,
		    .identity = edition->orders->has_identity ? &edition->orders->identity : NULL,
	};
	pid_t pid = -1;

	if (birth.log_fd < 0)
		err_set_errno(err, "cannot make a pipe for its log lines");
	else
		pid = process_fork(err);
	if (pid == 0)
		worker_be_born(&birth);
	memory_free(listeners);
	return pid;
}

/* -1: no process came of it. */
static pid_t
worker_try(struct worker_child *worker, struct err *err)
{
	int fds[2];
	pid_t pid;

	worker->awaits_ready = false;
	worker->awaits_use = false;
	worker->identity_version = worker->primary->identity_version;
	worker->generation = worker->primary->current->generation;
	worker->sampled_requests = 0;
	if (!channel_pair(fds, err))
		return -1;
	worker->crash_fd = memfd_create("reeve-crash", MFD_CLOEXEC);
	pid = worker_fork(worker, fds[1], err);
	fd_close(&fds[1]);
	if (pid < 0) {
		fd_close(&fds[0]);
		fd_close(&worker->crash_fd);
		return -1;
	}
	worker->channel = channel_open(worker->primary->loop, fds[0], &worker_events, worker);
	reload_worker_started(worker);
	return pid;
}

static pid_t
worker_start(void *owner, struct err *err)
{
	struct worker_child *worker = owner;
	pid_t pid;

	worker->why[0] = '\0';
	pid = worker_try(worker, err);
	if (pid < 0)
		snprintf(worker->why, sizeof(worker->why), "%.*s", (int)sizeof(worker->why) - 1, err->text);
	return pid;
}

static void
drain_send(struct worker_child *worker, uint64_t grace_ms, uint64_t idle_ms)
{
	struct text payload = { 0 };

	if (worker->channel == NULL)
		return;
	pack_number(&payload, grace_ms);
	pack_number(&payload, idle_ms);
	channel_send(worker->channel, IPC_DRAIN, text_span(&payload), NULL, 0);
	text_fini(&payload);
}

static void
worker_ask_to_stop(void *owner)
{
	struct worker_child *worker = owner;
	const struct orders *orders = worker->primary->current->orders;

	if (worker->primary->is_stopping_now)
		drain_send(worker, 0, 0);
	else
		drain_send(worker, orders->grace_ms, orders->idle_ms);
}

/* A connection that this one was woken for would else wait until the next one comes. */
static void
others_look(const struct worker_child *dead)
{
	for (EACH_WORKER(dead->primary, at)) {
		if (WORKER(at) != dead && WORKER(at)->child.state == CHILD_UP)
			channel_send_plain(WORKER(at)->channel, IPC_LOOK);
	}
}

static void
worker_ended(void *owner, const struct child_end *end)
{
	struct worker_child *worker = owner;

	if (worker->channel != NULL)
		channel_hear_rest(worker->channel);
	worker_death(worker, end);
	channel_close(worker->channel);
	worker->channel = NULL;
	fd_close(&worker->crash_fd);
	slots_retire(worker->primary->slots, worker->slot);
	workers_choose_prober(worker->primary);
	if (!end->was_asked)
		others_look(worker);
	reload_worker_ended(worker);
}

static void
worker_free(struct later *later)
{
	memory_free(LIST_OWNER(later, struct worker_child, later));
}

static void
worker_dead(void *owner)
{
	struct worker_child *worker = owner;
	struct primary *primary = worker->primary;

	list_remove(&worker->node);
	channel_close(worker->channel);
	fd_close(&worker->crash_fd);
	child_fini(&worker->child);
	loop_free_later(primary->loop, &worker->later, worker_free);
	primary_worker_gone(primary);
}

static const struct child_kind worker_kind = {
	.name = "worker",
	.start_timeout_ms = START_TIMEOUT_MS,
	.abort_timeout_ms = ABORT_TIMEOUT_MS,
	.backoff = { .initial_ms = 100, .max_ms = 5000, .reset_after_ms = 30000 },
	.start = worker_start,
	.ask_to_stop = worker_ask_to_stop,
	.on_end = worker_ended,
	.on_dead = worker_dead,
};

/* -- who is there -------------------------------------------------------------------------------------------------- */

struct slot *
worker_slot(const struct worker_child *worker)
{
	return &worker->primary->slots->workers[worker->slot];
}

/* The lowest that nobody has; -1: all are taken. */
static int
slot_free_number(struct primary *primary)
{
	for (int number = 0; number < SLOTS_MAX; number++) {
		bool is_taken = false;

		for (EACH_WORKER(primary, at))
			is_taken |= WORKER(at)->slot == (unsigned)number;
		if (!is_taken)
			return number;
	}
	return -1;
}

static void
worker_create(struct primary *primary, unsigned seat)
{
	struct worker_child *worker;
	int slot = slot_free_number(primary);

	if (slot < 0)
		return;	/* tried again when one has gone */
	worker = memory_zalloc(sizeof(*worker));
	worker->primary = primary;
	worker->slot = (unsigned)slot;
	worker->seat = seat;
	worker->crash_fd = -1;
	child_init(&worker->child, &worker_kind, primary->loop, primary->family, worker);
	list_add_last(&primary->workers, &worker->node);
}

static void
worker_leave(struct worker_child *worker)
{
	if (worker->is_leaving)
		return;
	worker->is_leaving = true;
	child_stop(&worker->child, worker->primary->current->orders->grace_ms + CUT_TIME_MS);
}

/* Of those who stay, the one born as the edition wants it, else any. */
static struct worker_child *
seat_find(struct primary *primary, unsigned seat)
{
	struct worker_child *found = NULL;

	for (EACH_WORKER(primary, at)) {
		struct worker_child *worker = WORKER(at);

		if (worker->seat != seat || worker->is_leaving)
			continue;
		if (found == NULL || worker->identity_version > found->identity_version)
			found = worker;
	}
	return found;
}

/* A process that only waits to be born will be born as somebody else by itself. */
static bool
is_of_old_identity(const struct worker_child *worker)
{
	return child_is_alive(&worker->child) && worker->identity_version != worker->primary->identity_version;
}

void
workers_adjust(struct primary *primary)
{
	unsigned wanted = primary->current->orders->workers;

	if (primary->is_draining)
		return;
	slot_set(&primary->slots->notice.workers, wanted);
	for (EACH_WORKER(primary, at)) {
		if (WORKER(at)->seat >= wanted)
			worker_leave(WORKER(at));
	}
	for (unsigned seat = 0; seat < wanted; seat++) {
		const struct worker_child *worker = seat_find(primary, seat);

		if (worker == NULL || is_of_old_identity(worker))
			worker_create(primary, seat);
	}
	/* All are there before the first is tried, so that its failure is not taken for everybody's. */
	for (EACH_WORKER(primary, at)) {
		if (WORKER(at)->child.state == CHILD_IDLE)
			child_start(&WORKER(at)->child);
	}
}

void
workers_stop(struct primary *primary, uint64_t grace_ms, uint64_t idle_ms)
{
	for (EACH_WORKER(primary, at)) {
		struct worker_child *worker = WORKER(at);

		if (worker->child.state == CHILD_STOPPING)
			drain_send(worker, grace_ms, idle_ms);
		worker->is_leaving = true;
		child_stop(&worker->child, grace_ms + (primary->is_stopping_now ? CUT_TIME_MS / 5 : CUT_TIME_MS));
	}
}

unsigned
workers_count(const struct primary *primary)
{
	unsigned count = 0;

	for (EACH_WORKER(primary, at))
		count++;
	return count;
}

void
worker_send_number(struct worker_child *worker, enum ipc_type type, uint64_t number)
{
	struct text payload = { 0 };

	if (worker->channel == NULL)
		return;
	pack_number(&payload, number);
	channel_send(worker->channel, type, text_span(&payload), NULL, 0);
	text_fini(&payload);
}
