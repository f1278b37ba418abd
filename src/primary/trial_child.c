/* Two questions to a site: whether it can be built, and if not, whether only for what is in use anyway. */
#include "primary/trial_child.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/title.h"
#include "ipc/channel.h"
#include "primary/certificates.h"
#include "primary/orders.h"
#include "site/site.h"
#include "supervise/process.h"
#include "worker/crash.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- the answer ---------------------------------------------------------------------------------------------------- */

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
trial_accept(int fd, const struct site *site, struct conf_problems *problems, struct span orders, struct span refused)
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
		[BUNDLE_REFUSED] = refused,
	    },
	    5);
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

/* -- a site -------------------------------------------------------------------------------------------------------- */

/* What is in use, with what it watches read anew. */
static struct conf *
conf_in_use(const struct trial_source *source, struct conf_problems *problems)
{
	struct err err = { "" };
	struct conf *conf = conf_unpack(source->in_use->parts[BUNDLE_CONF], &err);

	if (conf == NULL) {
		conf_problems_add(problems, false, (struct conf_place){ 0 }, "", "%s", err.text);
		return NULL;
	}
	conf_read_again(conf);
	for (size_t i = 0; source->is_kept != NULL && conf_watched(conf, i) != NULL; i++) {
		if (source->is_kept[i])
			conf_watched_keep(conf, i);
	}
	return conf;
}

static struct site *
site_try(const struct trial_source *source, bool is_lenient, struct conf_problems *problems)
{
	const struct site_place place = { .is_first_start = is_lenient };
	struct conf *conf;

	if (source->task->is_swap)
		conf = conf_in_use(source, problems);
	else
		conf = conf_load(source->task->config_path, problems);
	return conf == NULL ? NULL : site_build(conf, &place, problems);
}

static bool
has_ended(const struct certificate *certificate)
{
	return certificate_days_left(certificate, clock_wall_ms()) < 0;
}

static bool
any_has_ended(const struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->count; i++) {
		if (has_ended(&certificates->items[i]))
			return true;
	}
	return false;
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

/* Whether every certificate that has ended is in use anyway, so that refusing it would help nobody. */
static bool
ended_are_in_use(const struct site *site, const struct certificates *in_use)
{
	struct certificates *now;
	struct text packed = { 0 };
	bool all_are = true;

	certificates_make(site, &packed);
	now = certificates_unpack(text_span(&packed), NULL);
	for (size_t i = 0; i < now->count; i++)
		all_are = all_are && (!has_ended(&now->items[i]) || is_among(&now->items[i], in_use));
	certificates_free(now);
	text_fini(&packed);
	return all_are;
}

/* After a strict look that found mistakes: a lenient one's site, and its problems in place of the others. */
static struct site *
site_try_again(const struct trial_source *source, struct conf_problems *problems)
{
	struct certificates *certificates = certificates_unpack(source->in_use->parts[BUNDLE_CERTIFICATES], NULL);
	struct conf_problems milder;
	struct site *site = NULL;

	conf_problems_init(&milder);
	if (certificates != NULL && any_has_ended(certificates))
		site = site_try(source, true, &milder);
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

struct site *
trial_site(const struct trial_source *source, struct conf_problems *problems)
{
	bool is_first = source->task->in_use_fd < 0;
	struct site *site = site_try(source, is_first, problems);

	return site != NULL || is_first ? site : site_try_again(source, problems);
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static bool
swap_answer(int fd, const struct trial_source *source, struct conf_problems *problems)
{
	struct site *site = trial_site(source, problems);
	struct text refused = { 0 };
	bool is_said;

	if (site == NULL)
		site = trial_site_of_some(source, problems, &refused);
	if (site != NULL)
		is_said = trial_accept(fd, site, problems, source->in_use->parts[BUNDLE_ORDERS], text_span(&refused));
	else
		is_said = trial_refuse(fd, problems);
	site_unref(site);
	text_fini(&refused);
	return is_said;
}

static bool
file_answer(int fd, const struct trial_source *source, struct conf_problems *problems)
{
	struct site *site = trial_site(source, problems);
	struct text orders = { 0 };
	bool is_said;

	if (site != NULL && orders_make(site, problems, &orders))
		is_said = trial_accept(fd, site, problems, text_span(&orders), (struct span){ 0 });
	else
		is_said = trial_refuse(fd, problems);
	site_unref(site);
	text_fini(&orders);
	return is_said;
}

static bool
trial_run(int fd, const struct trial_task *task)
{
	struct bundle in_use = { 0 };
	const struct trial_source source = { .task = task, .in_use = &in_use };
	struct conf_problems problems;
	struct err err = { "" };
	bool is_said;

	if (task->in_use_fd >= 0 && !bundle_map(task->in_use_fd, &in_use, &err))
		return channel_send_now(fd, IPC_TRIAL_FAILED, span_text(err.text), NULL, 0);
	conf_problems_init(&problems);
	is_said = task->is_swap ? swap_answer(fd, &source, &problems) : file_answer(fd, &source, &problems);
	conf_problems_fini(&problems);
	bundle_unmap(&in_use);
	return is_said;
}

void
trial_child(int fd, const struct trial_task *task)
{
	int keep[] = { fd, task->in_use_fd };

	signal(SIGPIPE, SIG_IGN);
	log_to(NULL, NULL);
	crash_report_to(STDERR_FILENO, "trial");
	process_close_others(keep, COUNT(keep));
	title_set("reeve: trial");
	exit(trial_run(fd, task) ? EXIT_SUCCESS : EXIT_FAILURE);
}
