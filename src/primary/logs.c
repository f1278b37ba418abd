/*
 * The primary makes every log pipe and keeps both ends: a logger that dies leaves the lines in the pipes, and its
 * successor gets the same read ends; a worker that dies leaves its pipe to the next one in its slot.
 */
#include "primary/inside.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/title.h"
#include "logger/logger.h"
#include "supervise/process.h"
#include "worker/crash.h"

#include <stdio.h>
#include <unistd.h>

#define LOGGER_STOP_MS 4000
#define REOPEN_MS 10000

static struct primary *
primary_of(struct logs *logs)
{
	return LIST_OWNER(logs, struct primary, logs);
}

/* -- what the logger is told --------------------------------------------------------------------------------------- */

static void
line_announce(struct logs *logs, const struct log_line *line, const char *name)
{
	struct text payload = { 0 };

	if (logs->channel == NULL)
		return;
	pack_span(&payload, span_text(name));
	channel_send(logs->channel, IPC_LOG_SOURCE, text_span(&payload), &line->fds[0], 1);
	text_fini(&payload);
}

static void
slot_line_announce(struct logs *logs, unsigned slot)
{
	char name[32];

	snprintf(name, sizeof(name), "worker %u", slot);
	line_announce(logs, &logs->lines[slot], name);
}

static void
destination_announce(struct logs *logs)
{
	const struct orders *orders = primary_of(logs)->current->orders;
	struct text payload = { 0 };

	if (logs->channel == NULL)
		return;
	pack_number(&payload, (uint64_t)orders->log_form);
	pack_span(&payload, span_text(orders->log_output));
	channel_send(logs->channel, IPC_LOG_DESTINATION, text_span(&payload), NULL, 0);
	text_fini(&payload);
}

static void
all_announce(struct logs *logs)
{
	destination_announce(logs);
	line_announce(logs, &logs->own, "primary");
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		if (logs->lines[slot].fds[0] > 0)
			slot_line_announce(logs, slot);
	}
}

/* -- what the logger says ------------------------------------------------------------------------------------------ */

static void
reopen_answer(struct logs *logs, bool is_done, struct span why)
{
	struct list_node *node = list_first(&logs->reopens);
	struct reopen_call *reopen;

	if (node == NULL)
		return;
	list_remove(node);
	reopen = LIST_OWNER(node, struct reopen_call, node);
	timer_fini(&reopen->limit);
	if (reopen->call != NULL)
		control_reply(reopen->call, is_done, is_done ? SPAN_OF("log files reopened") : why);
	memory_free(reopen);
}

/* Its place in the queue stays, because the logger's answers come in order. */
static void
reopen_late(void *owner)
{
	struct reopen_call *reopen = owner;

	if (reopen->call != NULL)
		control_reply(reopen->call, false, SPAN_OF("the log's destination does not answer"));
	reopen->call = NULL;
}

static void
logger_message(void *owner, struct ipc_message *message)
{
	struct unpack unpack = unpack_begin(message->payload);
	bool is_done;

	if (message->type != IPC_LOG_REOPENED)
		return;
	is_done = unpack_flag(&unpack);
	reopen_answer(owner, is_done, unpack_span(&unpack));
}

static void
logger_closed(void *owner)
{
	(void)owner;	/* its end is told by child_end */
}

static const struct channel_events logger_events = { logger_message, logger_closed };

/* -- its life ------------------------------------------------------------------------------------------------------ */

static pid_t
logger_fork(void *owner, struct err *err)
{
	struct logs *logs = owner;
	int fds[2];
	pid_t pid;

	if (!channel_pair(fds, err))
		return -1;
	pid = process_fork(err);
	if (pid == 0) {
		log_to(NULL, NULL);
		process_close_others(&fds[1], 1);
		title_set("reeve: logger");
		crash_report_to(STDERR_FILENO, "logger");
		logger_main(fds[1]);
	}
	fd_close(&fds[1]);
	if (pid < 0) {
		fd_close(&fds[0]);
		return -1;
	}
	logs->channel = channel_open(primary_of(logs)->loop, fds[0], &logger_events, logs);
	all_announce(logs);
	child_ready(&logs->logger);	/* it has nothing to get ready: what it has not read yet waits in the pipes */
	return pid;
}

