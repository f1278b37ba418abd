/*
 * Where to go when workers keep dying. Two things can be undone, each within its own probation:
 *
 *	A ──reload──▶ B ──certificate swap──▶ B'          reload.before = A, swap.before = B
 *
 * The youngest first: a crash loop leads from B' to B, and from there, when that crashes too, to A. So a swap never takes
 * the place of what the user had before his reload, neither uses up the time in which that reload has to prove itself
 * (going back to B starts it anew, when it was not over at the swap), and certificates that only workers choke on cost
 * no configuration. What was gone back from is never tried again by itself: not the file until it is reloaded, not the
 * certificates until a file changes.
 *
 * An edition that is still on probation is no place to go back to: of two swaps in a row the first is not kept.
 */
#include "primary/inside.h"

#include "base/count.h"
#include "base/log.h"

#include <string.h>

#define PROBATION_MS 30000	/* of a new edition */
#define CRASH_LOOP_MS 10000	/* so many deaths within this are a crash loop */
#define CRASH_LOOP_DEATHS COUNT(((struct rollback *)0)->deaths_ms)

static void
probation_end(struct probation *probation)
{
	edition_free(probation->before);
	*probation = (struct probation){ 0 };
}

/* Its listeners go: nobody would accept on those that the next one has not. */
static void
probation_begin(struct probation *probation, struct edition *before, uint64_t now_ms)
{
	edition_free(probation->before);
	probation->before = before;
	probation->until_ms = now_ms + PROBATION_MS;
}

static bool
is_on(const struct probation *probation, uint64_t now_ms)
{
	return probation->before != NULL && now_ms < probation->until_ms;
}

/* What would be undone now; NULL: nothing. */
static struct probation *
rollback_target(struct primary *primary, uint64_t now_ms)
{
	struct rollback *rollback = &primary->rollback;

	if (is_on(&rollback->swap, now_ms))
		return &rollback->swap;
	return is_on(&rollback->reload, now_ms) ? &rollback->reload : NULL;
}

/* -- in use -------------------------------------------------------------------------------------------------------- */

static void
commit_asked(struct rollback *rollback, struct edition *before, uint64_t now_ms)
{
	probation_end(&rollback->swap);
	probation_begin(&rollback->reload, before, now_ms);
}

static void
commit_swap(struct rollback *rollback, struct edition *before, uint64_t now_ms)
{
	if (is_on(&rollback->swap, now_ms)) {
		edition_free(before);
		rollback->swap.until_ms = now_ms + PROBATION_MS;
		return;
	}
	rollback->was_reload_unproven = is_on(&rollback->reload, now_ms);
	probation_begin(&rollback->swap, before, now_ms);
}

static void
commit_back(struct rollback *rollback, struct edition *before, uint64_t now_ms)
{
	edition_free(before);
	probation_end(&rollback->swap);
	if (!rollback->is_of_swap)
		probation_end(&rollback->reload);
	else if (rollback->was_reload_unproven)
		rollback->reload.until_ms = now_ms + PROBATION_MS;
}

void
rollback_commit(struct primary *primary, struct edition *next)
{
	static void (*const commits[])(struct rollback *rollback, struct edition *before, uint64_t now_ms) = {
		[RELOAD_ASKED] = commit_asked,
		[RELOAD_SWAP] = commit_swap,
		[RELOAD_BACK] = commit_back,
	};
	struct rollback *rollback = &primary->rollback;
	struct edition *before = primary->current;

	listeners_close(&before->listeners);
	primary->current = next;
	memset(rollback->deaths_ms, 0, sizeof(rollback->deaths_ms));
	commits[primary->reload.cause](rollback, before, loop_now_ms(primary->loop));
	if (primary->reload.cause == RELOAD_ASKED || (primary->reload.cause == RELOAD_BACK && !rollback->is_of_swap))
		swap_watch(primary);
}

/* Keys that were replaced are not kept for longer than they may be of use. */
void
rollback_tidy(struct primary *primary)
{
	struct rollback *rollback = &primary->rollback;
	uint64_t now_ms = loop_now_ms(primary->loop);

	if (primary->reload.state != RELOAD_IDLE || is_on(&rollback->swap, now_ms))
		return;
	if (rollback->swap.before != NULL)
		probation_end(&rollback->swap);
	if (rollback->reload.before != NULL && !is_on(&rollback->reload, now_ms))
		probation_end(&rollback->reload);
}

void
rollback_fini(struct primary *primary)
{
	probation_end(&primary->rollback.swap);
	probation_end(&primary->rollback.reload);
}

/* -- back again ---------------------------------------------------------------------------------------------------- */

bool
rollback_begin(struct primary *primary)
{
	struct rollback *rollback = &primary->rollback;
	struct probation *target = rollback_target(primary, loop_now_ms(primary->loop));
	struct err err = { "" };

	rollback->is_due = false;
	if (target == NULL)
		return false;
	rollback->is_of_swap = target == &rollback->swap;
	log_say(MSG_ROLLED_BACK, log_number("from", primary->current->generation),
	    log_number("to", target->before->generation),
	    log_text("undone", rollback->is_of_swap ? "certificate swap" : "reload"));
	primary->reload.cause = RELOAD_BACK;
	text_clear(&primary->reload.warnings);
	if (!reload_open(primary, target->before->bundle_fd, &err)) {
		target->until_ms = 0;
		reload_fail_text(primary, "cannot go back to the configuration before: %s", err.text);
		return true;
	}
	reload_prepare(primary);
	for (EACH_WORKER(primary, at))
		child_hurry(&WORKER(at)->child);
	return true;
}

static bool
is_crash_loop(struct rollback *rollback, uint64_t now_ms)
{
	uint64_t first_ms;

	memmove(rollback->deaths_ms + 1, rollback->deaths_ms, (CRASH_LOOP_DEATHS - 1) * sizeof(uint64_t));
	rollback->deaths_ms[0] = now_ms;
	first_ms = rollback->deaths_ms[CRASH_LOOP_DEATHS - 1];
	return first_ms != 0 && now_ms - first_ms <= CRASH_LOOP_MS;
}

void
rollback_worker_crashed(struct worker_child *worker)
{
	struct primary *primary = worker->primary;
	struct rollback *rollback = &primary->rollback;
	uint64_t now_ms = loop_now_ms(primary->loop);
	bool is_going_back = primary->reload.state != RELOAD_IDLE && primary->reload.cause == RELOAD_BACK;

	if (primary->state != PRIMARY_RUNNING || rollback_target(primary, now_ms) == NULL ||
	    worker->generation != primary->current->generation)
		return;
	if (!is_crash_loop(rollback, now_ms) || is_going_back)
		return;
	if (primary->reload.state == RELOAD_IDLE)
		(void)rollback_begin(primary);
	else
		rollback->is_due = true;
}
