/* rooms: base ipc loop */
#include "ipc/channel.h"

#include "base/fd.h"
#include "base/memory.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What one end has heard. */
struct ear {
	struct loop	*loop;
	struct channel	*channel;
	unsigned	 messages;
	unsigned	 closed;
	unsigned	 stop_after;
	uint64_t	 sum;
	size_t		 bytes;
	int		 kept;
	bool		 closes_inside;
	enum ipc_type	 last;
};

static void
ear_message(void *owner, struct ipc_message *message)
{
	struct ear *ear = owner;

	ear->messages++;
	ear->last = message->type;
	ear->bytes += message->payload.len;
	if (message->payload.len == sizeof(uint64_t)) {
		struct unpack unpack = unpack_begin(message->payload);

		assert_true(unpack_number(&unpack) == ear->sum++);
	}
	if (message->fd_count > 0) {
		fd_close(&ear->kept);
		ear->kept = ipc_take_fd(message, 0);
		assert_int_equal(ipc_take_fd(message, IPC_FDS_MAX), -1);
	}
	if (ear->closes_inside)
		channel_close(ear->channel);
	if (ear->messages >= ear->stop_after)
		loop_stop(ear->loop);
}

static void
ear_closed(void *owner)
{
	struct ear *ear = owner;

	ear->closed++;
	loop_stop(ear->loop);
}

static const struct channel_events ear_events = { ear_message, ear_closed };

static struct loop *
pair_open(int fds[2])
{
	assert_true(channel_pair(fds, NULL));
	return loop_create(NULL);
}

static void
test_messages_and_descriptors(void **state)
{
	int fds[2], pipes[2];
	struct loop *loop = pair_open(fds);
	struct ear ear = { .loop = loop, .stop_after = 2, .kept = -1 };
	size_t before;
	char byte;

	ear.channel = channel_open(loop, fds[1], &ear_events, &ear);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	before = fd_count();
	assert_true(channel_send_now(fds[0], IPC_PREPARE, SPAN_OF("hello"), pipes, 2));
	assert_true(channel_send_now(fds[0], IPC_COMMIT, (struct span){ 0 }, NULL, 0));
	loop_run(loop);
	assert_int_equal(ear.messages, 2);
	assert_int_equal(ear.last, IPC_COMMIT);
	assert_int_equal(ear.bytes, 5);
	assert_int_equal(fd_count(), before + 1);	/* the one that was taken */
	assert_true(fcntl(ear.kept, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_int_equal(read(ear.kept, &byte, 1), 1);
	close(fds[0]);
	loop_run(loop);
	assert_int_equal(ear.closed, 1);
	channel_close(ear.channel);
	fd_close(&ear.kept);
	close(pipes[0]);
	close(pipes[1]);
	loop_free(loop);
}

/* More than the socket holds, nobody reading: all arrives, in order, with descriptors that were closed meanwhile. */
static void
test_full_socket(void **state)
{
	int fds[2], file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct loop *loop = pair_open(fds);
	struct ear ear = { .loop = loop, .stop_after = 2001, .kept = -1 };
	struct ear silent = { .loop = loop };
	struct channel *sender = channel_open(loop, fds[0], &ear_events, &silent);
	char *large = memory_zalloc(IPC_PAYLOAD_MAX);

	for (uint64_t i = 0; i < 2000; i++)
		channel_send(sender, IPC_READY, span_make((const char *)&i, sizeof(i)), NULL, 0);
	channel_send(sender, IPC_FAILED, span_make(large, IPC_PAYLOAD_MAX), &file, 1);
	close(file);
	ear.channel = channel_open(loop, fds[1], &ear_events, &ear);
	loop_run(loop);
	assert_int_equal(ear.messages, 2001);
	assert_int_equal(ear.sum, 2000);
	assert_int_equal(ear.last, IPC_FAILED);
	assert_true(ear.kept >= 0);
	fd_close(&ear.kept);
	channel_close(sender);
	channel_close(ear.channel);
	memory_free(large);
	loop_free(loop);
}

static void
test_close_inside(void **state)
{
	int fds[2];
	struct loop *loop = pair_open(fds);
	struct ear ear = { .loop = loop, .stop_after = 1, .kept = -1, .closes_inside = true };

	ear.channel = channel_open(loop, fds[1], &ear_events, &ear);
	channel_send_now(fds[0], IPC_ABORT, (struct span){ 0 }, NULL, 0);
	channel_send_now(fds[0], IPC_ABORT, (struct span){ 0 }, NULL, 0);
	loop_run(loop);
	assert_int_equal(ear.messages, 1);
	assert_false(channel_send_now(fds[0], IPC_ABORT, (struct span){ 0 }, NULL, 0));
	close(fds[0]);
	loop_free(loop);
}

/* A closed channel's queue lets its descriptors go. */
static void
test_queue_is_freed(void **state)
{
	int fds[2];
	struct loop *loop = pair_open(fds);
	size_t before = fd_count();
	struct channel *sender = channel_open(loop, fds[0], &ear_events, NULL);
	char *large = memory_zalloc(IPC_PAYLOAD_MAX);

	for (unsigned i = 0; i < 100; i++)
		channel_send(sender, IPC_READY, span_make(large, IPC_PAYLOAD_MAX), fds, 2);
	assert_true(fd_count() > before);
	channel_close(sender);
	close(fds[1]);
	assert_true(fd_count() <= before - 2);
	memory_free(large);
	loop_free(loop);
}

/* A process that has ended may have said something before. */
static void
test_hear_rest(void **state)
{
	int fds[2];
	struct loop *loop = pair_open(fds);
	struct ear ear = { .loop = loop, .stop_after = 1000, .kept = -1 };

	ear.channel = channel_open(loop, fds[1], &ear_events, &ear);
	for (unsigned i = 0; i < 40; i++)
		channel_send_now(fds[0], IPC_READY, SPAN_OF("x"), NULL, 0);
	close(fds[0]);
	channel_hear_rest(ear.channel);
	assert_int_equal(ear.messages, 40);
	assert_int_equal(ear.closed, 1);
	channel_hear_rest(ear.channel);
	channel_send_plain(ear.channel, IPC_ABORT);
	assert_int_equal(ear.closed, 1);
	channel_close(ear.channel);
	loop_free(loop);
}

/* Whatever is no message of ours ends the channel and leaks nothing. */
static void
test_nonsense(void **state)
{
	uint32_t bad = IPC_TYPES;

	for (unsigned i = 0; i < 2; i++) {
		int fds[2];
		struct loop *loop = pair_open(fds);
		struct ear ear = { .loop = loop, .stop_after = 1, .kept = -1 };

		ear.channel = channel_open(loop, fds[1], &ear_events, &ear);
		assert_true(send(fds[0], &bad, i == 0 ? sizeof(bad) : 2, 0) > 0);
		loop_run(loop);
		assert_int_equal(ear.messages, 0);
		assert_int_equal(ear.closed, 1);
		channel_close(ear.channel);
		close(fds[0]);
		loop_free(loop);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_and_descriptors),
		cmocka_unit_test(test_full_socket),
		cmocka_unit_test(test_close_inside),
		cmocka_unit_test(test_queue_is_freed),
		cmocka_unit_test(test_hear_rest),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