static void
logger_ask_to_stop(void *owner)
{
	struct logs *logs = owner;

	if (logs->channel != NULL)
		channel_send_plain(logs->channel, IPC_LOG_STOP);
}

static void
logger_ended(void *owner, const struct child_end *end)
{
	struct logs *logs = owner;

	if (logs->channel != NULL)
		channel_hear_rest(logs->channel);
	channel_close(logs->channel);
	logs->channel = NULL;
	while (!list_is_empty(&logs->reopens))
		reopen_answer(logs, false, SPAN_OF("the logger ended before it answered"));
	if (!end->was_asked)
		log_say(MSG_LOGGER_DIED, log_signed("signal", end->how.signal),
		    log_signed("exit_code", end->how.exit_code));
}

static void
logger_dead(void *owner)
{
	primary_gone(primary_of(owner));
}

static const struct child_kind logger_kind = {
	.name = "logger",
	.backoff = { .initial_ms = 20, .max_ms = 5000, .reset_after_ms = 30000 },
	.start = logger_fork,
	.ask_to_stop = logger_ask_to_stop,
	.on_end = logger_ended,
	.on_dead = logger_dead,
};

/* -- from outside -------------------------------------------------------------------------------------------------- */

bool
logs_open(struct primary *primary, struct err *err)
{
	struct logs *logs = &primary->logs;

	list_init(&logs->reopens);
	if (!log_pipe_make(logs->own.fds, err))
		return false;
	logs->is_open = true;
	logs->lines = memory_zalloc(SLOTS_MAX * sizeof(*logs->lines));
	child_init(&logs->logger, &logger_kind, primary->loop, primary->family, logs);
	child_start(&logs->logger);
	logs->pipe = log_pipe_open(primary->loop, logs->own.fds[1], NULL);
	log_set_level(primary->current->orders->log_level);
	return true;
}

void
logs_configure(struct primary *primary)
{
	log_set_level(primary->current->orders->log_level);
	destination_announce(&primary->logs);
}

int
logs_write_end(struct primary *primary, unsigned slot)
{
	struct logs *logs = &primary->logs;
	struct log_line *line = &logs->lines[slot];
	struct err err;

	if (line->fds[0] > 0)
		return line->fds[1];
	if (!log_pipe_make(line->fds, &err)) {
		line->fds[0] = 0;
		return -1;
	}
	slot_line_announce(logs, slot);
	return line->fds[1];
}

void
logs_reopen(struct primary *primary, struct control_call *call)
{
	struct logs *logs = &primary->logs;
	struct reopen_call *reopen;

	if (logs->channel == NULL) {
		if (call != NULL)
			control_reply(call, false, SPAN_OF("there is no logger at the moment"));
		return;
	}
	reopen = memory_zalloc(sizeof(*reopen));
	reopen->call = call;
	timer_init(&reopen->limit, primary->loop, reopen_late, reopen);
	timer_arm(&reopen->limit, REOPEN_MS);
	list_add_last(&logs->reopens, &reopen->node);
	channel_send_plain(logs->channel, IPC_LOG_REOPEN);
}

void
logs_stop(struct primary *primary)
{
	struct logs *logs = &primary->logs;

	if (!logs->is_open) {
		primary_gone(primary);
		return;
	}
	log_pipe_close(logs->pipe);
	logs->pipe = NULL;
	child_stop(&logs->logger, LOGGER_STOP_MS);
}

void
logs_close(struct primary *primary)
{
	struct logs *logs = &primary->logs;

	if (!logs->is_open)
		return;
	log_pipe_close(logs->pipe);
	channel_close(logs->channel);
	child_fini(&logs->logger);
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		if (logs->lines[slot].fds[0] > 0) {
			fd_close(&logs->lines[slot].fds[0]);
			fd_close(&logs->lines[slot].fds[1]);
		}
	}
	fd_close(&logs->own.fds[0]);
	fd_close(&logs->own.fds[1]);
	memory_free(logs->lines);
	*logs = (struct logs){ 0 };
}
