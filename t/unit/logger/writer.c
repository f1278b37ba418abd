/* rooms: base loop ipc logger */
#include "logger/writer.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static struct spool *spool;
static struct writer *writer;

static const char *
in_folder(const char *name)
{
	static char paths[4][128];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", folder, name);
	return paths[turn];
}

static int
set_up(void **state)
{
	struct err err;

	snprintf(folder, sizeof(folder), "/tmp/reeve-writer-XXXXXX");
	assert_non_null(mkdtemp(folder));
	signal(SIGPIPE, SIG_IGN);
	spool = spool_create((size_t)256 * 1024);
	writer = writer_start(spool, &err);
	assert_non_null(writer);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "a", "b", "a.1", "fifo" };

	writer_free(writer);
	spool_free(spool);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_folder(names[i]));
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

static void
put(const char *line)
{
	assert_true(spool_put(spool, span_text(line)));
	writer_wake(writer);
}

/* Waits for the next news. */
static struct writer_news
news(void)
{
	struct pollfd fd = { .fd = writer_news_fd(writer), .events = POLLIN };
	struct writer_news told = { 0 };

	for (int i = 0; i < 50 && !writer_take_news(writer, &told); i++)
		poll(&fd, 1, 100);
	return told;
}

static void
assert_file(const char *name, const char *expected)
{
	struct text text = { 0 };
	struct err err;

	text_add_text(&text, "");
	assert_true(file_read(in_folder(name), 1 << 20, &text, &err));
	assert_string_equal(text.bytes, expected);
	text_fini(&text);
}

static void
test_appends_to_a_file(void **state)
{
	struct stat about;
	struct err err;

	umask(0);
	assert_true(file_write(in_folder("a"), SPAN_OF("before\n"), 0600, &err));
	writer_aim(writer, in_folder("a"));
	put("one");
	put("two");
	writer_aim(writer, in_folder("b"));
	put("three");
	assert_true(writer_finish(writer, 2000));
	assert_file("a", "before\none\ntwo\n");
	assert_file("b", "three\n");
	assert_int_equal(stat(in_folder("b"), &about), 0);
	assert_int_equal(about.st_mode & 07777, 0640);
}

/* What logrotate does: renames, then asks for a new one. */
static void
test_reopens(void **state)
{
	struct writer_news told;

	writer_aim(writer, in_folder("a"));
	put("old");
	writer_reopen(writer);
	assert_int_equal(news().kind, WRITER_REOPENED);
	assert_int_equal(rename(in_folder("a"), in_folder("a.1")), 0);
	put("still old");
	writer_reopen(writer);
	told = news();
	assert_int_equal(told.kind, WRITER_REOPENED);
	assert_string_equal(told.why.text, "");
	put("new");
	assert_true(writer_finish(writer, 2000));
	assert_file("a.1", "old\nstill old\n");
	assert_file("a", "new\n");
}

static void
test_what_cannot_be_opened_changes_nothing(void **state)
{
	struct writer_news told;

	writer_aim(writer, in_folder("a"));
	writer_aim(writer, in_folder("no/such/folder"));
	told = news();
	assert_int_equal(told.kind, WRITER_FAILED);
	assert_non_null(strstr(told.why.text, "no/such/folder: No such file or directory"));
	put("one");
	assert_true(writer_finish(writer, 2000));
	assert_file("a", "one\n");
}

static void
test_reopen_says_why_not(void **state)
{
	struct writer_news told;

	writer_aim(writer, in_folder("a"));
	writer_reopen(writer);
	assert_string_equal(news().why.text, "");
	assert_int_equal(unlink(in_folder("a")), 0);
	assert_int_equal(mkdir(in_folder("a"), 0700), 0);
	writer_reopen(writer);
	told = news();
	assert_int_equal(told.kind, WRITER_REOPENED);
	assert_non_null(strstr(told.why.text, "Is a directory"));
	assert_int_equal(rmdir(in_folder("a")), 0);
}

static void
test_standard_descriptors_reopen_as_they_are(void **state)
{
	writer_reopen(writer);
	assert_string_equal(news().why.text, "");
	assert_true(writer_finish(writer, 2000));
}

