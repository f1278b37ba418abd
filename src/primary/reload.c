/*
 * A reload in its steps. Until COMMIT nothing has changed; any failure forgets the coming edition.
 *
 *	IDLE ──▶ TRYING ──────────▶ PREPARING ─────────────▶ COMMITTING ──▶ IDLE
 *	          trial child        every worker builds       every worker says that it uses it
 *	            └─ refused ──┴── failed, died, late ──▶ IDLE, and the old one stays
 *
 * One at a time: what is asked meanwhile becomes one more afterwards. A certificate swap (swap.c) goes the same way with a
 * trial of its own. A roll-back (rollback.c) goes it without a trial, with a bundle that was in use before, and no worker
 * that fails can stop it.
 */
#include "primary/inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PREPARE_TIMEOUT_MS 10000

static void reload_begin(struct primary *primary);

/* -- who waits for an answer --------------------------------------------------------------------------------------- */

void
calls_add(struct calls *calls, struct control_call *call)
{
	if (call == NULL)
		return;
	calls->items = memory_resize(calls->items, (calls->count + 1) * sizeof(struct control_call *));
	calls->items[calls->count++] = call;
}

void
calls_reply(struct calls *calls, bool ok, struct span text)
{
	for (size_t i = 0; i < calls->count; i++)
		control_reply(calls->items[i], ok, text);
	memory_free(calls->items);
	*calls = (struct calls){ 0 };
}

/* -- how it ended -------------------------------------------------------------------------------------------------- */

void
reload_say_warnings(struct span lines)
{
	struct span line;

	while (span_cut(&lines, '\n', &line)) {
		if (line.len > 0)
			log_say(MSG_CONFIG_WARNING, log_span("problem", line));
	}
}

static void
awaited_forget(struct primary *primary)
{
	for (EACH_WORKER(primary, at)) {
		WORKER(at)->awaits_ready = false;
		WORKER(at)->awaits_use = false;
	}
}

/* Roll-backs first, since workers die; then what people wait for. */
void
reload_next(struct primary *primary)
{
	struct reload *reload = &primary->reload;

	if (primary->rollback.is_due && rollback_begin(primary))
		return;
	if (reload->is_pending) {
		reload->is_pending = false;
		reload->calls = reload->pending_calls;
		reload->pending_calls = (struct calls){ 0 };
		reload_begin(primary);
	} else if (primary->swap.is_due) {
		swap_begin(primary);
	}
}

static void
reload_end(struct primary *primary)
{
	timer_disarm(&primary->reload.timer);
	awaited_forget(primary);
	primary->reload.state = RELOAD_IDLE;
	primary->reload.trial = NULL;
}

/* To those who asked, to the status, and on to what was asked meanwhile. */
static void
reload_finish(struct primary *primary, bool is_done, const char *result, struct span message)
{
	struct reload *reload = &primary->reload;

	reload_end(primary);
	reload->last_result = result;
	reload->last_ms = clock_wall_ms();
	text_clear(&reload->last_message);
	text_add(&reload->last_message, message);
	calls_reply(&reload->calls, is_done, text_span(&reload->last_message));
	reload_next(primary);
}

static void
next_forget(struct primary *primary)
{
	struct reload *reload = &primary->reload;

	edition_free(reload->next);
	reload->next = NULL;
	control_server_close(reload->next_control);
	reload->next_control = NULL;
}

void
reload_fail(struct primary *primary, struct span why)
{
	struct reload *reload = &primary->reload;

	for (EACH_WORKER(primary, at)) {
		if (reload->state == RELOAD_PREPARING && reload->next != NULL)
			worker_send_number(WORKER(at), IPC_ABORT, reload->next->generation);
	}
	next_forget(primary);
	if (reload->cause == RELOAD_SWAP) {
		reload_end(primary);
		swap_failed(primary, why, false);
		reload_next(primary);
		return;
	}
	log_say(MSG_RELOAD_FAILED, log_span("reason", why));
	reload_finish(primary, false, "failed", why);
}

