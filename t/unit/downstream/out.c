/* rooms: base loop conf http net codec request downstream store */
/* What a socket did not take at once: bytes, then a stretch of a file; in order, in full, nothing kept afterwards. */
#include "downstream/out.h"

#include "base/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 400000, QUANTUM = 100000 };

struct ends {
	struct stream	stream;
	int		other;
	struct out	out;
	struct text	got;
};

static void
ends_open(struct ends *ends)
{
	int fds[2], size = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*ends = (struct ends){ .other = fds[1] };
	stream_init(&ends->stream, fds[0]);
	out_init(&ends->out);
}

static void
ends_close(struct ends *ends)
{
	out_fini(&ends->out);
	assert_true(out_is_empty(&ends->out));
	text_fini(&ends->got);
	stream_close(&ends->stream);
	stream_close(&ends->stream);	/* twice is once */
	close(ends->other);
}

static void
ends_read(struct ends *ends)
{
	char bytes[4096];
	ssize_t count;

	while ((count = read(ends->other, bytes, sizeof(bytes))) > 0)
		text_add(&ends->got, span_make(bytes, (size_t)count));
}

/* Until all has left, while somebody reads. */
static void
ends_flush(struct ends *ends)
{
	size_t moved, all = 0, before = out_waiting(&ends->out) + ends->out.file_left;

	while (out_flush(&ends->out, &ends->stream, QUANTUM, &moved) == STREAM_AGAIN) {
		all += moved;
		ends_read(ends);
	}
	all += moved;
	ends_read(ends);
	assert_int_equal(all, before);
	assert_true(out_is_empty(&ends->out));
	assert_null(ends->out.bytes.bytes);
}

static char *
pattern_make(size_t size)
{
	char *bytes = memory_alloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	return bytes;
}

static int
file_of(const char *bytes, size_t size)
{
	char path[] = "/tmp/reeve-out-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

static void
keeps_what_was_not_taken(void **state)
{
	struct ends ends;
	char *bytes = pattern_make(MUCH);
	struct iovec pieces[3] = { { bytes, 10 }, { bytes + 10, 0 }, { bytes + 10, 20 } };

	ends_open(&ends);
	assert_true(out_is_empty(&ends.out));
	out_add(&ends.out, pieces, 3, 15);	/* 15 went at once */
	assert_int_equal(out_waiting(&ends.out), 15);
	out_add(&ends.out, &(struct iovec){ bytes + 30, MUCH - 30 }, 1, 0);
	assert_int_equal(out_waiting(&ends.out), MUCH - 15);
	ends_flush(&ends);
	assert_true(span_equal(text_span(&ends.got), span_make(bytes + 15, MUCH - 15)));
	memory_free(bytes);
	ends_close(&ends);
}

static void
skips_all_that_went(void **state)
{
	static const size_t skips[] = { 0, 1, 9, 10, 11, 29, 30 };
	char *bytes = pattern_make(30);

	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++) {
		struct iovec pieces[2] = { { bytes, 10 }, { bytes + 10, 20 } };
		struct ends ends;

		ends_open(&ends);
		out_add(&ends.out, pieces, 2, skips[i]);
		assert_int_equal(out_waiting(&ends.out), 30 - skips[i]);
		assert_int_equal(out_is_empty(&ends.out), skips[i] == 30);
		ends_flush(&ends);
		assert_true(span_equal(text_span(&ends.got), span_make(bytes + skips[i], 30 - skips[i])));
		ends_close(&ends);
	}
	memory_free(bytes);
}

static void
sends_bytes_then_file(void **state)
{
	struct ends ends;
	char *bytes = pattern_make(MUCH);
	int fd = file_of(bytes, MUCH);

	ends_open(&ends);
	out_add(&ends.out, &(struct iovec){ bytes, 1000 }, 1, 0);
	out_add_file(&ends.out, fd, 1000, MUCH - 2000);
	assert_int_equal(out_waiting(&ends.out), 1000);
	assert_false(out_is_empty(&ends.out));
	ends_flush(&ends);
	assert_true(span_equal(text_span(&ends.got), span_make(bytes, MUCH - 1000)));

	/* And again with the same. */
	text_clear(&ends.got);
	out_add_file(&ends.out, fd, 0, 5);
	ends_flush(&ends);
	assert_true(span_equal(text_span(&ends.got), span_make(bytes, 5)));
	out_add_file(&ends.out, fd, 0, 0);
	assert_true(out_is_empty(&ends.out));
	close(fd);
	memory_free(bytes);
	ends_close(&ends);
}

/* Others get their turn even when the socket takes everything. */
static void
sends_at_most_a_quantum(void **state)
{
	struct ends ends;
	char *bytes = pattern_make(3000);
	int fd = file_of(bytes, 3000);
	size_t moved;

	ends_open(&ends);
	out_add_file(&ends.out, fd, 0, 3000);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(out_flush(&ends.out, &ends.stream, 1000, &moved), i < 3 ? STREAM_AGAIN : STREAM_OK);
		assert_int_equal(moved, 1000);
		ends_read(&ends);
	}
	assert_true(span_equal(text_span(&ends.got), span_make(bytes, 3000)));
	close(fd);
	memory_free(bytes);
	ends_close(&ends);
}

static void
says_when_nothing_can_leave(void **state)
{
	struct ends ends;
	char *bytes = pattern_make(1000);
	int fd = file_of(bytes, 1000);
	size_t moved;

	ends_open(&ends);
	out_add_file(&ends.out, fd, 500, 600);	/* a hundred more than there are */
	assert_int_equal(out_flush(&ends.out, &ends.stream, QUANTUM, &moved), STREAM_BROKEN);
	assert_int_equal(moved, 500);
	ends_close(&ends);

	ends_open(&ends);
	shutdown(ends.other, SHUT_RDWR);
	out_add(&ends.out, &(struct iovec){ bytes, 10 }, 1, 0);
	assert_int_equal(out_flush(&ends.out, &ends.stream, QUANTUM, &moved), STREAM_BROKEN);
	assert_int_equal(moved, 0);
	ends_close(&ends);
	close(fd);
	memory_free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_not_taken),
		cmocka_unit_test(skips_all_that_went),
		cmocka_unit_test(sends_bytes_then_file),
		cmocka_unit_test(sends_at_most_a_quantum),
		cmocka_unit_test(says_when_nothing_can_leave),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
