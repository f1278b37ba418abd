/* rooms: base */
#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/reeve-unit-fd.XXXXXX";

/* In a room of its own each call, until the test ends. */
static const char *
path_of(const char *name)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static int
directory_set_up(void **state)
{
	umask(022);
	return mkdtemp(directory) == NULL;
}

static int
directory_tear_down(void **state)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void
assert_content(const char *path, const char *expected)
{
	struct text text = { 0 };
	struct err err;

	assert_true(file_read(path, 100000, &text, &err));
	assert_string_equal(text.bytes, expected);
	text_fini(&text);
}

static void
test_close(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int copy = fd;
	size_t count = fd_count();

	fd_close(&fd);
	assert_int_equal(fd, -1);
	assert_int_equal(fcntl(copy, F_GETFD), -1);
	assert_int_equal(fd_count(), count - 1);
	fd_close(&fd);
}

static void
test_flags(void **state)
{
	int fd = open("/dev/null", O_RDONLY);

	assert_true(fd_set_cloexec(fd, true));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fd_set_cloexec(fd, false));
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_true(fd_set_nonblocking(fd, true));
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fd_set_nonblocking(fd, false));
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	fd_close(&fd);
	assert_false(fd_set_cloexec(-1, true));
	assert_false(fd_set_nonblocking(-1, true));
}

/* More than a pipe holds, so that writes are short. */
static void
test_write_all(void **state)
{
	static char bytes[300000], got[300000];
	size_t len = 0;
	int pipe_ends[2];
	pid_t child;

	memset(bytes, 'x', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 'y';
	assert_int_equal(pipe(pipe_ends), 0);
	child = fork();
	if (child == 0)
		_exit(!fd_write_all(pipe_ends[1], span_make(bytes, sizeof(bytes))));
	while (len < sizeof(got)) {
		ssize_t count = read(pipe_ends[0], got + len, sizeof(got) - len);

		assert_true(count > 0);
		len += (size_t)count;
	}
	assert_memory_equal(bytes, got, sizeof(bytes));
	waitpid(child, NULL, 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	assert_false(fd_write_all(-1, SPAN_OF("x")));
	assert_true(fd_write_all(-1, SPAN_OF("")));
}

static void
test_write_and_read_a_file(void **state)
{
	const char *path = path_of("file");
	struct stat status;
	struct err err;
	size_t count = fd_count();

	assert_true(file_write(path, SPAN_OF("one"), 0640, &err));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_content(path, "one");
	assert_true(file_write(path, SPAN_OF(""), 0600, &err));
	assert_content(path, "");
	assert_int_equal(fd_count(), count);
}

static void
test_write_fails_without_traces(void **state)
{
	struct err err;
	size_t count = fd_count();

	assert_false(file_write(path_of("missing/file"), SPAN_OF("x"), 0600, &err));
	assert_non_null(strstr(err.text, "missing/file"));
	assert_non_null(strstr(err.text, "No such file or directory"));
	assert_int_equal(mkdir(path_of("taken"), 0700), 0);
	assert_false(file_write(path_of("taken"), SPAN_OF("x"), 0600, &err));	/* rename over a directory */
	assert_int_equal(rmdir(path_of("taken")), 0);
	assert_int_equal(fd_count(), count);
}

static void
test_read_adds_and_is_bounded(void **state)
{
	struct text text = { 0 };
	struct err err;
	const char *path = path_of("bounded");

	assert_true(file_write(path, SPAN_OF("12345"), 0600, &err));
	text_add_text(&text, "<");
	assert_true(file_read(path, 5, &text, &err));
	assert_string_equal(text.bytes, "<12345");
	assert_false(file_read(path, 4, &text, &err));
	assert_non_null(strstr(err.text, "larger than 4 bytes"));
	assert_string_equal(text.bytes, "<12345");
	text_fini(&text);
}

static void
test_read_of_proc(void **state)
{
	struct text text = { 0 };
	struct err err;

	assert_true(file_read("/proc/self/status", 100000, &text, &err));
	assert_true(span_starts_with(text_span(&text), SPAN_OF("Name:")));
	text_fini(&text);
}

static void
test_read_refuses_what_is_no_file(void **state)
{
	struct text text = { 0 };
	struct err err;
	size_t count = fd_count();

	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_false(file_read(path_of("fifo"), 100, &text, &err));	/* and does not hang */
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_false(file_read(directory, 100, &text, &err));
	assert_non_null(strstr(err.text, "is a directory"));
	assert_false(file_read(path_of("nothing"), 100, &text, &err));
	assert_non_null(strstr(err.text, "No such file or directory"));
	assert_int_equal(fd_count(), count);
	text_fini(&text);
}

static void
test_directories(void **state)
{
	struct stat status;
	struct err err;

	assert_true(directory_make(path_of("a/b//c/"), 0750, &err));
	assert_int_equal(stat(path_of("a/b/c"), &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0750);
	assert_true(directory_make(path_of("a/b/c"), 0750, &err));
	assert_true(directory_make("/", 0750, &err));
	assert_true(file_write(path_of("a/file"), SPAN_OF("x"), 0600, &err));
	assert_false(directory_make(path_of("a/file/d"), 0750, &err));
	assert_non_null(strstr(err.text, "a/file"));
	assert_false(directory_make(path_of("a/file"), 0750, &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_write_all),
		cmocka_unit_test(test_write_and_read_a_file),
		cmocka_unit_test(test_write_fails_without_traces),
		cmocka_unit_test(test_read_adds_and_is_bounded),
		cmocka_unit_test(test_read_of_proc),
		cmocka_unit_test(test_read_refuses_what_is_no_file),
		cmocka_unit_test(test_directories),
	};

	return cmocka_run_group_tests(tests, directory_set_up, directory_tear_down);
}