void
reload_fail_text(struct primary *primary, const char *format, ...)
{
	struct text why = { 0 };
	va_list list;

	va_start(list, format);
	text_format_list(&why, format, list);
	va_end(list);
	reload_fail(primary, text_span(&why));
	text_fini(&why);
}

/* -- phase two: in use --------------------------------------------------------------------------------------------- */

static bool
identity_equal(const struct orders *a, const struct orders *b)
{
	return a->has_identity == b->has_identity &&
	    (!a->has_identity || memcmp(&a->identity, &b->identity, sizeof(a->identity)) == 0);
}

/* Its callers have been told that it ends, or their answer. */
static void
control_replace(struct primary *primary, struct control_server *next)
{
	if (next == NULL)
		return;
	control_server_close(primary->control);
	primary->control = next;
}

static void
asked_done(struct primary *primary)
{
	struct reload *reload = &primary->reload;
	struct control_server *control = reload->next_control;
	struct text message = { 0 };

	reload->next_control = NULL;
	log_say(MSG_RELOADED, log_number("generation", primary->current->generation));
	reload_say_warnings(text_span(&reload->warnings));
	text_add_text(&message, "configuration reloaded");
	if (reload->warnings.len > 0)
		text_format(&message, "\n%s", reload->warnings.bytes);
	calls_reply(&reload->calls, true, text_span(&message));
	control_replace(primary, control);
	reload_finish(primary, true, "ok", text_span(&message));
	text_fini(&message);
}

static void
back_done(struct primary *primary)
{
	struct control_server *control = primary->reload.next_control;

	primary->reload.next_control = NULL;
	control_replace(primary, control);
	if (!primary->rollback.is_of_swap) {
		reload_finish(primary, false, "rolled_back",
		    SPAN_OF("workers kept dying: back to the configuration before"));
		return;
	}
	reload_end(primary);
	swap_rolled_back(primary);
	reload_next(primary);
}

static void
reload_done(struct primary *primary)
{
	expiry_look(primary);
	switch (primary->reload.cause) {
	case RELOAD_ASKED:
		asked_done(primary);
		break;
	case RELOAD_SWAP:
		reload_end(primary);
		swap_done(primary);
		reload_next(primary);
		break;
	case RELOAD_BACK:
		back_done(primary);
		break;
	}
}

static bool
is_awaiting(const struct primary *primary)
{
	for (EACH_WORKER(primary, at)) {
		if (WORKER(at)->awaits_ready || WORKER(at)->awaits_use)
			return true;
	}
	return false;
}

static void
editions_move_on(struct primary *primary)
{
	struct reload *reload = &primary->reload;
	struct edition *next = reload->next;

	if (!identity_equal(primary->current->orders, next->orders))
		primary->identity_version++;
	reload->next = NULL;
	rollback_commit(primary, next);
	slot_set(&primary->slots->notice.generation, next->generation);
	listeners_settle(&next->listeners, next->orders);
}

static void
reload_commit(struct primary *primary)
{
	struct reload *reload = &primary->reload;
	struct err err = { "" };

	reload->state = RELOAD_COMMITTING;
	timer_arm(&reload->timer, PREPARE_TIMEOUT_MS);
	for (EACH_WORKER(primary, at)) {
		if (WORKER(at)->channel == NULL || WORKER(at)->is_leaving)
			continue;
		worker_send_number(WORKER(at), IPC_COMMIT, reload->next->generation);
		WORKER(at)->awaits_use = true;
	}
	editions_move_on(primary);
	logs_configure(primary);
	if (!pid_file_use(primary, &err))
		log_say(MSG_RELOAD_PARTLY, log_text("reason", err.text));
	watchdog_start(primary);
	workers_adjust(primary);
	if (reload->state == RELOAD_COMMITTING && !is_awaiting(primary))
		reload_done(primary);
}

/* -- phase one: prepared ------------------------------------------------------------------------------------------- */

