/* rooms: base loop net conf */
/* Each verb once, over loopback: what moved, what must wait, what has ended, what is broken. */
#include "net/stream.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 8000000 };

/* A stream, and the other end of it. */
static int
stream_open(struct stream *stream)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int door = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(door, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(door, 1), 0);
	assert_int_equal(getsockname(door, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(other, (struct sockaddr *)&address, size), 0);
	stream_init(stream, accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	assert_true(stream->fd >= 0);
	close(door);
	return other;
}

static void
wait_readable(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&wait, 1, 2000), 1);
}

static void
reads(void **state)
{
	struct stream stream;
	int other = stream_open(&stream);
	char bytes[8];
	size_t count = 9;

	assert_int_equal(stream_read(&stream, bytes, sizeof(bytes), &count), STREAM_AGAIN);
	assert_int_equal(count, 0);
	assert_int_equal(write(other, "0123456789", 10), 10);
	wait_readable(stream.fd);
	assert_int_equal(stream_read(&stream, bytes, sizeof(bytes), &count), STREAM_OK);
	assert_int_equal(count, 8);
	assert_memory_equal(bytes, "01234567", 8);
	shutdown(other, SHUT_WR);
	assert_int_equal(stream_read(&stream, bytes, sizeof(bytes), &count), STREAM_OK);
	assert_int_equal(count, 2);
	wait_readable(stream.fd);
	assert_int_equal(stream_read(&stream, bytes, sizeof(bytes), &count), STREAM_END);
	assert_int_equal(count, 0);
	/* The end of what he says is not the end of what we may say. */
	assert_int_equal(stream_write(&stream, &(struct iovec){ bytes, 3 }, 1, false, &count), STREAM_OK);
	assert_int_equal(read(other, bytes, sizeof(bytes)), 3);
	stream_close(&stream);
	assert_int_equal(stream.fd, -1);
	assert_int_equal(read(other, bytes, sizeof(bytes)), 0);
	close(other);
}

static void
writes(void **state)
{
	struct stream stream;
	int other = stream_open(&stream);
	char *much = memory_zalloc(MUCH), got[8];
	const struct iovec three[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };
	size_t count;

	stream_tune(&stream, true);
	assert_int_equal(stream_write(&stream, three, 3, true, &count), STREAM_OK);
	assert_int_equal(count, 5);
	assert_int_equal(stream_write(&stream, &(struct iovec){ "f", 1 }, 1, false, &count), STREAM_OK);
	assert_int_equal(recv(other, got, 6, MSG_WAITALL), 6);
	assert_memory_equal(got, "abcdef", 6);

	/* More than anybody takes at once, then nothing. */
	assert_int_equal(stream_write(&stream, &(struct iovec){ much, MUCH }, 1, false, &count), STREAM_OK);
	assert_in_range(count, 1, MUCH - 1);
	while (stream_write(&stream, &(struct iovec){ much, MUCH }, 1, false, &count) == STREAM_OK)
		assert_true(count > 0);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(count, 0);
	memory_free(much);
	stream_close(&stream);
	close(other);
}

static void
breaks(void **state)
{
	const struct linger at_once = { .l_onoff = 1 };
	struct stream stream;
	int other = stream_open(&stream);
	char bytes[8];
	size_t count;

	setsockopt(other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(other);
	wait_readable(stream.fd);
	assert_int_equal(stream_read(&stream, bytes, sizeof(bytes), &count), STREAM_BROKEN);
	assert_int_equal(count, 0);
	/* And no signal. */
	assert_int_equal(stream_write(&stream, &(struct iovec){ bytes, 3 }, 1, false, &count), STREAM_BROKEN);
	assert_int_equal(count, 0);
	stream_close(&stream);
}

static void
ends_and_resets(void **state)
{
	struct stream stream;
	int other = stream_open(&stream);
	char byte;

	stream_shutdown(&stream);
	assert_int_equal(read(other, &byte, 1), 0);
	assert_int_equal(write(other, "x", 1), 1);	/* he may go on */
	wait_readable(stream.fd);
	stream_reset(&stream);
	assert_int_equal(stream.fd, -1);
	stream_shutdown(&stream);	/* closed: nothing to do */
	stream_reset(&stream);
	stream_close(&stream);
	close(other);

	other = stream_open(&stream);
	stream_reset(&stream);
	wait_readable(other);
	assert_int_equal(read(other, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(other);
}

static void
sends_files(void **state)
{
	char path[] = "/tmp/reeve-stream-XXXXXX", got[16];
	int fd = mkstemp(path), other;
	struct stream stream;
	uint64_t at = 2;
	size_t count;

	unlink(path);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	other = stream_open(&stream);
	assert_int_equal(stream_send_file(&stream, fd, &at, 5, &count), STREAM_OK);
	assert_int_equal(count, 5);
	assert_int_equal(at, 7);
	assert_int_equal(stream_send_file(&stream, fd, &at, 5, &count), STREAM_OK);
	assert_int_equal(count, 3);
	assert_int_equal(at, 10);
	assert_int_equal(stream_send_file(&stream, fd, &at, 2, &count), STREAM_END);	/* it is shorter */
	assert_int_equal(count, 0);
	assert_int_equal(recv(other, got, 8, MSG_WAITALL), 8);
	assert_memory_equal(got, "23456789", 8);

	/* Until nobody takes more; the place to go on is told. */
	assert_int_equal(ftruncate(fd, (off_t)1 << 31), 0);
	at = 10;
	while (stream_send_file(&stream, fd, &at, UINT64_MAX, &count) == STREAM_OK)
		assert_true(count > 0 && at < (uint64_t)1 << 31);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(count, 0);
	close(other);
	stream_close(&stream);

	/* What is no file cannot be sent. */
	other = stream_open(&stream);
	at = 0;
	assert_int_equal(stream_send_file(&stream, other, &at, 5, &count), STREAM_BROKEN);
	close(other);
	stream_close(&stream);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(writes),
		cmocka_unit_test(breaks),
		cmocka_unit_test(ends_and_resets),
		cmocka_unit_test(sends_files),
	};

	signal(SIGPIPE, SIG_IGN);	/* sendfile(2) has no flag against it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
