/* poll(2) in ticks, so that whoever waits can show it; the pidfd tells a server that died from one that is slow. */
#include "control/client.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "control/socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TICK_MS 250u
#define CONNECT_MS 5000u
#define CONNECT_AGAIN_MS 50
#define READ_BYTES ((size_t)64 * 1024)

struct control_client {
	int		fd;
	int		process;	/* its pidfd; -1: none to be had */
	pid_t		pid;
	struct text	got;		/* what is not parsed yet, and the last progress line before it */
	struct text	progress;
	uint64_t	started_ms;
};

/* -- connecting ---------------------------------------------------------------------------------------------------- */

static void
say_unreachable(const char *path, struct err *err)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		err_set(err, "reeve is not running (no control socket at %s)", path);
		break;
	case ECONNREFUSED:
		err_set(err, "reeve is not running (nobody answers at the control socket %s)", path);
		break;
	case EAGAIN:
		err_set(err, "reeve does not take calls at the control socket %s: too many wait there", path);
		break;
	case EACCES:
	case EPERM:
		err_set_errno(err, "cannot speak to reeve at the control socket %s (it is open to its own user and root)",
		    path);
		break;
	default:
		err_set_errno(err, "cannot speak to reeve at the control socket %s", path);
	}
}

/* A full backlog answers EAGAIN. */
static int
connect_patiently(const struct sockaddr_un *address)
{
	uint64_t deadline_ms = clock_ms() + CONNECT_MS;
	int fd;

	while ((fd = control_connect(address)) < 0 && errno == EAGAIN && clock_ms() < deadline_ms) {
		poll(NULL, 0, CONNECT_AGAIN_MS);
		errno = EAGAIN;
	}
	return fd;
}

struct control_client *
control_client_open(const char *path, struct err *err)
{
	struct control_client *client;
	struct sockaddr_un address;
	uid_t uid;
	int fd;

	if (!control_address(path, &address, err))
		return NULL;
	fd = connect_patiently(&address);
	if (fd < 0) {
		say_unreachable(path, err);
		return NULL;
	}
	client = memory_zalloc(sizeof(*client));
	client->fd = fd;
	client->process = -1;
	if (control_peer(fd, &client->pid, &uid) && client->pid > 0)
		client->process = (int)syscall(SYS_pidfd_open, client->pid, 0);
	return client;
}

void
control_client_close(struct control_client *client)
{
	if (client == NULL)
		return;
	fd_close(&client->fd);
	fd_close(&client->process);
	text_fini(&client->got);
	text_fini(&client->progress);
	memory_free(client);
}

pid_t
control_client_pid(const struct control_client *client)
{
	return client->pid;
}

/* -- waiting ------------------------------------------------------------------------------------------------------- */

/* One tick at most. False: patience is at its end. */
static bool
wait_a_tick(struct control_client *client, const struct control_patience *patience, int fd, short events)
{
	struct pollfd ready = { .fd = fd, .events = events };
	uint64_t waited_ms = clock_ms() - client->started_ms;
	uint64_t tick_ms = TICK_MS;

	if (patience->timeout_ms && waited_ms >= patience->timeout_ms)
		return false;
	if (patience->timeout_ms && patience->timeout_ms - waited_ms < tick_ms)
		tick_ms = patience->timeout_ms - waited_ms;
	if (poll(&ready, 1, (int)tick_ms) == 0 && patience->on_wait)
		patience->on_wait(patience->owner, clock_ms() - client->started_ms, text_span(&client->progress));
	return true;
}

static bool
say_late(const struct control_patience *patience, struct err *err)
{
	struct text limit = { 0 };

	text_format(&limit, "%.1f s", (double)patience->timeout_ms / 1000);
	err_set(err, "no answer within %s (what was asked for may still happen)", limit.bytes);
	text_fini(&limit);
	return false;
}

static bool
question_send(struct control_client *client, struct span question, const struct control_patience *patience,
    struct err *err)
{
	while (question.len > 0) {
		ssize_t sent = send(client->fd, question.at, question.len, MSG_NOSIGNAL);

		if (sent > 0)
			question = span_skip(question, (size_t)sent);
		else if (errno != EAGAIN && errno != EINTR)
			return err_set_errno(err, "cannot ask reeve");
		else if (!wait_a_tick(client, patience, client->fd, POLLOUT))
			return say_late(patience, err);
	}
	return true;
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

/* More bytes, or the reason why there will be none. */
static bool
answer_read(struct control_client *client, const struct control_patience *patience, struct err *err)
{
	for (;;) {
		ssize_t got = recv(client->fd, text_reserve(&client->got, READ_BYTES), READ_BYTES, 0);

		if (got > 0) {
			client->got.len += (size_t)got;
			return true;
		}
		if (got == 0)
			return err_set(err, "reeve ended before it answered");
		if (errno != EAGAIN && errno != EINTR)
			return err_set_errno(err, "reeve's answer cannot be read");
		if (!wait_a_tick(client, patience, client->fd, POLLIN))
			return say_late(patience, err);
	}
}

static void
progress_note(struct control_client *client, struct span text, const struct control_patience *patience)
{
	text_clear(&client->progress);
	text_add(&client->progress, text);
	if (patience->on_wait)
		patience->on_wait(patience->owner, clock_ms() - client->started_ms, text_span(&client->progress));
}

/* The final answer. It points into client->got. */
static bool
answer_wait(struct control_client *client, const struct control_patience *patience, struct control_answer *answer,
    struct err *err)
{
	size_t seen = 0, used;

	for (;;) {
		switch (control_answer_parse(span_skip(text_span(&client->got), seen), answer, &used)) {
		case CONTROL_MORE:
			if (!answer_read(client, patience, err))
				return false;
			break;
		case CONTROL_BAD:
			return err_set(err, "the answer at the control socket is not reeve's");
		case CONTROL_PARSED:
			if (answer->kind != CONTROL_PROGRESS)
				return true;
			progress_note(client, answer->text, patience);
			seen += used;
		}
	}
}

bool
control_client_ask(struct control_client *client, struct span verb, const struct control_patience *patience,
    struct text *answer_out, struct err *err)
{
	const struct control_question question = { .verb = verb };
	struct control_answer answer = { 0 };
	struct text line = { 0 };
	bool is_sent;

	client->started_ms = clock_ms();
	control_question_format(&question, &line);
	is_sent = question_send(client, text_span(&line), patience, err);
	text_fini(&line);
	if (!is_sent || !answer_wait(client, patience, &answer, err))
		return false;
	text_add(answer_out, answer.text);
	return answer.kind == CONTROL_OK || err_set(err, "%.*s", (int)answer.text.len, answer.text.at);
}

/* A process whose pid we are not told (another pid namespace) cannot be waited for: its answer has to do. */
static bool
process_has_ended(const struct control_client *client)
{
	struct pollfd ready = { .fd = client->process, .events = POLLIN };

	if (client->process >= 0)
		return poll(&ready, 1, 0) > 0;
	return client->pid <= 0 || (kill(client->pid, 0) != 0 && errno == ESRCH);
}

bool
control_client_wait_end(struct control_client *client, const struct control_patience *patience, struct err *err)
{
	client->started_ms = clock_ms();
	while (!process_has_ended(client)) {
		if (!wait_a_tick(client, patience, client->process, POLLIN))
			return err_set(err, "pid %d still runs", (int)client->pid);
	}
	return true;
}
