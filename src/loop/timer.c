/*
 * One moment by libevent's heap. libevent measures with a coarse clock and may wake some milliseconds early by ours, so
 * a timer knows when it is due and goes back to sleep for the rest.
 */
#include "loop/loop.h"

#include "loop/turn.h"

#include <event2/event.h>

#include <assert.h>

static void
timer_sleep(struct timer *timer, uint64_t delay_ms)
{
	struct timeval delay = {
		.tv_sec = (time_t)(delay_ms / 1000),
		.tv_usec = (suseconds_t)(delay_ms % 1000 * 1000),
	};
	int failed = event_add(&timer->event, &delay);

	assert(failed == 0);
	(void)failed;
}

static void
timer_woke(evutil_socket_t fd, short flags, void *owner)
{
	struct timer *timer = owner;

	(void)fd;
	(void)flags;
	loop_enter(timer->loop);
	if (timer->due_ms > timer->loop->now_ms) {
		timer_sleep(timer, timer->due_ms - timer->loop->now_ms);
		return;
	}
	timer->due_ms = 0;
	timer->on_due(timer->owner);
}

void
timer_init(struct timer *timer, struct loop *loop, timer_fn *on_due, void *owner)
{
	int failed;

	*timer = (struct timer){ .on_due = on_due, .owner = owner, .loop = loop };
	failed = event_assign(&timer->event, loop->base, -1, 0, timer_woke, timer);
	assert(failed == 0);
	(void)failed;
}

void
timer_arm(struct timer *timer, uint64_t delay_ms)
{
	assert(timer->loop != NULL);
	timer->due_ms = loop_now_ms(timer->loop) + delay_ms;
	timer_sleep(timer, delay_ms);
}

void
timer_disarm(struct timer *timer)
{
	if (timer->due_ms == 0)
		return;
	event_del(&timer->event);
	timer->due_ms = 0;
}

bool
timer_is_armed(const struct timer *timer)
{
	return timer->due_ms != 0;
}

void
timer_fini(struct timer *timer)
{
	if (timer->loop == NULL)
		return;
	timer_disarm(timer);
	timer->loop = NULL;
}