/* The new sockets, IPC_FDS_MAX a message. */
static void
worker_send_listeners(struct worker_child *worker, const struct edition *next)
{
	const struct listeners *before = &worker->primary->current->listeners;
	struct text ids = { 0 };
	int fds[IPC_FDS_MAX];
	unsigned count = 0;

	for (size_t i = 0; i < next->listeners.count; i++) {
		const struct listener *listener = next->listeners.items[i];

		if (listener_is_new(before, listener)) {
			pack_number(&ids, listener_id(listener));
			fds[count++] = listener_fd(listener, worker->seat);
		}
		if (count == IPC_FDS_MAX || (count > 0 && i + 1 == next->listeners.count)) {
			channel_send(worker->channel, IPC_LISTENERS, text_span(&ids), fds, count);
			text_clear(&ids);
			count = 0;
		}
	}
	text_fini(&ids);
}

static void
worker_send_prepare(struct worker_child *worker, const struct edition *next)
{
	struct text payload = { 0 };

	worker_send_listeners(worker, next);
	pack_number(&payload, next->generation);
	for (size_t i = 0; i < next->listeners.count; i++)
		pack_number(&payload, listener_id(next->listeners.items[i]));
	channel_send(worker->channel, IPC_PREPARE, text_span(&payload), &next->bundle_fd, 1);
	text_fini(&payload);
	worker->awaits_ready = true;
}

void
reload_prepare(struct primary *primary)
{
	struct reload *reload = &primary->reload;

	reload->state = RELOAD_PREPARING;
	timer_arm(&reload->timer, PREPARE_TIMEOUT_MS);
	for (EACH_WORKER(primary, at)) {
		if (WORKER(at)->channel != NULL && !WORKER(at)->is_leaving)
			worker_send_prepare(WORKER(at), reload->next);
	}
	if (!is_awaiting(primary))
		reload_commit(primary);
}

/* -- the trial ----------------------------------------------------------------------------------------------------- */

/* Another control socket, when the coming edition wants one. */
static bool
control_prepare(struct primary *primary, const struct orders *orders, struct err *err)
{
	struct reload *reload = &primary->reload;

	if (primary->control_override != NULL || strcmp(orders->control, control_server_path(primary->control)) == 0)
		return true;
	reload->next_control = control_server_open(primary->loop, orders->control, &primary_verbs, primary, err);
	return reload->next_control != NULL;
}

/* What the coming edition needs of the world: its sockets. */
bool
reload_open(struct primary *primary, int bundle_fd, struct err *err)
{
	struct reload *reload = &primary->reload;

	reload->next = edition_create(primary, bundle_fd, err);
	return reload->next != NULL && listeners_open(&reload->next->listeners, reload->next->orders,
	    &primary->current->listeners, err) && control_prepare(primary, reload->next->orders, err);
}

static struct span
without_last_newline(struct span lines)
{
	return lines.len > 0 && lines.at[lines.len - 1] == '\n' ? span_first(lines, lines.len - 1) : lines;
}

static void
reload_tried(void *owner, struct trial_outcome *outcome)
{
	struct primary *primary = owner;
	struct reload *reload = &primary->reload;
	struct err err = { "" };

	reload->trial = NULL;
	if (!outcome->is_accepted) {
		reload_fail(primary, without_last_newline(outcome->lines));
		return;
	}
	text_clear(&reload->warnings);
	text_add(&reload->warnings, without_last_newline(outcome->lines));
	if (reload_open(primary, outcome->bundle_fd, &err))
		reload_prepare(primary);
	else
		reload_fail_text(primary, "%s", err.text);
}

static void
reload_begin(struct primary *primary)
{
	const struct trial_task task = {
		.config_path = primary->config_path,
		.in_use_fd = primary->current->bundle_fd,
	};
	struct reload *reload = &primary->reload;
	struct err err = { "" };

	log_say(MSG_RELOADING);
	reload->cause = RELOAD_ASKED;
	reload->state = RELOAD_TRYING;
	reload->trial = trial_start(primary->loop, primary->family, &task, reload_tried, primary, &err);
	if (reload->trial == NULL)
		reload_fail_text(primary, "%s", err.text);
}

