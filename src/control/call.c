/*
 * What a caller says is collected up to its newline, then the verb's row is asked. The answer waits in memory until the
 * socket has taken it. Whatever a caller does while his call waits for its outcome, it only costs him the answer.
 */
#include "control/call.h"

#include "base/count.h"
#include "base/fd.h"
#include "base/memory.h"
#include "control/protocol.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_MS 10000u
#define TAKE_MS 10000u
#define READ_BYTES 4096
#define PROGRESS_WAITING_MAX ((size_t)64 * 1024)	/* a caller who takes nothing gets no more progress */

/* -- verbs --------------------------------------------------------------------------------------------------------- */

static void
verb_status(struct control_call *call)
{
	struct text json = { 0 };

	call->server->verbs->status(call->server->owner, &json);
	control_reply(call, true, text_span(&json));
	text_fini(&json);
}

static void
verb_reload(struct control_call *call)
{
	call->server->verbs->reload(call->server->owner, call);
}

static void
verb_stop(struct control_call *call)
{
	call->server->verbs->stop(call->server->owner, call);
}

static void
verb_reopen_logs(struct control_call *call)
{
	call->server->verbs->reopen_logs(call->server->owner, call);
}

static const struct {
	const char	*name;
	void		 (*ask)(struct control_call *call);
} verbs[] = {
	{ "status", verb_status },
	{ "reload", verb_reload },
	{ "stop", verb_stop },
	{ "reopen-logs", verb_reopen_logs },
};

/* -- a call's end -------------------------------------------------------------------------------------------------- */

static void
call_free(struct later *later)
{
	struct control_call *call = LIST_OWNER(later, struct control_call, later);

	text_fini(&call->question);
	text_fini(&call->answer);
	memory_free(call);
}

static void
call_hang_up(struct control_call *call)
{
	watch_fini(&call->watch);
	timer_fini(&call->timer);
	fd_close(&call->fd);
}

void
control_call_end(struct control_call *call)
{
	if (call->state == CALL_GONE)
		return;
	call->state = CALL_GONE;
	call_hang_up(call);
	list_remove(&call->node);
	server_call_ended(call->server);
	loop_free_later(call->server->loop, &call->later, call_free);
}

