/* The primary's side, which waits for one message or an end; the child's is trial_child.c. */
#include "primary/trial.h"

#include "base/fd.h"
#include "base/memory.h"
#include "ipc/bundle.h"
#include "ipc/channel.h"
#include "primary/trial_child.h"
#include "supervise/child.h"
#include "supervise/process.h"

#include <signal.h>

#define LIMIT_MS 30000

struct trial {
	struct loop		*loop;
	struct trial_task	 task;
	trial_fn		*on_outcome;
	void			*owner;		/* borrowed */
	struct child		 child;
	struct channel		*channel;
	int			 fds[2];	/* of the channel, before the fork */
	int			 bundle_fd;	/* owned; -1: it has not said anything */
	bool			 is_accepted;
	bool			 is_silent;	/* nobody wants to be told */
	struct err		 why;		/* it could not begin or not answer; empty: not known */
	struct timer		 limit;
	struct later		 later;		/* frees */
};

/* -- the primary's side -------------------------------------------------------------------------------------------- */

static void
trial_message(void *owner, struct ipc_message *message)
{
	struct trial *trial = owner;

	fd_close(&trial->bundle_fd);
	trial->is_accepted = message->type == IPC_TRIAL_ACCEPTED;
	trial->bundle_fd = ipc_take_fd(message, 0);
	if (message->type == IPC_TRIAL_FAILED)
		err_set(&trial->why, "%.*s", (int)message->payload.len, message->payload.at);
}

static void
trial_closed(void *owner)
{
	(void)owner;	/* its end is told by child_end */
}

static const struct channel_events trial_events = { trial_message, trial_closed };

static pid_t
trial_fork(void *owner, struct err *err)
{
	struct trial *trial = owner;
	pid_t pid = process_fork(err);

	if (pid == 0)
		trial_child(trial->fds[1], &trial->task);
	if (pid < 0)
		trial->why = *err;
	return pid;
}

static void
trial_free(struct later *later)
{
	struct trial *trial = LIST_OWNER(later, struct trial, later);

	child_fini(&trial->child);
	memory_free(trial);
}

static void
trial_put_away(struct trial *trial)
{
	fd_close(&trial->bundle_fd);
	timer_fini(&trial->limit);
	channel_close(trial->channel);
	trial->channel = NULL;
	loop_free_later(trial->loop, &trial->later, trial_free);
}

/* Why there is no answer. Only our own limit kills it. */
static void
ending_explain(const struct trial *trial, const struct child_end *end, struct text *lines)
{
	bool is_late = !timer_is_armed(&trial->limit);

	if (is_late)
		text_format(lines, "%s: reading it took longer than %d s\n", trial->task.config_path, LIMIT_MS / 1000);
	else if (trial->why.text[0] != '\0')
		text_format(lines, "%s: what is read cannot be passed on: %s\n", trial->task.config_path, trial->why.text);
	else
		text_format(lines, "%s: the process that reads it ended without an answer (%s %d)\n",
		    trial->task.config_path, end->how.signal != 0 ? "signal" : "exit code",
		    end->how.signal != 0 ? end->how.signal : end->how.exit_code);
}

/* The bundle's message decides; without one, how the child ended does. */
static void
trial_tell(struct trial *trial, const struct child_end *end)
{
	struct trial_outcome outcome = { .is_accepted = trial->is_accepted, .is_answer = true,
		.bundle_fd = trial->bundle_fd };
	struct bundle bundle = { 0 };
	struct text lines = { 0 };

	if (trial->bundle_fd >= 0 && bundle_map(trial->bundle_fd, &bundle, &trial->why)) {
		outcome.lines = bundle.parts[trial->is_accepted ? BUNDLE_WARNINGS : 0];
		outcome.refused = bundle.parts[BUNDLE_REFUSED];
	} else {
		outcome.is_accepted = outcome.is_answer = false;
		ending_explain(trial, end, &lines);
		outcome.lines = text_span(&lines);
	}
	trial->on_outcome(trial->owner, &outcome);
	fd_close(&outcome.bundle_fd);
	bundle_unmap(&bundle);
	text_fini(&lines);
}

static void
trial_ended(void *owner, const struct child_end *end)
{
	struct trial *trial = owner;

	if (end->pid > 0)
		channel_hear_rest(trial->channel);
	if (!trial->is_silent)
		trial_tell(trial, end);
	trial->bundle_fd = -1;
	trial_put_away(trial);
}

static const struct child_kind trial_kind = {
	.name = "trial",
	.starts_once = true,
	.start = trial_fork,
	.on_end = trial_ended,
};

static void
trial_late(void *owner)
{
	child_kill(&((struct trial *)owner)->child);
}

struct trial *
trial_start(struct loop *loop, struct family *family, const struct trial_task *task, trial_fn *on_outcome,
    void *owner, struct err *err)
{
	struct trial *trial;
	int fds[2];

	if (!channel_pair(fds, err))
		return NULL;
	trial = memory_zalloc(sizeof(*trial));
	*trial = (struct trial){ .loop = loop, .task = *task, .on_outcome = on_outcome, .owner = owner,
		.fds = { fds[0], fds[1] }, .bundle_fd = -1 };
	trial->channel = channel_open(loop, fds[0], &trial_events, trial);
	timer_init(&trial->limit, loop, trial_late, trial);
	timer_arm(&trial->limit, LIMIT_MS);
	child_init(&trial->child, &trial_kind, loop, family, trial);
	trial->is_silent = true;	/* that it cannot even begin is told by the return value */
	child_start(&trial->child);
	trial->is_silent = false;
	trial->task.in_use_fd = -1;
	fd_close(&trial->fds[1]);
	if (child_is_alive(&trial->child))
		return trial;
	/* it is freed in a later turn */
	err_set(err, "no process can read the configuration: %s", trial->why.text);
	return NULL;
}

void
trial_cancel(struct trial *trial)
{
	if (trial == NULL)
		return;
	if (child_is_alive(&trial->child))
		kill(child_pid(&trial->child), SIGKILL);
	child_fini(&trial->child);
	trial_put_away(trial);
}
