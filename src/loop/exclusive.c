/*
 * epoll_ctl(2), with EPOLLEXCLUSIVE or-ed in for a set of descriptors. The kernel refuses EPOLL_CTL_MOD for such an
 * entry (EINVAL), so MOD becomes DEL and ADD. And without the EPOLL_CTL_DEL that a close(2) makes needless.
 */
#include "loop/exclusive.h"

#include "base/fd.h"
#include "base/memory.h"
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BITS 64

/* What epoll_ctl(2) lets stand beside EPOLLEXCLUSIVE; anything else, as EPOLLRDHUP, is EINVAL. */
#define ALLOWED ((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP) | (uint32_t)EPOLLET)

static struct {
	uint64_t	*words;		/* owned: one bit a descriptor */
	size_t		 count;
	uint64_t	 added;		/* how often the kernel took the flag from us */
	int		 closing;	/* its EPOLL_CTL_DEL is left out; -1: none */
} exclusive = { .closing = -1 };

static bool
exclusive_holds(int fd)
{
	size_t word = (size_t)fd / BITS;

	return fd >= 0 && word < exclusive.count && (exclusive.words[word] >> (fd % BITS) & 1) != 0;
}

static int
epoll_ctl_plain(int epoll_fd, int verb, int fd, struct epoll_event *event)
{
	return (int)syscall(SYS_epoll_ctl, epoll_fd, verb, fd, event);
}

/* A kernel that refuses the flag gets the same request without. */
static int
epoll_ctl_add(int epoll_fd, int fd, struct epoll_event *event)
{
	struct epoll_event with_flag = *event;

	with_flag.events = (event->events & ALLOWED) | EPOLLEXCLUSIVE;
	if (epoll_ctl_plain(epoll_fd, EPOLL_CTL_ADD, fd, &with_flag) == 0) {
		exclusive.added++;
		return 0;
	}
	return errno == EINVAL ? epoll_ctl_plain(epoll_fd, EPOLL_CTL_ADD, fd, event) : -1;
}

int
epoll_ctl(int epoll_fd, int verb, int fd, struct epoll_event *event)
{
	if (verb == EPOLL_CTL_DEL && fd == exclusive.closing)
		return 0;
	if (verb == EPOLL_CTL_DEL || !exclusive_holds(fd))
		return epoll_ctl_plain(epoll_fd, verb, fd, event);
	if (verb == EPOLL_CTL_MOD && epoll_ctl_plain(epoll_fd, EPOLL_CTL_DEL, fd, NULL) != 0)
		return -1;
	return epoll_ctl_add(epoll_fd, fd, event);
}

void
exclusive_add(int fd)
{
	size_t word = (size_t)fd / BITS;

	assert(fd >= 0);
	if (word >= exclusive.count) {
		exclusive.words = memory_resize(exclusive.words, (word + 1) * sizeof(uint64_t));
		memset(exclusive.words + exclusive.count, 0, (word + 1 - exclusive.count) * sizeof(uint64_t));
		exclusive.count = word + 1;
	}
	exclusive.words[word] |= UINT64_C(1) << (fd % BITS);
}

void
exclusive_remove(int fd)
{
	if (exclusive_holds(fd))
		exclusive.words[fd / BITS] &= ~(UINT64_C(1) << (fd % BITS));
}

void
exclusive_closing(int fd)
{
	exclusive.closing = fd;
}

static void
never_heard(void *owner, unsigned ready)
{
	(void)owner;
	(void)ready;
}

/* By the same way as a listening socket goes. */
static bool
flag_arrives(struct loop *loop, int fd)
{
	uint64_t before = exclusive.added;
	struct watch watch;

	exclusive_add(fd);
	watch_init(&watch, loop, fd, never_heard, NULL);
	watch_want(&watch, WATCH_READ);
	watch_fini(&watch);
	exclusive_remove(fd);
	return exclusive.added > before;
}

bool
exclusive_works(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct loop *loop = loop_create(NULL);
	bool is_working = fd >= 0 && loop != NULL && flag_arrives(loop, fd);

	loop_free(loop);
	fd_close(&fd);
	return is_working;
}
