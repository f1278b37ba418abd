/* rooms: base loop net conf */
#include "net/acceptor.h"

#include "base/fd.h"
#include "base/log.h"
#include "net/endpoint.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { CLIENTS_MAX = 64 };

struct hall {
	struct loop	*loop;
	struct acceptor	*acceptor;
	struct address	 address;
	struct timer	 timer;
	int		 clients[CLIENTS_MAX];
	unsigned	 client_count;
	unsigned	 accepted;
	unsigned	 turns;
	bool		 closes_inside;
	bool		 yields;
	bool		 keeps;
	int		 kept[CLIENTS_MAX];
};

static void
hall_accept(void *owner, struct acceptor *acceptor, int fd, const struct address *peer)
{
	struct hall *hall = owner;

	assert_true(acceptor == hall->acceptor);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(peer->any.sa_family, AF_INET);
	if (hall->keeps)
		hall->kept[hall->accepted] = fd;
	else
		close(fd);
	hall->accepted++;
	if (hall->closes_inside)
		acceptor_close(acceptor);
	else if (hall->yields)
		acceptor_yield(acceptor);
}

static void
hall_stop(void *owner)
{
	loop_stop(((struct hall *)owner)->loop);
}

static void
hall_turn(void *owner, uint64_t now_ms)
{
	((struct hall *)owner)->turns++;
}

static void
hall_run(struct hall *hall, uint64_t ms)
{
	timer_arm(&hall->timer, ms);
	loop_run(hall->loop);
}

static void
hall_open(struct hall *hall)
{
	struct endpoint endpoint;
	socklen_t size = sizeof(struct sockaddr_in);
	int fd;

	*hall = (struct hall){ .loop = loop_create(NULL) };
	assert_true(endpoint_parse(SPAN_OF("127.0.0.1:1"), &endpoint, NULL));
	endpoint.address.in4.sin_port = 0;
	fd = endpoint_listen(&endpoint, 128, false, NULL);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, &hall->address.any, &size), 0);
	hall->acceptor = acceptor_open(hall->loop, fd, hall_accept, hall);
	assert_int_equal(acceptor_fd(hall->acceptor), fd);
	loop_on_turn(hall->loop, hall_turn, hall);
	timer_init(&hall->timer, hall->loop, hall_stop, hall);
}

static void
hall_connect(struct hall *hall, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		assert_int_equal(connect(fd, &hall->address.any, address_length(&hall->address)), 0);
		hall->clients[hall->client_count++] = fd;
	}
}

static void
hall_close(struct hall *hall)
{
	for (unsigned i = 0; i < hall->client_count; i++)
		close(hall->clients[i]);
	timer_fini(&hall->timer);
	loop_free(hall->loop);
}

static void
test_batches(void **state)
{
	struct hall hall;

	hall_open(&hall);
	hall_connect(&hall, 40);
	hall_run(&hall, 50);
	assert_int_equal(hall.accepted, 40);
	assert_in_range(hall.turns, 5, 10);	/* 8 at a time, over the re-adding at 16 */
	acceptor_close(hall.acceptor);
	acceptor_close(NULL);
	hall_close(&hall);
}

static void
test_pause(void **state)
{
	struct hall hall;

	hall_open(&hall);
	acceptor_pause(hall.acceptor);
	acceptor_pause(hall.acceptor);
	hall_connect(&hall, 3);
	hall_run(&hall, 20);
	acceptor_resume(hall.acceptor);
	hall_run(&hall, 20);
	assert_int_equal(hall.accepted, 0);
	acceptor_resume(hall.acceptor);
	hall_run(&hall, 20);
	assert_int_equal(hall.accepted, 3);
	acceptor_close(hall.acceptor);
	hall_close(&hall);
}

/* One a wake, so that others may come first; nobody is forgotten. */
static void
test_yield(void **state)
{
	struct hall hall;

	hall_open(&hall);
	hall.yields = true;
	hall_connect(&hall, 10);
	hall_run(&hall, 50);
	assert_int_equal(hall.accepted, 10);
	assert_in_range(hall.turns, 10, 14);
	acceptor_close(hall.acceptor);
	hall_close(&hall);
}

static void
test_close_inside(void **state)
{
	struct hall hall;

	hall_open(&hall);
	hall.closes_inside = true;
	hall_connect(&hall, 5);
	hall_run(&hall, 20);
	assert_int_equal(hall.accepted, 1);
	hall_close(&hall);
}

static void
test_take_rest(void **state)
{
	struct hall hall;

	hall_open(&hall);
	acceptor_pause(hall.acceptor);
	hall_connect(&hall, 30);
	acceptor_take_rest(hall.acceptor);
	assert_int_equal(hall.accepted, 30);
	acceptor_close(hall.acceptor);
	hall_close(&hall);
}

static double
cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* No descriptors: it waits without spinning, drops nobody, and goes on when there are some again. */
static void
test_no_descriptors(void **state)
{
	struct rlimit before, small;
	struct hall hall;
	double cpu;
	unsigned some;

	hall_open(&hall);
	hall.keeps = true;
	hall_connect(&hall, 20);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)hall.clients[19] + 6;	/* numbers below are all taken */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	cpu = cpu_ms();
	hall_run(&hall, 300);
	some = hall.accepted;
	assert_in_range(some, 1, 19);
	assert_true(cpu_ms() - cpu < 100);
	assert_true(hall.turns < 30);
	for (unsigned i = 0; i < some; i++)
		close(hall.kept[i]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	hall_run(&hall, 600);
	assert_int_equal(hall.accepted, 20);
	for (unsigned i = some; i < 20; i++)
		close(hall.kept[i]);
	acceptor_close(hall.acceptor);
	hall_close(&hall);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_yield),
		cmocka_unit_test(test_close_inside),
		cmocka_unit_test(test_take_rest),
		cmocka_unit_test(test_no_descriptors),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
