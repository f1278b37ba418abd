/* rooms: base loop ipc logger */
#include "logger/logger.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "ipc/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char log_path[128];
static pid_t logger;
static int channel = -1;
static int standard = -1;	/* the read end of what is the logger's stderr */
static int pipe_end = -1;	/* the write end of a log pipe, blocking */

static int
set_up(void **state)
{
	int fds[2], standards[2];
	struct err err;

	snprintf(folder, sizeof(folder), "/tmp/reeve-logger-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	assert_true(channel_pair(fds, &err));
	assert_int_equal(pipe2(standards, O_CLOEXEC), 0);
	fflush(stdout);
	logger = fork();
	assert_true(logger >= 0);
	if (logger == 0) {
		dup2(standards[1], STDERR_FILENO);
		close(standards[0]);
		close(standards[1]);
		close(fds[0]);
		logger_main(fds[1]);
	}
	close(fds[1]);
	close(standards[1]);
	channel = fds[0];
	standard = standards[0];
	return 0;
}

static int
tear_down(void **state)
{
	if (logger > 0) {
		kill(logger, SIGKILL);
		waitpid(logger, NULL, 0);
	}
	fd_close(&channel);
	fd_close(&standard);
	fd_close(&pipe_end);
	unlink(log_path);
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

/* -- the primary's part -------------------------------------------------------------------------------------------- */

static int
add_source(const char *name)
{
	struct text payload = { 0 };
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pack_span(&payload, span_text(name));
	assert_true(channel_send_now(channel, IPC_LOG_SOURCE, text_span(&payload), &fds[0], 1));
	close(fds[0]);
	text_fini(&payload);
	return fds[1];
}

static void
aim(enum log_form form, const char *output)
{
	struct text payload = { 0 };

	pack_number(&payload, form);
	pack_span(&payload, span_text(output));
	assert_true(channel_send_now(channel, IPC_LOG_DESTINATION, text_span(&payload), NULL, 0));
	text_fini(&payload);
}

static void
say(enum ipc_type type)
{
	assert_true(channel_send_now(channel, type, SPAN_OF(""), NULL, 0));
}

/* All that was said before has been heard when it returns. */
static void
wait_until_heard(void)
{
	char answer[512];

	say(IPC_LOG_REOPEN);
	assert_true(recv(channel, answer, sizeof(answer), 0) > 4);
}

/* The exit code; how long it took goes to *took_ms. */
static int
wait_for_end(uint64_t *took_ms)
{
	uint64_t from_ms = clock_ms();
	int status;

	for (int i = 0; i < 5000; i++) {
		if (waitpid(logger, &status, WNOHANG) == logger) {
			logger = 0;
			*took_ms = clock_ms() - from_ms;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		}
		usleep(1000);
	}
	fail_msg("the logger does not end");
	return -1;
}

static void
stop_well(void)
{
	uint64_t took_ms;

	say(IPC_LOG_STOP);
	assert_int_equal(wait_for_end(&took_ms), 0);
	assert_true(took_ms < 1000);
}

static void
write_text(int fd, const char *text)
{
	assert_true(fd_write_all(fd, span_text(text)));
}

static void
read_log(const char *path, struct text *to)
{
	struct err err;

	text_clear(to);
	text_add_text(to, "");
	assert_true(file_read(path, (size_t)64 << 20, to, &err));
}

static void
read_standard(struct text *to)
{
	ssize_t got;

	text_clear(to);
	text_add_text(to, "");
	while ((got = read(standard, text_reserve(to, 65536), 65536)) > 0)
		to->len += (size_t)got;
	to->bytes[to->len] = '\0';
}

#define ONE "{\"level\":\"info\",\"time\":\"2026-11-20T15:54:01.123Z\",\"pid\":7,\"msg\":\"one\"}"

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void
test_stderr_at_first(void **state)
{
	struct text out = { 0 };

	pipe_end = add_source("worker 0");
	write_text(pipe_end, ONE "\nand without an end");
	stop_well();
	read_standard(&out);
	assert_non_null(strstr(out.bytes, ONE "\n"));
	assert_non_null(strstr(out.bytes, "\"source\":\"worker 0\",\"msg\":\"and without an end\"}\n"));
	text_fini(&out);
}

static void
test_file_and_forms(void **state)
{
	struct text out = { 0 };

	pipe_end = add_source("worker 12");
	write_text(pipe_end, ONE "\n");
	aim(LOG_FORM_AUTO, log_path);
	wait_until_heard();
	write_text(pipe_end, ONE "\n");
	aim(LOG_FORM_PRETTY, log_path);
	wait_until_heard();
	write_text(pipe_end, ONE "\n");
	stop_well();
	read_log(log_path, &out);
	assert_non_null(strstr(out.bytes, ONE "\n"));
	assert_true(span_ends_with(text_span(&out), SPAN_OF(" INFO  worker 12  one\n")));
	read_standard(&out);
	assert_string_equal(out.bytes, ONE "\n");
	text_fini(&out);
}

/* Everything in every pipe is written before the end, though nobody has ended its pipe. */
static void
test_stop_loses_nothing(void **state)
{
	struct text out = { 0 };
	int ends[8];
	unsigned lines = 0;

	aim(LOG_FORM_JSON, log_path);
	wait_until_heard();
	for (int i = 0; i < 8; i++) {
		ends[i] = add_source("worker");
		for (int line = 0; line < 700; line++)
			write_text(ends[i], ONE "\n");
	}
	stop_well();
	read_log(log_path, &out);
	for (size_t i = 0; i < out.len; i++)
		lines += out.bytes[i] == '\n';
	assert_int_equal(lines, 8 * 700 + 1);
	for (int i = 0; i < 8; i++)
		close(ends[i]);
	text_fini(&out);
}

static void
test_reopen_answers(void **state)
{
	char answer[512];
	char moved[160];
	struct text out = { 0 };
	struct unpack unpack;
	ssize_t got;

	snprintf(moved, sizeof(moved), "%s.1", log_path);
	pipe_end = add_source("worker 0");
	aim(LOG_FORM_JSON, log_path);
	write_text(pipe_end, ONE "\n");
	wait_until_heard();
	assert_int_equal(rename(log_path, moved), 0);
	write_text(pipe_end, ONE "\n");
	say(IPC_LOG_REOPEN);
	got = recv(channel, answer, sizeof(answer), 0);
	assert_true(got > 4);
	unpack = unpack_begin(span_make(answer + 4, (size_t)got - 4));
	assert_true(unpack_flag(&unpack));
	assert_int_equal(unpack_span(&unpack).len, 0);
	assert_true(unpack_end(&unpack));
	write_text(pipe_end, ONE "\n");
	stop_well();
	read_log(moved, &out);
	assert_true(span_ends_with(text_span(&out), SPAN_OF(ONE "\n")));
	read_log(log_path, &out);
	assert_non_null(strstr(out.bytes, "log files reopened"));
	assert_true(span_ends_with(text_span(&out), SPAN_OF(ONE "\n")));
	unlink(moved);
	text_fini(&out);
}

/* The primary dies; the workers end some time later: what they say until then is written. */
static void
test_outlives_the_primary(void **state)
{
	struct text out = { 0 };
	uint64_t took_ms;
	int second = add_source("worker 1");

	pipe_end = add_source("worker 0");
	aim(LOG_FORM_JSON, log_path);
	wait_until_heard();
	fd_close(&channel);
	usleep(50000);
	write_text(pipe_end, ONE "\n");
	fd_close(&pipe_end);
	usleep(50000);
	write_text(second, ONE "\nlast words");
	close(second);
	assert_int_equal(wait_for_end(&took_ms), 0);
	read_log(log_path, &out);
	assert_non_null(strstr(out.bytes, ONE "\n" ONE "\n{"));
	assert_non_null(strstr(out.bytes, "\"last words\"}\n"));
	text_fini(&out);
}

static void
test_signals_are_the_primarys(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };
	struct text out = { 0 };

	pipe_end = add_source("worker 0");
	usleep(50000);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		assert_int_equal(kill(logger, signals[i]), 0);
	usleep(50000);
	write_text(pipe_end, ONE "\n");
	stop_well();
	read_standard(&out);
	assert_string_equal(out.bytes, ONE "\n");
	text_fini(&out);
}

/* Lines written and told as dropped, from what arrived. */
static void
count_lines(struct span text, uint64_t *lines_out, uint64_t *dropped_out)
{
	struct span line;

	*lines_out = *dropped_out = 0;
	while (span_cut(&text, '\n', &line)) {
		struct json_value record, value;
		uint64_t count;

		if (line.len == 0)
			continue;
		assert_true(json_parse(line, &record));
		if (json_get(record, "lines", &value) && json_number(value, &count))
			*dropped_out += count;
		else if (json_get(record, "msg", &value) && span_is(value.raw, "\"one\""))
			*lines_out += 1;
	}
}

/*
 * The reader of stderr sleeps: the pipes are read all the same (these writes are blocking: they would hang), what does
 * not fit is counted, and when he wakes up the count is exact.
 */
static void
test_stuck_stderr(void **state)
{
	enum { LINES = 150000 };
	struct text block = { 0 }, out = { 0 };
	uint64_t lines, dropped, from_ms = clock_ms();

	pipe_end = add_source("worker 0");
	for (int i = 0; i < 1000; i++)
		text_add(&block, SPAN_OF(ONE "\n"));
	for (int i = 0; i < LINES / 1000; i++)
		assert_true(fd_write_all(pipe_end, text_span(&block)));
	assert_true(clock_ms() - from_ms < 10000);
	for (unsigned chunk = 0; chunk < 9500; chunk++) {
		ssize_t got = read(standard, text_reserve(&out, 1024), 1024);

		assert_true(got > 0);
		out.len += (size_t)got;
		if (memmem(out.bytes + out.len - (size_t)got, (size_t)got, "\"lines\"", 7))
			break;
	}
	assert_true(fd_write_all(pipe_end, SPAN_OF(ONE "\n")));
	say(IPC_LOG_STOP);
	for (ssize_t got; (got = read(standard, text_reserve(&out, 65536), 65536)) > 0;)
		out.len += (size_t)got;
	count_lines(text_span(&out), &lines, &dropped);
	assert_true(dropped > 0);
	assert_int_equal(lines + dropped, LINES + 1);
	text_fini(&block);
	text_fini(&out);
}

/* And when he never wakes up, the end comes all the same. */
static void
test_stop_with_stuck_stderr(void **state)
{
	struct text block = { 0 };
	uint64_t took_ms;

	pipe_end = add_source("worker 0");
	for (int i = 0; i < 5000; i++)
		text_add(&block, SPAN_OF(ONE "\n"));
	assert_true(fd_write_all(pipe_end, text_span(&block)));
	say(IPC_LOG_STOP);
	assert_int_equal(wait_for_end(&took_ms), 0);
	assert_true(took_ms > 1000 && took_ms < 3500);
	text_fini(&block);
}

static void
test_full_disk_complains_on_stderr(void **state)
{
	struct text out = { 0 };
	uint64_t took_ms;

	pipe_end = add_source("worker 0");
	aim(LOG_FORM_JSON, "/dev/full");
	wait_until_heard();
	write_text(pipe_end, ONE "\n");
	assert_int_equal(poll(&(struct pollfd){ .fd = standard, .events = POLLIN }, 1, 5000), 1);
	say(IPC_LOG_STOP);
	assert_int_equal(wait_for_end(&took_ms), 0);
	assert_true(took_ms < 1500);
	read_standard(&out);
	assert_non_null(strstr(out.bytes, "cannot write to /dev/full: No space left on device"));
	assert_non_null(strstr(out.bytes, "did not keep up\",\"lines\":3}"));
	text_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stderr_at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file_and_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reopen_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outlives_the_primary, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_signals_are_the_primarys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck_stderr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_with_stuck_stderr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full_disk_complains_on_stderr, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
