/* rooms: base loop control */
#include "control/server.h"

#include "base/clock.h"
#include "base/fd.h"
#include "control/client.h"
#include "control/socket.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static char folder[64];
static char path[128];
static pid_t server;

/* -- the server's process ------------------------------------------------------------------------------------------ */

/* Answers reloads after a while with progress, all that wait at once; `stop` ends the process. */
static struct {
	struct loop		*loop;
	struct control_server	*server;
	struct timer		 timer;
	struct control_call	*waiting[16];
	unsigned		 count;
	unsigned		 reloads;
} host;

static void
say_status(void *owner, struct text *json)
{
	assert_ptr_equal(owner, &host);
	text_format(json, "{\"pid\":%d,\"reloads\":%u,\"fds\":%zu}", (int)getpid(), host.reloads, fd_count());
}

static void
say_big_status(void *owner, struct text *json)
{
	memset(text_reserve(json, 8 << 20), 'x', 8 << 20);
	json->len += 8 << 20;
}

static void
begin_reload(void *owner, struct control_call *call)
{
	host.waiting[host.count++] = call;
	control_progress(call, SPAN_OF("reading"));
	if (!timer_is_armed(&host.timer))
		timer_arm(&host.timer, 300);
}

static void
finish_reload(void *owner)
{
	host.reloads++;
	while (host.count > 0)
		control_reply(host.waiting[--host.count], true, SPAN_OF("reloaded"));
}

static void
begin_stop(void *owner, struct control_call *call)
{
	control_reply(call, true, SPAN_OF("stopped"));
	loop_stop(host.loop);
}

static void
refuse_reopen(void *owner, struct control_call *call)
{
	control_reply(call, false, SPAN_OF("the disk is gone"));
}

static const struct control_verbs verbs = { say_status, begin_reload, begin_stop, refuse_reopen };
static const struct control_verbs big_verbs = { say_big_status, begin_reload, begin_stop, refuse_reopen };

static void
host_run(const struct control_verbs *with, int ready)
{
	struct err err;

	host.loop = loop_create(&err);
	host.server = control_server_open(host.loop, path, with, &host, &err);
	if (host.server == NULL)
		_exit(3);
	timer_init(&host.timer, host.loop, finish_reload, &host);
	close(ready);
	loop_run(host.loop);
	timer_fini(&host.timer);
	control_server_close(host.server);
	loop_free(host.loop);
	_exit(0);
}

static void
host_start(const struct control_verbs *with)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		close(ready[0]);
		host_run(with, ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
}

/* -- around each test ---------------------------------------------------------------------------------------------- */

static int
set_up(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/reeve-control-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/in/control.sock", folder);
	host_start(&verbs);
	return 0;
}

static void
host_end(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		server = 0;
	}
}

