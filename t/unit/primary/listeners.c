/* rooms: base loop conf ipc http net codec request store supervise downstream route policy handler upstream logger site worker control primary */
#include "primary/listeners.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/reeve-unit-listeners.XXXXXX";
static const struct listeners none;

/* Orders with up to three listeners. */
struct wish {
	struct orders		orders;
	struct orders_listener	listeners[3];
};

static int
set_up(void **state)
{
	return mkdtemp(directory) == NULL;
}

static int
tear_down(void **state)
{
	return rmdir(directory);
}

static void
wish_add(struct wish *wish, const char *address, bool reuse_port)
{
	struct orders_listener *listener = &wish->listeners[wish->orders.listener_count++];

	assert_true(endpoint_parse(span_text(address), &listener->endpoint, NULL));
	listener->backlog = 16;
	listener->reuse_port = reuse_port;
	wish->orders.listeners = wish->listeners;
}

static const char *
free_address(void)
{
	static char text[4][64];
	static unsigned next;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	next = (next + 1) % 4;
	snprintf(text[next], sizeof(text[0]), "127.0.0.1:%u", ntohs(address.sin_port));
	return text[next];
}

/* Whoever connects now is queued by somebody. */
static bool
answers(const char *text)
{
	struct endpoint endpoint;
	int fd;
	bool is_connected;

	assert_true(endpoint_parse(span_text(text), &endpoint, NULL));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_connected = connect(fd, &endpoint.address.any, address_length(&endpoint.address)) == 0;
	close(fd);
	return is_connected;
}

/* What stays is the same socket, what is new is opened, what is gone closes with the old edition. */
static void
test_take_over(void **state)
{
	const char *a = free_address(), *b = free_address(), *c = free_address();
	struct wish old_wish = { .orders.workers = 2 }, new_wish = { .orders.workers = 2 };
	struct listeners before, after;
	uint64_t waiting, room;

	wish_add(&old_wish, a, false);
	wish_add(&old_wish, b, false);
	wish_add(&new_wish, c, false);
	wish_add(&new_wish, a, false);
	assert_true(listeners_open(&before, &old_wish.orders, &none, NULL));
	assert_true(listeners_open(&after, &new_wish.orders, &before, NULL));
	assert_ptr_equal(before.items[0], after.items[1]);
	assert_true(listener_is_new(&before, after.items[0]));
	assert_false(listener_is_new(&before, after.items[1]));
	listeners_close(&before);
	listeners_close(&before);
	assert_true(answers(a));
	assert_false(answers(b));
	assert_true(answers(c));
	new_wish.listeners[1].backlog = 5;
	listeners_settle(&after, &new_wish.orders);
	listener_queue(after.items[1], &waiting, &room);
	assert_int_equal(waiting, 1);
	assert_int_equal(room, 5);
	listeners_close(&after);
	assert_false(answers(a));
}

/* One of the new ones cannot be had: nothing has changed. */
static void
test_failure(void **state)
{
	const char *a = free_address(), *b = free_address(), *c = free_address();
	struct wish old_wish = { .orders.workers = 1 }, new_wish = { .orders.workers = 1 }, other = { 0 };
	struct listeners before, after, foreign;
	struct err err = { "" };
	size_t count;

	wish_add(&other, c, false);
	assert_true(listeners_open(&foreign, &other.orders, &none, NULL));
	wish_add(&old_wish, a, false);
	assert_true(listeners_open(&before, &old_wish.orders, &none, NULL));
	wish_add(&new_wish, a, false);
	wish_add(&new_wish, b, false);
	wish_add(&new_wish, c, false);
	count = fd_count();
	assert_false(listeners_open(&after, &new_wish.orders, &before, &err));
	assert_non_null(strstr(err.text, c));
	assert_int_equal(fd_count(), count);
	assert_true(answers(a));
	assert_false(answers(b));
	listeners_close(&before);
	listeners_close(&foreign);
}

/* A socket a seat; the number of seats changes and those that stay keep theirs; and the kind changes. */
static void
test_seats(void **state)
{
	const char *a = free_address();
	struct wish wish = { .orders.workers = 2 };
	struct listeners two, four, shared, again;
	struct stat first, same;
	struct err err = { "" };

	wish_add(&wish, a, true);
	assert_true(listeners_open(&two, &wish.orders, &none, &err));
	assert_int_not_equal(listener_fd(two.items[0], 0), listener_fd(two.items[0], 1));
	wish.orders.workers = 4;
	assert_true(listeners_open(&four, &wish.orders, &two, &err));
	assert_false(listener_is_new(&two, four.items[0]));
	assert_int_equal(fstat(listener_fd(two.items[0], 1), &first), 0);
	assert_int_equal(fstat(listener_fd(four.items[0], 1), &same), 0);
	assert_int_equal(first.st_ino, same.st_ino);
	listeners_close(&two);
	assert_int_not_equal(listener_fd(four.items[0], 2), listener_fd(four.items[0], 3));
	wish.listeners[0].reuse_port = false;
	if (!listeners_open(&shared, &wish.orders, &four, &err))
		fail_msg("%s", err.text);
	assert_true(listener_is_new(&four, shared.items[0]));
	listeners_close(&four);
	assert_int_equal(listener_fd(shared.items[0], 0), listener_fd(shared.items[0], 3));
	assert_true(answers(a));
	assert_false(listeners_open(&again, &wish.orders, &none, &err));	/* it is shared with nobody else */
	wish.listeners[0].reuse_port = true;
	assert_true(listeners_open(&again, &wish.orders, &shared, &err));
	listeners_close(&shared);
	assert_true(answers(a));
	listeners_close(&again);
	assert_false(answers(a));
}

/* The path goes with the last who listens there, and only while it is his. */
static void
test_unix_path(void **state)
{
	char path[100], text[110];
	struct wish wish = { .orders.workers = 1 }, other = { .orders.workers = 1 };
	struct listeners before, after;
	struct stat status;

	snprintf(path, sizeof(path), "%s/s", directory);
	snprintf(text, sizeof(text), "unix:%s", path);
	wish_add(&wish, text, true);	/* reuse_port means nothing here */
	wish_add(&other, free_address(), false);
	assert_true(listeners_open(&before, &wish.orders, &none, NULL));
	assert_true(listeners_open(&after, &wish.orders, &before, NULL));
	listeners_close(&before);
	assert_int_equal(stat(path, &status), 0);
	assert_true(listeners_open(&before, &other.orders, &after, NULL));
	listeners_close(&after);
	assert_int_equal(stat(path, &status), -1);
	listeners_close(&before);
	assert_true(listeners_open(&before, &wish.orders, &none, NULL));
	unlink(path);
	assert_true(listeners_open(&after, &wish.orders, &none, NULL));	/* somebody else took the name */
	listeners_close(&before);
	assert_int_equal(stat(path, &status), 0);
	listeners_close(&after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_seats),
		cmocka_unit_test(test_unix_path),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
