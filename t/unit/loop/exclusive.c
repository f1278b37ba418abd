/* rooms: base loop */
#include "loop/exclusive.h"

#include "base/fd.h"
#include "loop/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * What the kernel says that an epoll set waits for at `fd` ("tfd: 5 events: 10000019 …" in fdinfo); 0 when the
 * descriptor is in no set of this process.
 */
static uint32_t
events_in(int epoll_fd, int fd)
{
	struct text text = { 0 };
	struct span rest, line;
	char path[64];
	uint32_t events = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epoll_fd);
	assert_true(file_read(path, 100000, &text, NULL));
	rest = text_span(&text);
	while (span_cut(&rest, '\n', &line)) {
		int target;
		unsigned found;

		if (sscanf(line.at, "tfd: %d events: %x", &target, &found) == 2 && target == fd)
			events = found;
	}
	text_fini(&text);
	return events;
}

/* The loop's own epoll set: the only one of this process. */
static int
epoll_fd_find(void)
{
	for (int fd = 0; fd < 100; fd++) {
		char path[64], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "[eventpoll]") != NULL)
			return fd;
	}
	return -1;
}

static void
test_self_check_leaves_nothing(void **state)
{
	size_t count = fd_count();

	assert_true(exclusive_works());
	assert_true(exclusive_works());
	assert_int_equal(fd_count(), count);
}

/* The environment must not bring the changelist back, which would hold changes until the next poll. */
static void
test_self_check_ignores_the_environment(void **state)
{
	setenv("EVENT_EPOLL_USE_CHANGELIST", "1", 1);
	setenv("EVENT_NOEPOLL", "1", 1);
	assert_true(exclusive_works());
	unsetenv("EVENT_EPOLL_USE_CHANGELIST");
	unsetenv("EVENT_NOEPOLL");
}

static int heard;

static void
hear(void *owner, unsigned ready)
{
	heard++;
	loop_stop(owner);
}

static void
test_watches_carry_the_flag(void **state)
{
	struct loop *loop = loop_create(NULL);
	int epoll_fd = epoll_fd_find();
	int fd = eventfd(0, EFD_NONBLOCK), other_fd = eventfd(0, EFD_NONBLOCK);
	struct watch watch, other;

	exclusive_add(fd);
	watch_init(&watch, loop, fd, hear, loop);
	watch_init(&other, loop, other_fd, hear, loop);
	watch_want(&watch, WATCH_READ);
	watch_want(&other, WATCH_READ);
	assert_true(events_in(epoll_fd, fd) & EPOLLEXCLUSIVE);
	assert_true(events_in(epoll_fd, fd) & EPOLLIN);
	assert_false(events_in(epoll_fd, other_fd) & EPOLLEXCLUSIVE);
	watch_readd(&watch);
	assert_true(events_in(epoll_fd, fd) & EPOLLEXCLUSIVE);
	watch_want(&watch, WATCH_READ | WATCH_WRITE);	/* a MOD, which the kernel would refuse */
	assert_true(events_in(epoll_fd, fd) & EPOLLEXCLUSIVE);
	assert_true(events_in(epoll_fd, fd) & EPOLLOUT);
	watch_want(&watch, WATCH_READ);
	assert_false(events_in(epoll_fd, fd) & EPOLLOUT);
	assert_int_equal(eventfd_write(fd, 1), 0);
	loop_run(loop);
	assert_int_equal(heard, 1);
	watch_want(&watch, WATCH_NOTHING);
	assert_int_equal(events_in(epoll_fd, fd), 0);
	exclusive_remove(fd);
	watch_want(&watch, WATCH_READ);
	assert_false(events_in(epoll_fd, fd) & EPOLLEXCLUSIVE);
	watch_fini(&watch);
	watch_fini(&other);
	loop_free(loop);
	close(fd);
	close(other_fd);
}

static void
test_set_of_descriptors(void **state)
{
	exclusive_remove(5000);	/* never added */
	exclusive_remove(-1);
	exclusive_add(5000);	/* far over the others */
	exclusive_add(5000);
	exclusive_remove(5000);
	exclusive_remove(5000);
	assert_true(exclusive_works());
}

/* Errors come back as the kernel's, and a flag that EPOLLEXCLUSIVE does not bear is no reason to fail. */
static void
test_epoll_ctl_itself(void **state)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int fd = eventfd(0, EFD_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN };

	exclusive_add(fd);
	errno = 0;
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL), 0);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL), -1);
	assert_int_equal(errno, ENOENT);
	event.events = EPOLLIN | EPOLLRDHUP;
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
	exclusive_remove(fd);
	assert_int_equal(epoll_ctl(-1, EPOLL_CTL_ADD, fd, &event), -1);
	assert_int_equal(errno, EBADF);
	close(fd);
	close(epoll_fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_check_leaves_nothing),
		cmocka_unit_test(test_self_check_ignores_the_environment),
		cmocka_unit_test(test_watches_carry_the_flag),
		cmocka_unit_test(test_set_of_descriptors),
		cmocka_unit_test(test_epoll_ctl_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
