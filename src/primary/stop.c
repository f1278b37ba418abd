/*
 * From RUNNING to nothing.
 *
 *	stop ─▶ `ready` answers 503 ─ delay ─▶ workers drain ─▶ the last worker is gone ─▶ the logger ends ─▶ gone
 *	          a second stop, or SIGQUIT: no delay and no grace
 */
#include "primary/inside.h"

#include "base/log.h"

static void
primary_last_act(struct primary *primary)
{
	if (primary->is_last_act)
		return;
	primary->is_last_act = true;
	if (primary->exit_code == 0)
		log_say(MSG_STOPPED, log_number("uptime_ms", loop_now_ms(primary->loop) - primary->started_ms));
	logs_stop(primary);
}

void
primary_worker_gone(struct primary *primary)
{
	if (primary->is_draining && workers_count(primary) == 0)
		primary_last_act(primary);
	else if (!primary->is_draining)
		workers_adjust(primary);
}

void
primary_gone(struct primary *primary)
{
	loop_stop(primary->loop);
}

/* The primary's own copies of the sockets go at once, so that each port is free when the last worker lets go. */
static void
primary_drain(void *owner)
{
	struct primary *primary = owner;
	const struct orders *orders = primary->current == NULL ? NULL : primary->current->orders;
	bool at_once = primary->is_stopping_now || orders == NULL;

	primary->is_draining = true;
	if (primary->current != NULL)
		listeners_close(&primary->current->listeners);
	workers_stop(primary, at_once ? 0 : orders->grace_ms, at_once ? 0 : orders->idle_ms);
	if (workers_count(primary) == 0)
		primary_last_act(primary);
}

static void
stop_begin(struct primary *primary)
{
	uint64_t delay_ms = primary->current == NULL ? 0 : primary->current->orders->delay_ms;

	primary->state = PRIMARY_STOPPING;
	trial_cancel(primary->first_trial);
	primary->first_trial = NULL;
	reload_cancel(primary, "reeve is stopping");
	if (primary->slots != NULL)
		slot_set(&primary->slots->notice.stopping, 1);
	if (primary->exit_code == 0)
		log_say(MSG_STOPPING, log_number("delay_ms", delay_ms));
	timer_init(&primary->stop_timer, primary->loop, primary_drain, primary);
	timer_arm(&primary->stop_timer, primary->is_stopping_now ? 0 : delay_ms);
}

void
primary_stop(struct primary *primary, bool at_once, struct control_call *call)
{
	calls_add(&primary->stop_calls, call);
	if (primary->state != PRIMARY_STOPPING) {
		primary->is_stopping_now = at_once;
		stop_begin(primary);
	} else if (at_once && !primary->is_stopping_now) {
		primary->is_stopping_now = true;
		timer_disarm(&primary->stop_timer);
		primary_drain(primary);
	}
}
