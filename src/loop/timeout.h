/*
 * timeout: "if nothing happens for so long", for things that exist by the ten thousand.
 *
 * All timeouts of one duration form a class: a queue in the order of arming, so the one due next is always first, and
 * arming is two pointer moves. One libevent timer a class wakes for the head. Precision: a few milliseconds late,
 * never early. Classes are shared by duration and live as long as the loop.
 *
 *	timeout_class_for(loop, 75000)  →  class;  timeout_arm(&conn->timeout, class)  … timeout_disarm(&conn->timeout)
 */
#ifndef REEVE_LOOP_TIMEOUT_H
#define REEVE_LOOP_TIMEOUT_H

#include "loop/loop.h"

struct timeout_class;

typedef void timeout_fn(void *owner);

struct timeout {
	struct list_node	 node;
	uint64_t		 due_ms;	/* monotonic */
	timeout_fn		*on_timeout;
	void			*owner;		/* borrowed: who hears */
};

/* The class of this duration, made when it is the first. 0: NULL, which timeout_arm() takes as "never". */
struct timeout_class	*timeout_class_for(struct loop *loop, uint64_t duration_ms);

void			 timeout_init(struct timeout *timeout, timeout_fn *on_timeout, void *owner);
/* again: starts over, any class */
void			 timeout_arm(struct timeout *timeout, struct timeout_class *class);
void			 timeout_disarm(struct timeout *timeout);	/* safe when not armed */
bool			 timeout_is_armed(const struct timeout *timeout);

#endif
