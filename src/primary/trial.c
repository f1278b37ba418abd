/* Above: the child's whole life, without a loop. Below: the primary's side, which waits for one message or an end. */
#include "primary/trial.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/title.h"
#include "ipc/bundle.h"
#include "ipc/channel.h"
#include "primary/certificates.h"
#include "primary/orders.h"
#include "site/site.h"
#include "supervise/child.h"
#include "supervise/process.h"
#include "worker/crash.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* -- the child ----------------------------------------------------------------------------------------------------- */

static bool
trial_say(int fd, enum ipc_type type, const struct span *parts, unsigned count)
{
	struct err err = { "" };
	int bundle_fd = bundle_create(parts, count, &err);
	bool is_said;

	if (bundle_fd >= 0)
		is_said = channel_send_now(fd, type, (struct span){ 0 }, &bundle_fd, 1);
	else
		is_said = channel_send_now(fd, IPC_TRIAL_FAILED, span_make(err.text, strlen(err.text)), NULL, 0);
	fd_close(&bundle_fd);
	return is_said;
}

static bool
trial_accept(int fd, const struct site *site, struct conf_problems *problems, struct span orders)
{
	struct text conf = { 0 }, warnings = { 0 }, certificates = { 0 };
	bool is_said;

	conf_pack(site_conf(site), &conf);
	conf_problems_sort(problems);
	conf_problems_format(problems, &warnings);
	certificates_make(site, &certificates);
	is_said = trial_say(fd, IPC_TRIAL_ACCEPTED,
	    (const struct span[]){
		[BUNDLE_ORDERS] = orders,
		[BUNDLE_CONF] = text_span(&conf),
		[BUNDLE_WARNINGS] = text_span(&warnings),
		[BUNDLE_CERTIFICATES] = text_span(&certificates),
	    },
	    4);
	text_fini(&conf);
	text_fini(&warnings);
	text_fini(&certificates);
	return is_said;
}

static bool
trial_refuse(int fd, struct conf_problems *problems)
{
	struct text lines = { 0 };
	struct span part;
	bool is_said;

	conf_problems_sort(problems);
	conf_problems_format(problems, &lines);
	part = text_span(&lines);
	is_said = trial_say(fd, IPC_TRIAL_REFUSED, &part, 1);
	text_fini(&lines);
	return is_said;
}

/* What is in use with what it watches read anew. */
static struct conf *
conf_in_use(struct span packed, struct conf_problems *problems)
{
	struct err err = { "" };
	struct conf *conf = conf_unpack(packed, &err);

	if (conf == NULL)
		conf_problems_add(problems, false, (struct conf_place){ 0 }, "", "%s", err.text);
	else
		conf_read_again(conf);
	return conf;
}

static struct site *
site_try(const struct trial_task *task, const struct bundle *in_use, bool is_lenient, struct conf_problems *problems)
{
	const struct site_place place = { .is_first_start = is_lenient };
	struct conf *conf;

	if (task->is_swap)
		conf = conf_in_use(in_use->parts[BUNDLE_CONF], problems);
	else
		conf = conf_load(task->config_path, problems);
	return conf == NULL ? NULL : site_build(conf, &place, problems);
}

static bool
is_among(const struct certificate *certificate, const struct certificates *others)
{
	for (size_t i = 0; i < others->count; i++) {
		if (strcmp(certificate->fingerprint, others->items[i].fingerprint) == 0)
			return true;
	}
	return false;
}

static bool
any_has_ended(const struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->count; i++) {
		if (certificate_days_left(&certificates->items[i], clock_wall_ms()) < 0)
			return true;
	}
	return false;
}

/* Whether every certificate that has ended is in use anyway, so that refusing it would help nobody. */
static bool
ended_are_in_use(const struct site *site, const struct certificates *in_use)
{
	struct certificates *now;
	struct text packed = { 0 };
	bool all_are = true;

	certificates_make(site, &packed);
	now = certificates_unpack(text_span(&packed), NULL);
	for (size_t i = 0; i < now->count; i++) {
		if (certificate_days_left(&now->items[i], clock_wall_ms()) < 0)
			all_are = all_are && is_among(&now->items[i], in_use);
	}
	certificates_free(now);
	text_fini(&packed);
	return all_are;
}

/* When the strict look has found mistakes: a lenient one's site, and its problems in place of the others. */
static struct site *
site_try_again(const struct trial_task *task, const struct bundle *in_use, struct conf_problems *problems)
{
	struct certificates *certificates = certificates_unpack(in_use->parts[BUNDLE_CERTIFICATES], NULL);
	struct conf_problems milder;
	struct site *site = NULL;

	conf_problems_init(&milder);
	if (certificates != NULL && any_has_ended(certificates))
		site = site_try(task, in_use, true, &milder);
	if (site != NULL && ended_are_in_use(site, certificates)) {
		conf_problems_fini(problems);
		*problems = milder;
	} else {
		site_unref(site);
		conf_problems_fini(&milder);
		site = NULL;
	}
	certificates_free(certificates);
	return site;
}

static bool
trial_answer(int fd, const struct trial_task *task, const struct bundle *in_use)
{
	bool is_first = task->in_use_fd < 0, is_said;
	struct conf_problems problems;
	struct text orders = { 0 };
	struct site *site;

	conf_problems_init(&problems);
	site = site_try(task, in_use, is_first, &problems);
	if (site == NULL && !is_first)
		site = site_try_again(task, in_use, &problems);
	if (task->is_swap)
		text_add(&orders, in_use->parts[BUNDLE_ORDERS]);
	if (site != NULL && (task->is_swap || orders_make(site, &problems, &orders)))
		is_said = trial_accept(fd, site, &problems, text_span(&orders));
	else
		is_said = trial_refuse(fd, &problems);
	text_fini(&orders);
	site_unref(site);
	conf_problems_fini(&problems);
	return is_said;
}

static bool
trial_run(int fd, const struct trial_task *task)
{
	struct bundle in_use = { 0 };
	struct err err = { "" };
	bool is_said;

	if (task->in_use_fd >= 0 && !bundle_map(task->in_use_fd, &in_use, &err))
		return channel_send_now(fd, IPC_TRIAL_FAILED, span_text(err.text), NULL, 0);
	is_said = trial_answer(fd, task, &in_use);
	bundle_unmap(&in_use);
	return is_said;
}

static void __attribute__((noreturn))
trial_main(int fd, const struct trial_task *task)
{
	int keep[] = { fd, task->in_use_fd };

	signal(SIGPIPE, SIG_IGN);
	log_to(NULL, NULL);
	crash_report_to(STDERR_FILENO, "trial");
	process_close_others(keep, COUNT(keep));
	title_set("reeve: trial");
	exit(trial_run(fd, task) ? EXIT_SUCCESS : EXIT_FAILURE);
}

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
		trial_main(trial->fds[1], &trial->task);
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
