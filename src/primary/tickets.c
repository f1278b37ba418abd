/* Fresh keys for TLS session tickets, in time; workers see them where they stand. */
#include "primary/inside.h"

#include "base/log.h"

#define AGAIN_MS ((uint64_t)60 * 1000)	/* after a failure */

static void
tickets_rotate(void *owner)
{
	struct primary *primary = owner;
	struct err err = { "" };
	bool is_rotated = ticket_ring_rotate(primary->ticket_ring, &err);

	if (!is_rotated)
		log_say(MSG_TICKET_KEYS_KEPT, log_text("reason", err.text));
	timer_arm(&primary->ticket_timer, is_rotated ? TICKET_ROTATE_MS : AGAIN_MS);
}

void
tickets_start(struct primary *primary)
{
	timer_init(&primary->ticket_timer, primary->loop, tickets_rotate, primary);
	timer_arm(&primary->ticket_timer, TICKET_ROTATE_MS);
}

void
tickets_stop(struct primary *primary)
{
	timer_fini(&primary->ticket_timer);
}