/* -- what is heard of workers -------------------------------------------------------------------------------------- */

void
reload_worker_started(struct worker_child *worker)
{
	struct reload *reload = &worker->primary->reload;

	if (reload->state == RELOAD_PREPARING && reload->next != NULL)
		worker_send_prepare(worker, reload->next);
}

static void
reload_go_on(struct primary *primary)
{
	if (is_awaiting(primary))
		return;
	if (primary->reload.state == RELOAD_PREPARING)
		reload_commit(primary);
	else if (primary->reload.state == RELOAD_COMMITTING)
		reload_done(primary);
}

void
reload_worker_ready(struct worker_child *worker, uint64_t generation)
{
	struct reload *reload = &worker->primary->reload;

	if (reload->state != RELOAD_PREPARING || generation != reload->next->generation)
		return;
	worker->awaits_ready = false;
	reload_go_on(worker->primary);
}

void
reload_worker_failed(struct worker_child *worker, uint64_t generation, const char *why)
{
	struct primary *primary = worker->primary;
	struct reload *reload = &primary->reload;

	if (reload->state != RELOAD_PREPARING || generation != reload->next->generation)
		return;
	if (reload->cause == RELOAD_BACK) {
		worker->awaits_ready = false;
		reload_go_on(primary);
		return;
	}
	reload_fail_text(primary, "worker %u cannot use it: %s", worker->slot, why);
}

void
reload_worker_in_use(struct worker_child *worker)
{
	worker->awaits_use = false;
	reload_go_on(worker->primary);
}

/* Whoever had built it and dies then is just replaced; whoever dies while building it says something about it. */
void
reload_worker_ended(struct worker_child *worker)
{
	struct primary *primary = worker->primary;
	bool was_building = worker->awaits_ready;

	worker->awaits_ready = false;
	worker->awaits_use = false;
	if (was_building && primary->reload.state == RELOAD_PREPARING && primary->reload.cause != RELOAD_BACK)
		reload_fail_text(primary, "worker %u died while it was building it: %s", worker->slot, worker->why);
	else
		reload_go_on(primary);
}

static void
reload_late(void *owner)
{
	struct primary *primary = owner;

	if (primary->reload.state == RELOAD_PREPARING && primary->reload.cause != RELOAD_BACK) {
		reload_fail_text(primary, "not every worker was ready for it within %d s", PREPARE_TIMEOUT_MS / 1000);
		return;
	}
	awaited_forget(primary);
	reload_go_on(primary);
}

/* -- from outside -------------------------------------------------------------------------------------------------- */

void
reload_request(struct primary *primary, struct control_call *call)
{
	struct reload *reload = &primary->reload;

	if (primary->state == PRIMARY_STOPPING) {
		if (call != NULL)
			control_reply(call, false, SPAN_OF("reeve is stopping"));
		return;
	}
	if (reload->state != RELOAD_IDLE || primary->state == PRIMARY_STARTING) {
		reload->is_pending = true;
		calls_add(&reload->pending_calls, call);
		return;
	}
	calls_add(&reload->calls, call);
	reload_begin(primary);
}

void
reload_init(struct primary *primary)
{
	timer_init(&primary->reload.timer, primary->loop, reload_late, primary);
	primary->reload.last_result = "none";
}

void
reload_cancel(struct primary *primary, const char *why)
{
	struct reload *reload = &primary->reload;

	trial_cancel(reload->trial);
	reload->trial = NULL;
	next_forget(primary);
	swap_stop(primary);
	awaited_forget(primary);
	timer_fini(&reload->timer);
	reload->state = RELOAD_IDLE;
	reload->is_pending = false;
	primary->rollback.is_due = false;
	calls_reply(&reload->calls, false, span_text(why));
	calls_reply(&reload->pending_calls, false, span_text(why));
	text_fini(&reload->warnings);
}