static int
tear_down(void **state)
{
	char inner[128];

	host_end();
	unlink(path);
	snprintf(inner, sizeof(inner), "%s/in", folder);
	rmdir(inner);
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

static int
dial(void)
{
	struct sockaddr_un address;
	struct err err;
	int fd;

	assert_true(control_address(path, &address, &err));
	fd = control_connect(&address);
	assert_true(fd >= 0);
	assert_true(fd_set_nonblocking(fd, false));
	return fd;
}

/* Everything until the server closes. */
static const char *
hear(int fd)
{
	static char answer[4096];
	size_t len = 0;
	ssize_t got;

	while (len < sizeof(answer) - 1 && (got = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)got;
	answer[len] = '\0';
	close(fd);
	return answer;
}

static const char *
ask_raw(struct span bytes)
{
	int fd = dial();

	assert_true(fd_write_all(fd, bytes));
	return hear(fd);
}

static bool
ask(const char *verb, struct text *answer, struct err *err)
{
	struct control_client *client = control_client_open(path, err);
	const struct control_patience patience = { .timeout_ms = 5000 };
	bool is_done;

	text_clear(answer);
	text_add_text(answer, "");
	if (client == NULL)
		return false;
	assert_int_equal(control_client_pid(client), server);
	is_done = control_client_ask(client, span_text(verb), &patience, answer, err);
	control_client_close(client);
	return is_done;
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void
test_mode(void **state)
{
	struct stat about;

	assert_int_equal(lstat(path, &about), 0);
	assert_true(S_ISSOCK(about.st_mode));
	assert_int_equal(about.st_mode & 07777, 0600);
}

static void
test_status(void **state)
{
	struct text answer = { 0 };
	struct err err;
	char expected[64];

	snprintf(expected, sizeof(expected), "{\"pid\":%d,\"reloads\":0", (int)server);
	assert_true(ask("status", &answer, &err));
	assert_true(span_starts_with(text_span(&answer), span_text(expected)));
	text_fini(&answer);
}

static void
test_refusal_and_unknown_verb(void **state)
{
	struct text answer = { 0 };
	struct err err;

	assert_false(ask("reopen-logs", &answer, &err));
	assert_string_equal(err.text, "the disk is gone");
	assert_string_equal(answer.bytes, "the disk is gone");
	assert_false(ask("app", &answer, &err));
	assert_string_equal(err.text, "unknown verb \"app\": not supported in this version");
	text_fini(&answer);
}

struct heard {
	unsigned	calls;
	bool		has_progress;
};

static void
keep_progress(void *owner, uint64_t waited_ms, struct span progress)
{
	struct heard *heard = owner;

	heard->calls++;
	heard->has_progress |= span_is(progress, "reading");
}

static void
test_late_answer_with_progress(void **state)
{
	struct heard heard = { 0 };
	const struct control_patience patience = { .timeout_ms = 5000, .on_wait = keep_progress, .owner = &heard };
	struct text answer = { 0 };
	struct err err;
	struct control_client *client = control_client_open(path, &err);

	assert_true(control_client_ask(client, SPAN_OF("reload"), &patience, &answer, &err));
	assert_string_equal(answer.bytes, "reloaded");
	assert_true(heard.has_progress && heard.calls >= 2);
	control_client_close(client);
	text_fini(&answer);
}

static void
test_client_loses_patience(void **state)
{
	const struct control_patience patience = { .timeout_ms = 100 };
	struct text answer = { 0 };
	struct err err;
	struct control_client *client = control_client_open(path, &err);

	assert_false(control_client_ask(client, SPAN_OF("reload"), &patience, &answer, &err));
	assert_non_null(strstr(err.text, "no answer within 0.1 s"));
	control_client_close(client);
	text_fini(&answer);
}

/* Who goes away cancels nothing. */
static void
test_gone_callers_cancel_nothing(void **state)
{
	struct text answer = { 0 };
	struct err err;

	for (int i = 0; i < 3; i++) {
		int fd = dial();

		assert_true(fd_write_all(fd, SPAN_OF("reeve/1 reload\n")));
		close(fd);
	}
	usleep(600000);
	assert_true(ask("status", &answer, &err));
	assert_non_null(strstr(answer.bytes, "\"reloads\":1"));
	text_fini(&answer);
}

/* echo … | nc -U: the caller closes its writing side and waits. */
static void
test_half_closed_caller_is_answered(void **state)
{
	int fd = dial();

	assert_true(fd_write_all(fd, SPAN_OF("reeve/1 reload\n")));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(hear(fd), "progress reading\nok 8\nreloaded");
}

static void
test_bad_questions(void **state)
{
	static const struct {
		struct span	 bytes;
		const char	*answer;
	} rows[] = {
		{ SPAN("GET / HTTP/1.1\r\n"), "fail 43\nthe question does not begin with \"reeve/1 \"\n" },
		{ SPAN("\n"), "fail " },
		{ SPAN("reeve/1 status x\n"), "fail 23\n\"status\" takes no words" },
		{ SPAN("reeve/1 status\nreeve/1 status\n"), "fail 18\nmore than one line" },
		{ SPAN("reeve/1 nonsense\n"), "fail " },
		{ SPAN("\0\0\0\n"), "fail " },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *answer = ask_raw(rows[i].bytes);

		if (strncmp(answer, rows[i].answer, strcspn(rows[i].answer, "\n")) != 0)
			fail_msg("%.*s → %s", (int)rows[i].bytes.len, rows[i].bytes.at, answer);
	}
}

static void
test_oversized_question(void **state)
{
	static char bytes[CONTROL_LINE_MAX];

	memset(bytes, 'x', sizeof(bytes));
	assert_string_equal(ask_raw(span_make(bytes, sizeof(bytes))), "fail 24\nthe question is too long");
}

static void
test_byte_by_byte(void **state)
{
	struct span question = SPAN("reeve/1 reopen-logs\n");
	int fd = dial();

	for (size_t i = 0; i < question.len; i++) {
		assert_true(fd_write_all(fd, span_make(question.at + i, 1)));
		usleep(1000);
	}
	assert_string_equal(hear(fd), "fail 16\nthe disk is gone");
}

/* Eight are listened to; the others wait for one of them to end, and are answered then. */
static void
test_many_callers(void **state)
{
	int fds[12];
	struct pollfd ready;

	for (size_t i = 0; i < COUNT(fds); i++)
		fds[i] = dial();
	for (size_t i = 8; i < COUNT(fds); i++)
		assert_true(fd_write_all(fds[i], SPAN_OF("reeve/1 reopen-logs\n")));
	ready = (struct pollfd){ .fd = fds[8], .events = POLLIN };
	assert_int_equal(poll(&ready, 1, 200), 0);
	close(fds[0]);
	for (size_t i = 8; i < COUNT(fds); i++)
		assert_string_equal(hear(fds[i]), "fail 16\nthe disk is gone");
	for (size_t i = 1; i < 8; i++)
		close(fds[i]);
}

static void
test_no_descriptor_is_left(void **state)
{
	struct text before = { 0 }, after = { 0 };
	struct err err;

	assert_true(ask("status", &before, &err));
	for (int i = 0; i < 40; i++) {
		ask_raw(SPAN_OF("nonsense\n"));
		close(dial());
	}
	usleep(100000);
	assert_true(ask("status", &after, &err));
	assert_string_equal(before.bytes, after.bytes);
	text_fini(&before);
	text_fini(&after);
}

static void
test_stop_and_wait_for_the_end(void **state)
{
	const struct control_patience patience = { .timeout_ms = 5000 };
	struct text answer = { 0 };
	struct err err;
	struct control_client *client = control_client_open(path, &err);
	struct stat about;
	int status;

	assert_true(control_client_ask(client, SPAN_OF("stop"), &patience, &answer, &err));
	assert_string_equal(answer.bytes, "stopped");
	assert_true(control_client_wait_end(client, &patience, &err));
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
	server = 0;
	assert_int_equal(lstat(path, &about), -1);
	control_client_close(client);
	assert_null(control_client_open(path, &err));
	assert_non_null(strstr(err.text, "reeve is not running (no control socket at "));
	text_fini(&answer);
}

static void
test_wait_end_has_an_end(void **state)
{
	const struct control_patience patience = { .timeout_ms = 100 };
	struct err err;
	struct control_client *client = control_client_open(path, &err);

	assert_false(control_client_wait_end(client, &patience, &err));
	assert_non_null(strstr(err.text, "still runs"));
	control_client_close(client);
}

static void
test_died_before_the_answer(void **state)
{
	const struct control_patience patience = { .timeout_ms = 5000 };
	struct text answer = { 0 };
	struct err err;
	struct control_client *client = control_client_open(path, &err);

	assert_int_equal(kill(server, SIGSTOP), 0);
	if (fork() == 0) {
		usleep(100000);
		kill(server, SIGKILL);
		_exit(0);
	}
	assert_false(control_client_ask(client, SPAN_OF("status"), &patience, &answer, &err));
	assert_true(strstr(err.text, "ended before it answered") || strstr(err.text, "reset"));
	control_client_close(client);
	waitpid(server, NULL, 0);
	server = 0;
	wait(NULL);
	assert_null(control_client_open(path, &err));
	assert_non_null(strstr(err.text, "nobody answers"));
	text_fini(&answer);
}

static void
test_already_running(void **state)
{
	struct err err;
	char expected[64];
	struct loop *loop = loop_create(&err);

	assert_null(control_server_open(loop, path, &verbs, NULL, &err));
	snprintf(expected, sizeof(expected), "reeve is already running (pid %d)", (int)server);
	assert_non_null(strstr(err.text, expected));
	loop_free(loop);
}

static void
test_stale_socket_is_replaced(void **state)
{
	struct text answer = { 0 };
	struct err err;

	host_end();
	host_start(&verbs);
	assert_true(ask("status", &answer, &err));
	text_fini(&answer);
}

static void
test_other_files_stay(void **state)
{
	struct err err;
	struct loop *loop = loop_create(&err);

	host_end();
	unlink(path);
	assert_true(file_write(path, SPAN_OF("precious"), 0600, &err));
	assert_null(control_server_open(loop, path, &verbs, NULL, &err));
	assert_non_null(strstr(err.text, "something else is there"));
	assert_int_equal(access(path, F_OK), 0);
	loop_free(loop);
}

static void
test_impossible_paths(void **state)
{
	char path_too_long[200];
	struct err err;
	struct loop *loop = loop_create(&err);

	memset(path_too_long, 'x', sizeof(path_too_long) - 1);
	path_too_long[0] = '/';
	path_too_long[sizeof(path_too_long) - 1] = '\0';
	assert_null(control_server_open(loop, path_too_long, &verbs, NULL, &err));
	assert_non_null(strstr(err.text, "longer than the 107 bytes"));
	assert_null(control_server_open(loop, "", &verbs, NULL, &err));
	assert_null(control_server_open(loop, "/dev/null/x/control.sock", &verbs, NULL, &err));
	assert_null(control_client_open(path_too_long, &err));
	loop_free(loop);
}

/* A socket file that somebody else has made in our place is not ours to remove. */
static void
test_close_leaves_what_is_not_ours(void **state)
{
	struct err err;
	struct loop *loop = loop_create(&err);
	struct control_server *mine;
	struct stat about;

	host_end();
	mine = control_server_open(loop, path, &verbs, NULL, &err);
	assert_non_null(mine);
	assert_int_equal(unlink(path), 0);
	host_start(&verbs);
	control_server_close(mine);
	assert_int_equal(lstat(path, &about), 0);
	loop_free(loop);
}

/* A big answer waits for a reader who is slow; at the end of all things it is still sent. */
static void
test_big_answer(void **state)
{
	const struct control_patience patience = { .timeout_ms = 5000 };
	struct text answer = { 0 };
	struct err err;
	struct control_client *client;
	int sleeper;

	host_end();
	host_start(&big_verbs);
	sleeper = dial();
	assert_true(fd_write_all(sleeper, SPAN_OF("reeve/1 status\n")));
	client = control_client_open(path, &err);
	assert_true(control_client_ask(client, SPAN_OF("status"), &patience, &answer, &err));
	assert_int_equal(answer.len, 8 << 20);
	control_client_close(client);
	close(sleeper);
	text_fini(&answer);
}

static void
test_waiting_calls_hear_the_end(void **state)
{
	int fd = dial();

	assert_true(fd_write_all(fd, SPAN_OF("reeve/1 reload\n")));
	usleep(50000);
	assert_string_equal(ask_raw(SPAN_OF("reeve/1 stop\n")), "ok 7\nstopped");
	assert_string_equal(hear(fd), "progress reading\nfail 15\nreeve is ending");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mode),
		TEST(test_status),
		TEST(test_refusal_and_unknown_verb),
		TEST(test_late_answer_with_progress),
		TEST(test_client_loses_patience),
		TEST(test_gone_callers_cancel_nothing),
		TEST(test_half_closed_caller_is_answered),
		TEST(test_bad_questions),
		TEST(test_oversized_question),
		TEST(test_byte_by_byte),
		TEST(test_many_callers),
		TEST(test_no_descriptor_is_left),
		TEST(test_stop_and_wait_for_the_end),
		TEST(test_wait_end_has_an_end),
		TEST(test_died_before_the_answer),
		TEST(test_already_running),
		TEST(test_stale_socket_is_replaced),
		TEST(test_other_files_stay),
		TEST(test_impossible_paths),
		TEST(test_close_leaves_what_is_not_ours),
		TEST(test_big_answer),
		TEST(test_waiting_calls_hear_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
