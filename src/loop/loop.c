/*
 * One pass of libevent, then the laters: that is a turn. libevent's own cached time is too coarse to be shown to others
 * (CLOCK_MONOTONIC_COARSE, up to 4 ms behind), so the loop keeps clocks of its own.
 */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "loop/turn.h"

#include <event2/event.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BASE_DESCRIPTORS = 3 };	/* of libevent's base: epoll's, and a pair of sockets */

/* -- libevent's own voice ----------------------------------------------------------------------------------------- */

static void
libevent_says(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_say(MSG_LIBEVENT, log_text("reason", text));
}

/* Its default is exit(1), which would look like a failed start. */
static void
libevent_gives_up(int error)
{
	(void)error;
	abort();
}

/*
 * libevent says that there is no base when it cannot have epoll's descriptor, but ends the process when only the pair
 * that it tells itself of signals by is lacking.
 */
static bool
has_descriptors(void)
{
	int held[BASE_DESCRIPTORS], error;
	size_t count = 0;

	while (count < BASE_DESCRIPTORS && (held[count] = eventfd(0, EFD_CLOEXEC)) >= 0)
		count++;
	error = errno;
	for (size_t i = 0; i < count; i++)
		close(held[i]);
	errno = error;
	return count == BASE_DESCRIPTORS;
}

/*
 * No locks: a process has one thread. The environment is ignored because it could choose another method or the
 * changelist, which would merge watch_readd() away.
 */
static struct event_base *
base_create(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
	    event_config_avoid_method(config, "poll") == 0 && event_config_avoid_method(config, "select") == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct loop *
loop_create(struct err *err)
{
	struct event_base *base;
	struct loop *loop;

	event_set_log_callback(libevent_says);
	event_set_fatal_callback(libevent_gives_up);
	base = has_descriptors() ? base_create() : NULL;
	if (base == NULL) {
		err_set_errno(err, "cannot create an event loop");
		return NULL;
	}
	loop = memory_zalloc(sizeof(*loop));
	loop->base = base;
	list_init(&loop->laters);
	list_init(&loop->classes);
	return loop;
}

/* -- the turn ----------------------------------------------------------------------------------------------------- */

void
loop_begin_turn(struct loop *loop)
{
	loop->now_ms = clock_ms();
	loop->wall_ms = clock_wall_ms();
	loop->is_in_turn = true;
	loop->turns++;
	if (loop->on_turn != NULL)
		loop->on_turn(loop->on_turn_owner, loop->now_ms);
}

void
loop_run_laters(struct loop *loop)
{
	struct list_node *node;

	while ((node = list_first(&loop->laters)) != NULL) {
		struct later *later = LIST_OWNER(node, struct later, node);

		list_remove(node);
		later->run(later);
	}
}

/* A poll that fails for good would spin: better to be replaced. */
static void
loop_poll(struct loop *loop)
{
	if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) >= 0)
		return;
	log_say(MSG_LOOP_BROKEN, log_signed("errno", errno));
	abort();
}

void
loop_run(struct loop *loop)
{
	assert(!loop->is_in_turn);
	loop_run_laters(loop);
	while (!loop->is_stopped) {
		loop_poll(loop);
		loop_enter(loop);	/* a turn in which only a library was called */
		loop_run_laters(loop);
		loop->is_in_turn = false;
	}
	loop->is_stopped = false;
}

void
loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
	event_base_loopbreak(loop->base);
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	loop_run_laters(loop);
	timeout_classes_free(loop);
	event_base_free(loop->base);
	memory_free(loop);
}

/* -- what it knows ------------------------------------------------------------------------------------------------ */

/* Outside of a turn nobody pays for the clock but who asks. */
uint64_t
loop_now_ms(const struct loop *loop)
{
	return loop->is_in_turn ? loop->now_ms : clock_ms();
}

uint64_t
loop_wall_ms(const struct loop *loop)
{
	return loop->is_in_turn ? loop->wall_ms : clock_wall_ms();
}

uint64_t
loop_turns(const struct loop *loop)
{
	return loop->turns;
}

void
loop_on_turn(struct loop *loop, loop_turn_fn *on_turn, void *owner)
{
	loop->on_turn = on_turn;
	loop->on_turn_owner = owner;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

/* -- laters ------------------------------------------------------------------------------------------------------- */

void
loop_later(struct loop *loop, struct later *later)
{
	assert(later->run != NULL);
	if (!list_holds(&later->node))
		list_add_last(&loop->laters, &later->node);
}

void
loop_later_cancel(struct later *later)
{
	list_remove(&later->node);
}

void
loop_free_later(struct loop *loop, struct later *later, void (*free_it)(struct later *later))
{
	later->run = free_it;
	loop_later(loop, later);
}
