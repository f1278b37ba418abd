/*
 * Every turn of the loop leaves its start in the slot, and a heartbeat makes sure that there are turns: a slot that is
 * older than the watchdog's timeout belongs to a process that hangs, whether it computes, waits or was stopped.
 */
#include "worker/inside.h"

#include "base/clock.h"
#include "base/log.h"

#define HEARTBEAT_MIN_MS 20
#define HEARTBEAT_MAX_MS 1000
#define WINDOW_MS 1000
#define LATE_MS 100
#define TOLD_EVERY_MS 1000

static void
slot_show_lag(struct worker *worker)
{
	const struct pulse *pulse = &worker->pulse;

	slot_set(&worker->slot->loop_lag_ms,
	    pulse->longest_ms > pulse->longest_before_ms ? pulse->longest_ms : pulse->longest_before_ms);
}

static void
pulse_measure(struct worker *worker)
{
	struct pulse *pulse = &worker->pulse;
	uint64_t now_ms = clock_ms();
	uint64_t took_ms = now_ms - pulse->turn_start_ms;

	slot_set(&worker->slot->loop_busy, 0);
	if (took_ms <= pulse->longest_ms)
		return;
	pulse->longest_ms = took_ms;
	slot_show_lag(worker);
	if (took_ms < LATE_MS || now_ms - pulse->told_ms < TOLD_EVERY_MS)
		return;
	pulse->told_ms = now_ms;
	log_say(MSG_LOOP_LATE, log_number("ms", took_ms));
}

/* What others do at the end of the turn belongs to it: this goes to the end of their queue once. */
static void
pulse_turn_ends(struct later *later)
{
	struct worker *worker = LIST_OWNER(later, struct worker, pulse.turn_end);

	if (!worker->pulse.is_last) {
		worker->pulse.is_last = true;
		loop_later(worker->loop, later);
		return;
	}
	pulse_measure(worker);
}

static void
pulse_turn_begins(void *owner, uint64_t now_ms)
{
	struct worker *worker = owner;

	worker->pulse.turn_start_ms = now_ms;
	worker->pulse.is_last = false;
	slot_set(&worker->slot->loop_turn_ms, now_ms);
	slot_set(&worker->slot->loop_busy, 1);
	slot_add(&worker->slot->loop_turns, 1);
	loop_later(worker->loop, &worker->pulse.turn_end);
}

static uint64_t
heartbeat_ms(const struct worker *worker)
{
	uint64_t timeout_ms = site_options(worker->site)->watchdog.timeout / 4;

	if (timeout_ms == 0 || timeout_ms > HEARTBEAT_MAX_MS)
		return HEARTBEAT_MAX_MS;
	return timeout_ms < HEARTBEAT_MIN_MS ? HEARTBEAT_MIN_MS : timeout_ms;
}

static void
pulse_beat(void *owner)
{
	struct worker *worker = owner;

	timer_arm(&worker->pulse.heartbeat, heartbeat_ms(worker));
}

static void
pulse_window_ends(void *owner)
{
	struct worker *worker = owner;

	worker->pulse.longest_before_ms = worker->pulse.longest_ms;
	worker->pulse.longest_ms = 0;
	slot_show_lag(worker);
	timer_arm(&worker->pulse.window, WINDOW_MS);
}

void
pulse_start(struct worker *worker)
{
	struct pulse *pulse = &worker->pulse;

	pulse->turn_end.run = pulse_turn_ends;
	timer_init(&pulse->heartbeat, worker->loop, pulse_beat, worker);
	timer_init(&pulse->window, worker->loop, pulse_window_ends, worker);
	timer_arm(&pulse->window, WINDOW_MS);
	slot_set(&worker->slot->loop_turn_ms, clock_ms());
	loop_on_turn(worker->loop, pulse_turn_begins, worker);
}

void
pulse_configure(struct worker *worker)
{
	timer_arm(&worker->pulse.heartbeat, heartbeat_ms(worker));
}

void
pulse_stop(struct worker *worker)
{
	loop_on_turn(worker->loop, NULL, NULL);
	loop_later_cancel(&worker->pulse.turn_end);
	timer_fini(&worker->pulse.heartbeat);
	timer_fini(&worker->pulse.window);
}
