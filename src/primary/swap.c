/*
 * When files that the configuration watches (certificates, keys, CAs) have changed on the disk, a trial builds the edition
 * in use with their new contents; what it accepts goes the way of a reload (reload.c) and becomes a generation of its own.
 * The configuration file is not read. What is refused stays out and is told once, until a file changes again; it does not
 * keep files out that have nothing to do with it.
 *
 * A swap that failed for another reason (no process could be started, a worker died meanwhile) is tried again by itself.
 */
#include "primary/inside.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

#define AGAIN_MS 60000

static const struct file_watch_pace pace = { .look_ms = 5000, .quiet_ms = 250 };

/* -- how it ended -------------------------------------------------------------------------------------------------- */

static void
swap_note(struct primary *primary, const char *result, struct span message)
{
	struct swap *swap = &primary->swap;

	swap->last_result = result;
	swap->last_ms = clock_wall_ms();
	text_clear(&swap->last_message);
	text_add(&swap->last_message, message);
}

void
swap_done(struct primary *primary)
{
	struct swap *swap = &primary->swap;

	swap->count++;
	log_say(MSG_CERTIFICATES_SWAPPED, log_span("files", text_span(&swap->files)),
	    log_number("generation", primary->current->generation));
	reload_say_warnings(text_span(&primary->reload.warnings));
	if (swap->refused.len > 0)
		swap_note(primary, "partly", text_span(&swap->refused));
	else
		swap_note(primary, "ok", text_span(&swap->files));
}

/* Of many problems the first: the others may well follow from it. */
static struct span
first_problem(struct span lines)
{
	static const char warning[] = ": warning: ";
	struct span rest = lines, line;

	while (span_cut(&rest, '\n', &line)) {
		if (line.len > 0 && memmem(line.at, line.len, warning, strlen(warning)) == NULL)
			return line;
	}
	return lines;
}

static void
refusal_say(bool *is_told_io, struct span why, struct span files)
{
	if (!*is_told_io)
		log_say(MSG_CERTIFICATES_REFUSED, log_span("reason", why), log_span("files", files));
	*is_told_io = true;
}

void
swap_failed(struct primary *primary, struct span why, bool is_refused)
{
	struct swap *swap = &primary->swap;

	why = first_problem(why);
	refusal_say(is_refused ? &swap->is_refusal_told : &swap->is_failure_told, why, text_span(&swap->files));
	swap_note(primary, "refused", why);
	if (!is_refused)
		timer_arm(&swap->again, AGAIN_MS);
}

/* Lines: the files that are used, then why others are not, and which, in turn. */
static void
swap_take_refused(struct swap *swap, struct span lines)
{
	struct span why, files;

	text_clear(&swap->refused);
	if (!span_cut(&lines, '\n', &files))
		return;
	text_clear(&swap->files);
	text_add(&swap->files, files);
	while (span_cut(&lines, '\n', &why) && span_cut(&lines, '\n', &files)) {
		bool is_told = swap->is_refusal_told;

		refusal_say(&is_told, why, files);
		if (swap->refused.len == 0)
			text_add(&swap->refused, why);
	}
	swap->is_refusal_told = true;
}

void
swap_rolled_back(struct primary *primary)
{
	swap_note(primary, "rolled_back", SPAN_OF("workers kept dying: back to the certificates before"));
}

/* The files were touched, or a mistake was taken back. */
static void
swap_is_none(struct primary *primary)
{
	struct swap *swap = &primary->swap;

	if (strcmp(swap->last_result, "refused") != 0 && strcmp(swap->last_result, "partly") != 0)
		return;
	log_say(MSG_CERTIFICATES_SAME);
	swap_note(primary, "ok", SPAN_OF("the certificate files are again what is in use"));
}

/* -- the trial ----------------------------------------------------------------------------------------------------- */

static void
swap_end(struct primary *primary)
{
	primary->reload.state = RELOAD_IDLE;
	reload_next(primary);
}

static void
swap_tried(void *owner, struct trial_outcome *outcome)
{
	struct primary *primary = owner;
	struct reload *reload = &primary->reload;
	struct err err = { "" };

	reload->trial = NULL;
	if (!outcome->is_accepted) {
		swap_failed(primary, outcome->lines, outcome->is_answer);
		swap_end(primary);
	} else if (edition_is_same(primary->current, outcome->bundle_fd)) {
		edition_refresh(primary->current, outcome->bundle_fd);
		swap_is_none(primary);
		swap_end(primary);
	} else {
		text_clear(&reload->warnings);
		text_add(&reload->warnings, outcome->lines);
		swap_take_refused(&primary->swap, outcome->refused);
		if (reload_open(primary, outcome->bundle_fd, &err))
			reload_prepare(primary);
		else
			reload_fail_text(primary, "%s", err.text);
	}
}

void
swap_begin(struct primary *primary)
{
	const struct certificates *certificates = primary->current->certificates;
	const struct trial_task task = {
		.config_path = primary->config_path,
		.in_use_fd = primary->current->bundle_fd,
		.is_swap = true,
	};
	struct reload *reload = &primary->reload;
	struct swap *swap = &primary->swap;
	struct err err = { "" };

	swap->is_due = false;
	timer_disarm(&swap->again);
	file_watch_take_up(swap->watch);
	text_clear(&swap->files);
	file_watch_list(certificates->files, certificates->file_count, &swap->files);
	reload->cause = RELOAD_SWAP;
	reload->state = RELOAD_TRYING;
	reload->trial = trial_start(primary->loop, primary->family, &task, swap_tried, primary, &err);
	if (reload->trial == NULL)
		reload_fail_text(primary, "%s", err.text);
}

/* -- from outside -------------------------------------------------------------------------------------------------- */

static void
swap_ask(struct primary *primary)
{
	primary->swap.is_due = true;
	if (primary->state == PRIMARY_RUNNING && primary->reload.state == RELOAD_IDLE)
		reload_next(primary);
}

static void
swap_changed(void *owner)
{
	struct primary *primary = owner;

	primary->swap.is_refusal_told = primary->swap.is_failure_told = false;
	swap_ask(primary);
}

static void
swap_again(void *owner)
{
	swap_ask(owner);
}

void
swap_watch(struct primary *primary)
{
	const struct certificates *certificates = primary->current->certificates;
	struct swap *swap = &primary->swap;

	swap->is_due = false;
	swap->is_refusal_told = swap->is_failure_told = false;
	timer_disarm(&swap->again);
	file_watch_use(swap->watch, certificates->files, certificates->file_count);
}

void
swap_start(struct primary *primary)
{
	struct swap *swap = &primary->swap;

	swap->last_result = "none";
	timer_init(&swap->again, primary->loop, swap_again, primary);
	swap->watch = file_watch_create(primary->loop, pace, swap_changed, primary);
	swap_watch(primary);
}

void
swap_stop(struct primary *primary)
{
	struct swap *swap = &primary->swap;

	file_watch_free(swap->watch);
	swap->watch = NULL;
	swap->is_due = false;
	timer_fini(&swap->again);
	text_fini(&swap->files);
	text_fini(&swap->refused);
	text_fini(&swap->last_message);
}
