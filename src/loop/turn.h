/*
 * turn: what the files of this room share; not for other rooms.
 *
 * A turn starts with the first callback after the poll and ends when its laters have run. Every callback that libevent
 * makes into this room calls loop_enter() first, so the clocks are read once a turn and never before the poll returned.
 */
#ifndef REEVE_LOOP_TURN_H
#define REEVE_LOOP_TURN_H

#include "loop/loop.h"

struct loop {
	struct event_base	*base;	/* owned */

	bool		is_in_turn;
	bool		is_stopped;
	uint64_t	now_ms;		/* monotonic; of this turn */
	uint64_t	wall_ms;	/* of this turn */
	uint64_t	turns;

	loop_turn_fn	*on_turn;	/* NULL: nobody */
	void		*on_turn_owner;	/* borrowed */

	struct list_node	laters;		/* struct later */
	struct list_node	classes;	/* struct timeout_class, owned */
};

void	loop_begin_turn(struct loop *loop);

static inline void
loop_enter(struct loop *loop)
{
	if (!loop->is_in_turn)
		loop_begin_turn(loop);
}

/* With the loop: timeouts that are still armed become unarmed. */
void	timeout_classes_free(struct loop *loop);

#endif
