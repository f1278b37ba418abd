/* Signals as events: libevent's handler only writes a byte, the owner is called from the loop. */
#include "loop/loop.h"

#include "base/count.h"
#include "base/memory.h"
#include "loop/turn.h"

#include <event2/event.h>

#include <assert.h>
#include <signal.h>

struct loop_signal {
	struct event	 event;
	struct loop	*loop;
	signal_fn	*on_signal;
	void		*owner;	/* borrowed */
};

static void
signal_heard(evutil_socket_t signal_number, short flags, void *owner)
{
	struct loop_signal *signal = owner;

	(void)flags;
	loop_enter(signal->loop);
	signal->on_signal(signal->owner, (int)signal_number);
}

struct loop_signal *
loop_signal_create(struct loop *loop, int signal_number, signal_fn *on_signal, void *owner)
{
	struct loop_signal *signal = memory_zalloc(sizeof(*signal));
	int failed;

	signal->loop = loop;
	signal->on_signal = on_signal;
	signal->owner = owner;
	failed = event_assign(&signal->event, loop->base, signal_number, EV_SIGNAL | EV_PERSIST, signal_heard, signal);
	failed |= event_add(&signal->event, NULL);
	assert(failed == 0);
	(void)failed;
	return signal;
}

void
loop_signal_free(struct loop_signal *signal)
{
	if (signal == NULL)
		return;
	event_del(&signal->event);
	memory_free(signal);
}

void
signals_ignore(void)
{
	static const int numbers[] = { SIGPIPE, SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < COUNT(numbers); i++)
		signal(numbers[i], SIG_IGN);
}
