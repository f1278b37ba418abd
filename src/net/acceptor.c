/*
 * accept4(2) a few times a wake, and sometimes out of epoll and in again: among those that wait, whoever was added
 * first is woken first, so that gives the next workers their turn.
 */
#include "net/acceptor.h"

#include "base/count.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "loop/exclusive.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#define ACCEPTS_A_WAKE 8
#define ACCEPTS_A_READD 16
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 500

struct acceptor {
	struct loop	*loop;
	int		 fd;		/* owned */
	accept_fn	*on_accept;
	void		*owner;		/* borrowed */
	struct watch	 watch;
	struct timer	 timer;		/* ends a pause for want of descriptors */
	struct later	 later;		/* frees */
	uint64_t	 pause_ms;	/* of the last such pause; 0: accepting went well since */
	unsigned	 accepts;	/* since the last re-adding */
	unsigned	 pauses;	/* by acceptor_pause() */
	bool		 is_starving;	/* no descriptors: the timer runs */
	bool		 is_yielding;	/* others first */
	bool		 is_closed;
};

static void
acceptor_watch(struct acceptor *acceptor)
{
	watch_want(&acceptor->watch, acceptor->pauses > 0 || acceptor->is_starving ? WATCH_NOTHING : WATCH_READ);
}

/* Said once a shortage, not once a try. */
static void
acceptor_starve(struct acceptor *acceptor, int error)
{
	if (acceptor->pause_ms == 0)
		log_say(MSG_ACCEPT_PAUSED, log_text("reason", strerror(error)));
	acceptor->pause_ms = acceptor->pause_ms == 0 ? PAUSE_MIN_MS : acceptor->pause_ms * 2;
	if (acceptor->pause_ms > PAUSE_MAX_MS)
		acceptor->pause_ms = PAUSE_MAX_MS;
	acceptor->is_starving = true;
	acceptor_watch(acceptor);
	timer_arm(&acceptor->timer, acceptor->pause_ms);
}

static void
acceptor_try_again(void *owner)
{
	struct acceptor *acceptor = owner;

	acceptor->is_starving = false;
	acceptor_watch(acceptor);
}

/* What accept(2) says about one connection that already failed, not about the listening socket. */
static bool
is_of_one_connection(int error)
{
	static const int errors[] = {
		EINTR, ECONNABORTED, EPROTO, EPERM, ENOPROTOOPT, EOPNOTSUPP, ENETDOWN, EHOSTDOWN, ENONET, EHOSTUNREACH,
		ENETUNREACH,
	};

	for (size_t i = 0; i < COUNT(errors); i++) {
		if (errors[i] == error)
			return true;
	}
	return false;
}

/* False: there are no more, or there is no room for more. */
static bool
acceptor_failed(struct acceptor *acceptor, int error)
{
	if (is_of_one_connection(error))
		return true;
	if (error != EAGAIN)
		acceptor_starve(acceptor, error);
	return false;
}

/* False: no more for now. */
static bool
acceptor_take(struct acceptor *acceptor)
{
	union {
		struct sockaddr		any;
		struct sockaddr_storage	room;
	} from;
	socklen_t size = sizeof(from);
	struct address peer;
	int fd = accept4(acceptor->fd, &from.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return acceptor_failed(acceptor, errno);
	if (acceptor->pause_ms != 0)
		log_say(MSG_ACCEPT_RESUMED);
	acceptor->pause_ms = 0;
	acceptor->accepts++;
	if (size < sizeof(from.any.sa_family))
		from.any.sa_family = AF_UNIX;
	address_from_sockaddr(&peer, &from.any);
	acceptor->on_accept(acceptor->owner, acceptor, fd, &peer);
	return true;
}

static void
acceptor_ready(void *owner, unsigned ready)
{
	struct acceptor *acceptor = owner;

	(void)ready;
	acceptor->is_yielding = false;
	for (unsigned i = 0; i < ACCEPTS_A_WAKE; i++) {
		if (acceptor->is_closed || acceptor->pauses > 0 || acceptor->is_yielding || !acceptor_take(acceptor))
			break;
	}
	if (acceptor->is_closed || (acceptor->accepts < ACCEPTS_A_READD && !acceptor->is_yielding))
		return;
	acceptor->accepts = 0;
	watch_readd(&acceptor->watch);
}

struct acceptor *
acceptor_open(struct loop *loop, int listening_fd, accept_fn *on_accept, void *owner)
{
	struct acceptor *acceptor = memory_zalloc(sizeof(*acceptor));

	acceptor->loop = loop;
	acceptor->fd = listening_fd;
	acceptor->on_accept = on_accept;
	acceptor->owner = owner;
	exclusive_add(listening_fd);
	watch_init(&acceptor->watch, loop, listening_fd, acceptor_ready, acceptor);
	timer_init(&acceptor->timer, loop, acceptor_try_again, acceptor);
	acceptor_watch(acceptor);
	return acceptor;
}

void
acceptor_pause(struct acceptor *acceptor)
{
	acceptor->pauses++;
	acceptor_watch(acceptor);
}

void
acceptor_resume(struct acceptor *acceptor)
{
	assert(acceptor->pauses > 0);
	acceptor->pauses--;
	acceptor_watch(acceptor);
}

void
acceptor_yield(struct acceptor *acceptor)
{
	acceptor->is_yielding = true;
}

/* What is added to epoll again is examined again. */
void
acceptor_look(struct acceptor *acceptor)
{
	watch_readd(&acceptor->watch);
}

void
acceptor_take_rest(struct acceptor *acceptor)
{
	while (!acceptor->is_closed && acceptor_take(acceptor))
		continue;
}

static void
acceptor_free(struct later *later)
{
	memory_free(LIST_OWNER(later, struct acceptor, later));
}

void
acceptor_close(struct acceptor *acceptor)
{
	if (acceptor == NULL || acceptor->is_closed)
		return;
	acceptor->is_closed = true;
	timer_fini(&acceptor->timer);
	watch_fini(&acceptor->watch);
	exclusive_remove(acceptor->fd);
	fd_close(&acceptor->fd);
	loop_free_later(acceptor->loop, &acceptor->later, acceptor_free);
}

int
acceptor_fd(const struct acceptor *acceptor)
{
	return acceptor->fd;
}
