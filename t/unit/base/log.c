/* rooms: base */
#include "base/log.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The sink: lines one after another. */
static struct text lines;
static enum log_level last_level;
static int sink_calls;

static void
keep_line(void *owner, enum log_level level, struct span line)
{
	assert_ptr_equal(owner, &lines);
	last_level = level;
	sink_calls++;
	text_add(&lines, line);
	text_add_byte(&lines, '\n');
}

static int
sink_set_up(void **state)
{
	text_clear(&lines);
	sink_calls = 0;
	log_to(keep_line, &lines);
	log_set_level(LOG_INFO);
	return 0;
}

static int
sink_tear_down(void **state)
{
	log_to(NULL, NULL);
	text_fini(&lines);
	return 0;
}

/* A line is a fixed head with time and pid, which vary, and a tail. */
static void
assert_line(const char *level, const char *tail)
{
	char head[64], pid[64];

	snprintf(head, sizeof(head), "{\"level\":\"%s\",\"time\":\"20", level);
	snprintf(pid, sizeof(pid), "Z\",\"pid\":%d,\"msg\":", (int)getpid());
	assert_memory_equal(lines.bytes, head, strlen(head));
	assert_non_null(strstr(lines.bytes, pid));
	assert_string_equal(strstr(lines.bytes, pid) + strlen(pid), tail);
}

static void
test_record_without_fields(void **state)
{
	log_say(MSG_STARTED);
	assert_line("info", "\"started\"}\n");
	assert_int_equal(last_level, LOG_INFO);
}

static void
test_every_kind_of_field(void **state)
{
	log_say(MSG_STOPPED, log_text("text", "a\"b\n"), log_text("none", NULL), log_span("span", SPAN_OF("\xff")),
	    log_number("number", UINT64_MAX), log_signed("signed", INT64_MIN), log_bool("yes", true),
	    log_bool("no", false));
	assert_line("info", "\"stopped\",\"text\":\"a\\\"b\\n\",\"none\":\"\",\"span\":\"\xef\xbf\xbd\","
			    "\"number\":18446744073709551615,\"signed\":-9223372036854775808,"
			    "\"yes\":true,\"no\":false}\n");
}

static void
test_open_record(void **state)
{
	struct text text = { 0 };
	char expected[128];

	log_open_record(&text, LOG_WARN, UINT64_C(1795190041123), SPAN_OF("a \"quote\""));
	snprintf(expected, sizeof(expected),
	    "{\"level\":\"warn\",\"time\":\"2026-11-20T15:54:01.123Z\",\"pid\":%d,\"msg\":\"a \\\"quote\\\"\"",
	    (int)getpid());
	assert_string_equal(text.bytes, expected);
	text_fini(&text);
}

static void
test_level_decides(void **state)
{
	log_set_level(LOG_WARN);
	log_say(MSG_STARTED);
	assert_int_equal(sink_calls, 0);
	assert_false(log_is_on(LOG_INFO));
	assert_true(log_is_on(LOG_WARN));
	log_say(MSG_WORKER_DIED);
	assert_int_equal(sink_calls, 1);
	assert_int_equal(last_level, LOG_ERROR);
	log_set_level(LOG_SILENT);
	assert_false(log_is_on(LOG_FATAL));
	assert_false(log_is_on(LOG_SILENT));
	log_say(MSG_WORKER_DIED);
	assert_int_equal(sink_calls, 1);
	log_write_line(LOG_TRACE, SPAN_OF("as it is"));
	assert_int_equal(sink_calls, 2);
}

static void
test_catalogue(void **state)
{
	assert_string_equal(message_name(MSG_WORKER_DIED), "WORKER_DIED");
	assert_string_equal(message_text(MSG_STARTED), "started");
	assert_int_equal(message_level(MSG_RELOAD_FAILED), LOG_ERROR);
	for (int i = 0; i < MESSAGE_COUNT; i++) {
		const char *text = message_text((enum message)i);

		assert_true(strlen(text) > 0);
		assert_int_not_equal(text[strlen(text) - 1], '.');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(text, message_text((enum message)j));
	}
}

/* A sink that cannot write may say so through the log itself. */
static void
log_again(void *owner, enum log_level level, struct span line)
{
	struct span before = line;

	log_to(keep_line, &lines);
	log_say(MSG_LOG_DROPPED, log_number("count", 3));
	log_to(log_again, owner);
	keep_line(owner, level, before);
}

static void
test_sink_may_log(void **state)
{
	log_to(log_again, &lines);
	log_say(MSG_STARTED);
	log_say(MSG_STOPPED);
	assert_int_equal(sink_calls, 4);
	assert_non_null(strstr(lines.bytes, "\"count\":3}\n{\"level\":\"info\""));
	assert_non_null(strstr(lines.bytes, "\"started\"}\n"));
	assert_non_null(strstr(lines.bytes, "\"stopped\"}\n"));
}

static void
test_long_line(void **state)
{
	static char bytes[50000];

	memset(bytes, 'x', sizeof(bytes));
	log_say(MSG_STARTED, log_span("long", span_make(bytes, sizeof(bytes))));
	assert_true(lines.len > sizeof(bytes));
	text_clear(&lines);
	log_say(MSG_STARTED);
	assert_line("info", "\"started\"}\n");
}

static void
test_child_says_its_own_pid(void **state)
{
	int status;
	pid_t child;

	log_say(MSG_STARTED);
	text_clear(&lines);
	child = fork();
	if (child == 0) {
		char expected[32];

		snprintf(expected, sizeof(expected), "\"pid\":%d,", (int)getpid());
		log_say(MSG_STARTED);
		_exit(strstr(lines.bytes, expected) == NULL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
test_without_a_sink_lines_go_to_stderr(void **state)
{
	char line[512] = "";
	int pipe_ends[2];
	int saved = dup(STDERR_FILENO);
	ssize_t count;

	assert_int_equal(pipe(pipe_ends), 0);
	dup2(pipe_ends[1], STDERR_FILENO);
	log_to(NULL, NULL);
	log_say(MSG_STARTED, log_number("n", 1));
	dup2(saved, STDERR_FILENO);
	count = read(pipe_ends[0], line, sizeof(line) - 1);
	assert_true(count > 0);
	assert_non_null(strstr(line, "\"msg\":\"started\",\"n\":1}\n"));
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	close(saved);
}

#define test_with_sink(name) cmocka_unit_test_setup_teardown(name, sink_set_up, sink_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_sink(test_record_without_fields),
		test_with_sink(test_every_kind_of_field),
		test_with_sink(test_open_record),
		test_with_sink(test_level_decides),
		test_with_sink(test_catalogue),
		test_with_sink(test_sink_may_log),
		test_with_sink(test_long_line),
		test_with_sink(test_child_says_its_own_pid),
		test_with_sink(test_without_a_sink_lines_go_to_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