/* The caller has gone: a call that waits for its outcome goes on without. */
static void
call_lose_caller(struct control_call *call)
{
	if (call->state == CALL_WAITING)
		call_hang_up(call);
	else
		control_call_end(call);
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

/* False: the caller is not there any more. */
static bool
answer_send(struct control_call *call)
{
	while (call->sent < call->answer.len) {
		struct span rest = span_skip(text_span(&call->answer), call->sent);
		ssize_t sent = send(call->fd, rest.at, rest.len, MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		call->sent += (size_t)sent;
	}
	return true;
}

void
control_call_send(struct control_call *call)
{
	if (call->fd >= 0)
		answer_send(call);
}

static void
call_send(struct control_call *call)
{
	unsigned reading = call->is_deaf ? WATCH_NOTHING : WATCH_READ;
	bool is_sent;

	if (!answer_send(call)) {
		call_lose_caller(call);
		return;
	}
	is_sent = call->sent == call->answer.len;
	if (call->state == CALL_ANSWERED && is_sent)
		control_call_end(call);
	else
		watch_want(&call->watch, reading | (is_sent ? WATCH_NOTHING : WATCH_WRITE));
}

void
control_progress(struct control_call *call, struct span text)
{
	assert(call->state == CALL_WAITING);
	if (call->fd < 0 || call->answer.len - call->sent > PROGRESS_WAITING_MAX)
		return;
	control_answer_format(&(struct control_answer){ .kind = CONTROL_PROGRESS, .text = text }, &call->answer);
	call_send(call);
}

void
control_reply(struct control_call *call, bool ok, struct span text)
{
	assert(call->state == CALL_WAITING);
	call->state = CALL_ANSWERED;
	if (call->fd < 0) {
		control_call_end(call);
		return;
	}
	text = span_first(text, CONTROL_ANSWER_MAX);
	control_answer_format(&(struct control_answer){ .kind = ok ? CONTROL_OK : CONTROL_FAIL, .text = text },
	    &call->answer);
	timer_arm(&call->timer, TAKE_MS);
	call_send(call);
}

/* -- questions ----------------------------------------------------------------------------------------------------- */

static void
question_refuse(struct control_call *call, const char *why)
{
	control_reply(call, false, span_text(why));
}

static void
question_put(struct control_call *call, const struct control_question *question)
{
	struct err err;

	for (size_t i = 0; i < COUNT(verbs); i++) {
		if (!span_is(question->verb, verbs[i].name))
			continue;
		if (question->count == 0) {
			verbs[i].ask(call);
			return;
		}
		err_set(&err, "\"%s\" takes no words", verbs[i].name);
		question_refuse(call, err.text);
		return;
	}
	err_set(&err, "unknown verb \"%.*s\": not supported in this version", (int)question->verb.len,
	    question->verb.at);
	question_refuse(call, err.text);
}

/* Its line is there: one, and nothing behind it. */
static void
question_hear(struct control_call *call, size_t newline)
{
	struct span said = text_span(&call->question);
	struct control_question question;
	struct arena arena;
	struct err err;

	call->state = CALL_WAITING;
	timer_disarm(&call->timer);
	arena_init(&arena, READ_BYTES);
	if (newline + 1 != said.len)
		question_refuse(call, "more than one line");
	else if (!control_question_parse(span_first(said, newline), &arena, &question, &err))
		question_refuse(call, err.text);
	else
		question_put(call, &question);
	arena_fini(&arena);
}

static void
question_read_on(struct control_call *call, struct span bytes)
{
	size_t newline = call->question.len + span_find(bytes, '\n');

	text_add(&call->question, bytes);
	if (newline < call->question.len) {
		question_hear(call, newline);
	} else if (call->question.len >= CONTROL_LINE_MAX) {
		call->state = CALL_WAITING;
		question_refuse(call, "the question is too long");
	}
}

/* No more will come: the caller has gone, or has only closed his writing side and waits. Sending will tell. */
static void
call_hear_end(struct control_call *call)
{
	call->is_deaf = true;
	if (call->state == CALL_ASKING)
		control_call_end(call);
	else
		watch_want(&call->watch, call->watch.wants & WATCH_WRITE);
}

/* Who goes on talking is not listened to, and not for long. */
static void
talk_ignore(struct control_call *call, size_t count)
{
	call->ignored += count;
	if (call->ignored > CONTROL_LINE_MAX)
		call_lose_caller(call);
}

static void
call_read(struct control_call *call)
{
	char bytes[READ_BYTES];
	ssize_t got = recv(call->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0)
		call_lose_caller(call);
	else if (got == 0)
		call_hear_end(call);
	else if (call->state == CALL_ASKING)
		question_read_on(call, span_make(bytes, (size_t)got));
	else
		talk_ignore(call, (size_t)got);
}

static void
call_ready(void *owner, unsigned ready)
{
	struct control_call *call = owner;

	if (ready & WATCH_READ)
		call_read(call);
	if ((ready & WATCH_WRITE) && call->state != CALL_GONE && call->fd >= 0)
		call_send(call);
}

static void
call_late(void *owner)
{
	struct control_call *call = owner;

	if (call->state == CALL_ASKING) {
		call->state = CALL_WAITING;
		question_refuse(call, "the question took too long");
	} else {
		call_lose_caller(call);
	}
}

struct control_call *
control_call_start(struct control_server *server, int fd)
{
	struct control_call *call = memory_zalloc(sizeof(*call));

	call->server = server;
	call->fd = fd;
	watch_init(&call->watch, server->loop, fd, call_ready, call);
	watch_want(&call->watch, WATCH_READ);
	timer_init(&call->timer, server->loop, call_late, call);
	timer_arm(&call->timer, ASK_MS);
	return call;
}
