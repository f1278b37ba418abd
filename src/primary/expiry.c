/*
 * Each certificate is told of once at each step towards its end. What was told is kept by fingerprint, so that neither
 * reloads nor two listeners with one certificate tell it again.
 *
 * A wall clock that goes forth and back must neither flood the log nor use up warnings for good: a step is told again
 * when the clock has gone back behind it, but not within a day.
 */
#include "primary/inside.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/log.h"
#include "base/memory.h"

#include <string.h>

#define LOOK_EVERY_MS ((uint64_t)3600 * 1000)
#define DAY_MS ((uint64_t)24 * 3600 * 1000)
#define FINGERPRINT_MAX 64	/* SHA-256, hexadecimal */

/* At so much before its end, the first that comes. */
static const uint64_t steps_ms[] = { 21 * DAY_MS, 7 * DAY_MS, 1 * DAY_MS, 0 };

struct expiry_told {
	struct list_node	node;
	char			fingerprint[FINGERPRINT_MAX + 1];
	size_t			steps;		/* so many were told */
	uint64_t		told_ms;	/* monotonic */
	bool			is_in_use;
};
#define TOLD(at) LIST_OWNER(at, struct expiry_told, node)

static size_t
steps_reached(const struct certificate *certificate, uint64_t wall_ms)
{
	int64_t left_ms = certificate->until_s * 1000 - (int64_t)wall_ms;
	size_t steps = 0;

	while (steps < COUNT(steps_ms) && left_ms <= (int64_t)steps_ms[steps])
		steps++;
	return steps;
}

static void
expiry_say(const struct certificate *certificate, bool has_ended, uint64_t wall_ms)
{
	char until[24];

	clock_format_rfc3339(until, (uint64_t)certificate->until_s * 1000);
	log_say(has_ended ? MSG_CERTIFICATE_HAS_EXPIRED : MSG_CERTIFICATE_EXPIRES,
	    log_text("subject", certificate->subject), log_text("file", certificate->file),
	    log_text("listener", certificate->listener), log_span("not_after", span_make(until, sizeof(until))),
	    log_signed("days_left", certificate_days_left(certificate, wall_ms)));
}

/* -- what was told ------------------------------------------------------------------------------------------------- */

static struct expiry_told *
told_of(struct expiry *expiry, const struct certificate *certificate)
{
	struct expiry_told *told;
	size_t len = strnlen(certificate->fingerprint, FINGERPRINT_MAX);

	for (struct list_node *at = expiry->told.next; at != &expiry->told; at = at->next) {
		if (strcmp(TOLD(at)->fingerprint, certificate->fingerprint) == 0)
			return TOLD(at);
	}
	told = memory_zalloc(sizeof(*told));
	memcpy(told->fingerprint, certificate->fingerprint, len);
	list_add_last(&expiry->told, &told->node);
	return told;
}

/* Those of certificates that nobody uses any more; all: every one. */
static void
told_forget(struct expiry *expiry, bool all)
{
	for (struct list_node *at = expiry->told.next, *next = at->next; at != &expiry->told;
	    at = next, next = at->next) {
		struct expiry_told *told = TOLD(at);

		if (told->is_in_use && !all) {
			told->is_in_use = false;
			continue;
		}
		list_remove(&told->node);
		memory_free(told);
	}
}

/* -- looking ------------------------------------------------------------------------------------------------------- */

static void
certificate_look(struct primary *primary, const struct certificate *certificate, uint64_t wall_ms)
{
	struct expiry_told *told = told_of(&primary->expiry, certificate);
	size_t steps = steps_reached(certificate, wall_ms);
	uint64_t now_ms = loop_now_ms(primary->loop);

	told->is_in_use = true;
	if (steps > told->steps) {
		expiry_say(certificate, steps == COUNT(steps_ms), wall_ms);
		told->steps = steps;
		told->told_ms = now_ms;
	} else if (steps < told->steps && now_ms - told->told_ms >= DAY_MS) {
		told->steps = steps;
	}
}

void
expiry_look(struct primary *primary)
{
	const struct certificates *certificates = primary->current->certificates;
	uint64_t wall_ms = clock_wall_ms();

	for (size_t i = 0; i < certificates->count; i++)
		certificate_look(primary, &certificates->items[i], wall_ms);
	told_forget(&primary->expiry, false);
}

static void
expiry_due(void *owner)
{
	struct primary *primary = owner;

	expiry_look(primary);
	timer_arm(&primary->expiry.timer, LOOK_EVERY_MS);
}

void
expiry_start(struct primary *primary)
{
	timer_init(&primary->expiry.timer, primary->loop, expiry_due, primary);
	expiry_due(primary);
}

void
expiry_stop(struct primary *primary)
{
	timer_fini(&primary->expiry.timer);
	if (primary->expiry.told.next != NULL)
		told_forget(&primary->expiry, true);
}
