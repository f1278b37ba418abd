/*
 * One persistent libevent event a watch. libevent cannot change what an event waits for: it is taken out, assigned
 * again and put in. So that the descriptor does not leave epoll meanwhile (two system calls instead of one), a second
 * event holds its place.
 */
#include "loop/loop.h"

#include "base/log.h"
#include "loop/exclusive.h"
#include "loop/turn.h"

#include <event2/event.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

/*
 * epoll tells of errors and hang-ups whatever is asked for, but libevent passes them on as reading only. Edge-triggered,
 * so that input which nobody reads now does not keep the loop awake.
 */
static short
event_flags(unsigned wants)
{
	if (wants == WATCH_HANGUP)
		return EV_PERSIST | EV_READ | EV_ET;
	return (short)(EV_PERSIST | (wants & WATCH_READ ? EV_READ : 0) | (wants & WATCH_WRITE ? EV_WRITE : 0));
}

static bool
peer_is_gone(int fd)
{
	struct pollfd look = { .fd = fd };

	return poll(&look, 1, 0) > 0 && (look.revents & (POLLERR | POLLHUP)) != 0;
}

static void
watch_heard(evutil_socket_t fd, short flags, void *owner)
{
	struct watch *watch = owner;
	unsigned ready = (flags & EV_READ ? WATCH_READ : 0) | (flags & EV_WRITE ? WATCH_WRITE : 0);

	if (watch->wants == WATCH_HANGUP && !peer_is_gone(fd))
		return;
	loop_enter(watch->loop);
	watch->on_ready(watch->owner, watch->wants == WATCH_HANGUP ? WATCH_HANGUP : ready);
}

static void
watch_assign(struct watch *watch, int fd, unsigned wants)
{
	int failed = event_assign(&watch->event, watch->loop->base, fd, event_flags(wants), watch_heard, watch);

	assert(failed == 0);
	(void)failed;
}

/* The kernel may refuse (fs.epoll.max_user_watches); the owner's timeouts then end what is never heard of again. */
static void
watch_add(struct watch *watch)
{
	if (event_add(&watch->event, NULL) != 0)
		log_say(MSG_WATCH_FAILED, log_signed("fd", event_get_fd(&watch->event)),
		    log_text("reason", strerror(errno)));
}

void
watch_init(struct watch *watch, struct loop *loop, int fd, watch_fn *on_ready, void *owner)
{
	*watch = (struct watch){ .on_ready = on_ready, .owner = owner, .loop = loop };
	watch_assign(watch, fd, WATCH_READ);	/* only to hold the descriptor until something is wanted */
}

static void
never_heard(evutil_socket_t fd, short flags, void *owner)
{
	(void)fd;
	(void)flags;
	(void)owner;
	assert(!"taken out again before any poll");
}

/* From something to something else: in one epoll_ctl when only one kind of readiness is added or removed. */
static void
watch_change(struct watch *watch, unsigned wants)
{
	int fd = event_get_fd(&watch->event);
	struct event bridge;
	bool is_bridged = event_assign(&bridge, watch->loop->base, fd, event_flags(watch->wants), never_heard,
				      NULL) == 0 && event_add(&bridge, NULL) == 0;

	event_del(&watch->event);
	watch_assign(watch, fd, wants);
	watch_add(watch);
	if (is_bridged)
		event_del(&bridge);
}

void
watch_want(struct watch *watch, unsigned wants)
{
	assert(watch->loop != NULL && wants <= WATCH_HANGUP);
	if (wants == watch->wants)
		return;
	/* One descriptor cannot be watched for edges and levels at once. */
	if (watch->wants == WATCH_HANGUP || (wants == WATCH_HANGUP && watch->wants != WATCH_NOTHING)) {
		event_del(&watch->event);
		watch->wants = WATCH_NOTHING;
	}
	if (wants == WATCH_NOTHING) {
		if (watch->wants != WATCH_NOTHING)
			event_del(&watch->event);
	} else if (watch->wants == WATCH_NOTHING) {
		watch_assign(watch, event_get_fd(&watch->event), wants);
		watch_add(watch);
	} else {
		watch_change(watch, wants);
	}
	watch->wants = wants;
}

void
watch_fini(struct watch *watch)
{
	if (watch->loop == NULL)
		return;
	if (watch->wants != WATCH_NOTHING)
		event_del(&watch->event);
	watch->wants = WATCH_NOTHING;
	watch->loop = NULL;
}

void
watch_close(struct watch *watch)
{
	if (watch->loop == NULL)
		return;
	exclusive_closing(event_get_fd(&watch->event));
	watch_fini(watch);
	exclusive_closing(-1);
}

void
watch_readd(struct watch *watch)
{
	if (watch->wants == WATCH_NOTHING)
		return;
	event_del(&watch->event);
	watch_add(watch);
}
