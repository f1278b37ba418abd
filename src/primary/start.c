/*
 * The steps from nothing to RUNNING. Whatever fails says so on stderr, because that is where whoever starts a program
 * looks, and everything that was opened is put away again.
 *
 *	trial ─▶ control socket ─▶ listeners ─▶ pid file ─▶ shared memory ─▶ logger ─▶ workers ─▶ all READY: RUNNING
 */
#include "primary/inside.h"

#include "base/fd.h"
#include "base/log.h"
#include "loop/exclusive.h"

#include <stdio.h>
#include <unistd.h>

static void
stderr_say(struct span text)
{
	(void)fd_write_all(STDERR_FILENO, text);
}

static void __attribute__((format(printf, 2, 3)))
primary_fail(struct primary *primary, const char *format, ...)
{
	struct text text = { 0 };
	va_list list;

	text_add(&text, SPAN_OF("reeve: "));
	va_start(list, format);
	text_format_list(&text, format, list);
	va_end(list);
	if (primary->logs.is_open)
		log_say(MSG_START_FAILED, log_span("reason", span_skip(text_span(&text), 7)));
	text_add_byte(&text, '\n');
	stderr_say(text_span(&text));
	text_fini(&text);
	primary->exit_code = 1;
	primary_stop(primary, true, NULL);
}

/* -- running ------------------------------------------------------------------------------------------------------- */

static void
listening_say(const struct primary *primary)
{
	const struct listeners *listeners = &primary->current->listeners;
	const struct orders_listener *orders = primary->current->orders->listeners;
	char text[128];

	for (size_t i = 0; i < listeners->count; i++)
		log_say(MSG_LISTENING,
		    log_span("address", span_make(text, listener_format(listeners->items[i], text))),
		    log_bool("tls", orders[i].has_tls), log_text("protocols", orders[i].protocols));
}

static void
primary_is_running(struct primary *primary)
{
	primary->state = PRIMARY_RUNNING;
	watchdog_start(primary);
	listening_say(primary);
	log_say(MSG_STARTED, log_text("version", REEVE_VERSION), log_text("config", primary->config_path),
	    log_number("workers", primary->current->orders->workers),
	    log_number("started_in_ms", loop_now_ms(primary->loop) - primary->started_ms));
	reload_next(primary);
}

/* Of those that should be there: how many serve, and how many have not even had their first try. */
static void
workers_look(const struct primary *primary, unsigned *up_out, unsigned *untried_out)
{
	*up_out = 0;
	*untried_out = 0;
	for (EACH_WORKER(primary, at)) {
		*up_out += WORKER(at)->child.state == CHILD_UP;
		*untried_out += WORKER(at)->child.state == CHILD_IDLE ||
		    (WORKER(at)->child.state == CHILD_STARTING && WORKER(at)->child.restarts == 0);
	}
}

void
primary_worker_ready(struct primary *primary)
{
	unsigned up, untried;

	if (primary->state != PRIMARY_STARTING)
		return;
	workers_look(primary, &up, &untried);
	if (untried == 0)
		primary_is_running(primary);
}

/* One that cannot start says something about all, unless another one could. */
void
primary_worker_not_started(struct worker_child *worker, const char *why)
{
	struct primary *primary = worker->primary;
	unsigned up, untried;

	workers_look(primary, &up, &untried);
	if (up == 0 && untried == 0)
		primary_fail(primary, "no worker can start: %s", why);
	else if (untried == 0)
		primary_is_running(primary);
}

/* -- steps --------------------------------------------------------------------------------------------------------- */

static bool
memory_open(struct primary *primary, struct err *err)
{
	primary->slots = slots_create(err);
	primary->board = primary->slots == NULL ? NULL : board_create(err);
	primary->ticket_ring = primary->board == NULL ? NULL : ticket_ring_create(err);
	if (primary->ticket_ring == NULL)
		return false;
	slot_set(&primary->slots->notice.generation, primary->current->generation);
	return true;
}

static bool
control_open(struct primary *primary, struct err *err)
{
	const char *path = primary->control_override;

	if (path == NULL)
		path = primary->current->orders->control;
	primary->control = control_server_open(primary->loop, path, &primary_verbs, primary, err);
	return primary->control != NULL;
}

static bool
primary_open(struct primary *primary, int bundle_fd, struct err *err)
{
	static const struct listeners none;

	primary->current = edition_create(primary, bundle_fd, err);
	return primary->current != NULL && control_open(primary, err) &&
	    listeners_open(&primary->current->listeners, primary->current->orders, &none, err) &&
	    pid_file_use(primary, err) && memory_open(primary, err) && logs_open(primary, err);
}

static void
start_tried(void *owner, struct trial_outcome *outcome)
{
	struct primary *primary = owner;
	struct err err = { "" };

	primary->first_trial = NULL;
	if (!outcome->is_accepted) {
		stderr_say(outcome->lines);
		primary_fail(primary, "the configuration is not usable");
		return;
	}
	if (!primary_open(primary, outcome->bundle_fd, &err)) {
		primary_fail(primary, "%s", err.text);
		return;
	}
	reload_say_warnings(outcome->lines);
	if (!exclusive_works())
		log_say(MSG_EXCLUSIVE_UNAVAILABLE);
	sample_start(primary);
	tickets_start(primary);
	swap_start(primary);
	expiry_start(primary);
	workers_adjust(primary);
}

void
primary_start(struct primary *primary)
{
	const struct trial_task task = { .config_path = primary->config_path, .in_use_fd = -1 };
	struct err err = { "" };

	primary->first_trial = trial_start(primary->loop, primary->family, &task, start_tried, primary, &err);
	if (primary->first_trial == NULL)
		primary_fail(primary, "%s", err.text);
}
