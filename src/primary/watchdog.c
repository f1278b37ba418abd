/*
 * A worker's slot says when its loop turned last (worker/pulse.c makes sure that it turns). One that is silent for
 * longer than the timeout is aborted for a crash report, and killed if it does not even manage that.
 *
 * When the primary's own timer is late, the machine slept or everything was stopped: then workers get a whole timeout
 * to show themselves. A worker that somebody traces is left to him.
 */
#include "primary/inside.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <stdio.h>

#define LOOK_MIN_MS 50
#define LOOK_MAX_MS 1000
#define LATE_MS 1000	/* of our own timer */

static uint64_t
look_every_ms(const struct primary *primary)
{
	uint64_t ms = primary->current->orders->watchdog_ms / 4;

	if (ms > LOOK_MAX_MS)
		return LOOK_MAX_MS;
	return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms;
}

static bool
is_traced(pid_t pid)
{
	struct text text = { 0 };
	char path[64];
	const char *tracer;
	bool is_so;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (!file_read(path, 65536, &text, NULL))
		return false;
	tracer = strstr(text.bytes, "TracerPid:\t");
	is_so = tracer != NULL && tracer[11] != '0';
	text_fini(&text);
	return is_so;
}

static void
worker_look(struct worker_child *worker, uint64_t now_ms)
{
	const struct slot *slot = worker_slot(worker);
	uint64_t seen_ms = slot_get(&slot->loop_turn_ms);
	uint64_t limit_ms = worker->primary->current->orders->watchdog_ms;
	uint64_t silent_ms = now_ms > seen_ms ? now_ms - seen_ms : 0;

	/* A quarter more, because an idle worker's heartbeat is as rare as that. */
	if (worker->child.state != CHILD_UP || seen_ms == 0 || silent_ms <= limit_ms + limit_ms / 4)
		return;
	if (is_traced(worker->child.pid))
		return;
	log_say(MSG_WORKER_HUNG, log_number("worker", worker->slot), log_signed("worker_pid", worker->child.pid),
	    log_number("silent_ms", silent_ms), log_number("requests_active", slot_get(&slot->requests_active)));
	child_hung(&worker->child);
}

static void
watchdog_looks(void *owner)
{
	struct primary *primary = owner;
	struct watchdog *watchdog = &primary->watchdog;
	uint64_t now_ms = clock_ms();

	if (now_ms > watchdog->due_ms + LATE_MS)
		watchdog->quiet_ms = now_ms + primary->current->orders->watchdog_ms;
	for (EACH_WORKER(primary, at)) {
		if (now_ms >= watchdog->quiet_ms)
			worker_look(WORKER(at), now_ms);
	}
	watchdog->due_ms = now_ms + look_every_ms(primary);
	timer_arm(&watchdog->timer, look_every_ms(primary));
}

void
watchdog_start(struct primary *primary)
{
	struct watchdog *watchdog = &primary->watchdog;

	watchdog_stop(primary);
	if (primary->current->orders->watchdog_ms == 0)
		return;
	timer_init(&watchdog->timer, primary->loop, watchdog_looks, primary);
	watchdog->due_ms = clock_ms() + look_every_ms(primary);
	timer_arm(&watchdog->timer, look_every_ms(primary));
}

void
watchdog_stop(struct primary *primary)
{
	timer_fini(&primary->watchdog.timer);
}