/* A disk without room: said once, tried again, given up only at the end. */
static void
test_full_disk(void **state)
{
	struct writer_news told;
	uint64_t before_ms;

	writer_aim(writer, "/dev/full");
	put("one");
	told = news();
	assert_int_equal(told.kind, WRITER_FAILED);
	assert_non_null(strstr(told.why.text, "No space left on device"));
	put("two");
	usleep(250000);
	assert_false(writer_take_news(writer, &told));
	before_ms = clock_ms();
	assert_false(writer_finish(writer, 5000));
	assert_true(clock_ms() - before_ms < 2000);
}

static void
test_full_disk_then_another(void **state)
{
	writer_aim(writer, "/dev/full");
	put("one");
	assert_int_equal(news().kind, WRITER_FAILED);
	writer_aim(writer, in_folder("a"));
	put("two");
	assert_true(writer_finish(writer, 2000));
	assert_file("a", "one\ntwo\n");
}

static void
test_fifo_without_reader_waits_for_one(void **state)
{
	struct pollfd ready;
	char bytes[64];

	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	writer_aim(writer, in_folder("a"));
	writer_aim(writer, in_folder("fifo"));
	assert_int_equal(news().kind, WRITER_FAILED);
	put("one");
	ready.fd = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ready.events = POLLIN;
	for (int i = 0; i < 40 && poll(&ready, 1, 100) == 0; i++)
		put("two");
	assert_int_equal(read(ready.fd, bytes, 4), 4);
	assert_memory_equal(bytes, "two\n", 4);
	close(ready.fd);
}

/* More than the pipe takes. Returns how many lines were put. */
static unsigned
stuff(void)
{
	char line[100];

	for (unsigned i = 0; i < 1500; i++) {
		snprintf(line, sizeof(line), "%04u ....................................................................", i);
		put(line);
	}
	return 1500;
}

/* A reader who sleeps keeps nobody from going elsewhere, and no line appears in two halves at two places. */
static void
test_stuck_reader(void **state)
{
	struct text fifo = { 0 }, file = { 0 };
	unsigned count, lines = 0;
	uint64_t dropped;
	struct err err;
	ssize_t got;
	int reader;

	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	reader = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer_aim(writer, in_folder("fifo"));
	count = stuff();
	usleep(50000);
	writer_aim(writer, in_folder("a"));
	assert_true(writer_finish(writer, 2000));
	dropped = spool_take_dropped(spool, true);
	assert_true(dropped <= 1);
	while ((got = read(reader, text_reserve(&fifo, 4096), 4096)) > 0)
		fifo.len += (size_t)got;
	close(reader);
	assert_true(file_read(in_folder("a"), 1 << 20, &file, &err));
	assert_memory_equal(file.bytes + 4, " ...", 4);
	for (size_t i = 0; i < fifo.len; i++)
		lines += fifo.bytes[i] == '\n';
	for (size_t i = 0; i < file.len; i++)
		lines += file.bytes[i] == '\n';
	assert_int_equal(lines + dropped, count);
	text_fini(&fifo);
	text_fini(&file);
}

static void
test_stuck_reader_wakes_up(void **state)
{
	struct text fifo = { 0 };
	unsigned count, lines = 0;
	int reader;

	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	reader = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer_aim(writer, in_folder("fifo"));
	count = stuff();
	for (uint64_t end_ms = clock_ms() + 5000; lines < count && clock_ms() < end_ms;) {
		char bytes[4096];
		ssize_t got = read(reader, bytes, sizeof(bytes));

		for (ssize_t i = 0; i < got; i++)
			lines += bytes[i] == '\n';
		if (got <= 0)
			usleep(1000);
	}
	assert_int_equal(lines, count);
	assert_true(writer_finish(writer, 2000));
	close(reader);
	text_fini(&fifo);
}

static void
test_gone_reader_fails(void **state)
{
	int reader;

	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	reader = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	writer_aim(writer, in_folder("fifo"));
	put("one");
	usleep(50000);
	close(reader);
	put("two");
	assert_int_equal(news().kind, WRITER_FAILED);
	assert_false(writer_finish(writer, 2000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_appends_to_a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reopens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_opened_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reopen_says_why_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_standard_descriptors_reopen_as_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk_then_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fifo_without_reader_waits_for_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck_reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck_reader_wakes_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone_reader_fails, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
