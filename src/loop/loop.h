/*
 * loop: one process's event loop: libevent behind a few verbs.
 *
 * A process has one loop. Callbacks run from loop_run() only, one after another; nothing in them may block.
 *
 *	watch	  a descriptor's readiness, level-triggered
 *	timer	  one moment in the future, for rare things (a heap operation each)
 *	timeout	  loop/timeout.h: what every connection has, O(1) to arm
 *	later	  work for the end of this turn, above all freeing
 *
 * An object that is freed by a `later` stays valid until every callback of this turn has returned, so it may be closed
 * from inside its own callback. What has been finished or disarmed is not called again, not even in the same turn.
 */
#ifndef REEVE_LOOP_LOOP_H
#define REEVE_LOOP_LOOP_H

#include "base/err.h"
#include "base/list.h"

#include <event2/event_struct.h>

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop	*loop_create(struct err *err);
void		 loop_free(struct loop *loop);	/* finish watches and timers before; runs laters */
void		 loop_run(struct loop *loop);	/* until loop_stop() */
void		 loop_stop(struct loop *loop);	/* after the callback that is running */

/* Monotonic ms and wall ms, read once a turn; outside of loop_run() at each call. */
uint64_t	 loop_now_ms(const struct loop *loop);
uint64_t	 loop_wall_ms(const struct loop *loop);

/* How often the loop has turned; the watchdog's proof of life. */
uint64_t	 loop_turns(const struct loop *loop);

/* Where turns are also counted for others to see (shared memory). NULL: nowhere. Called each turn: its start, ms. */
typedef void	 loop_turn_fn(void *owner, uint64_t now_ms);
void			 loop_on_turn(struct loop *loop, loop_turn_fn *on_turn, void *owner);

/* The libevent base, for libraries that need it (evdns). */
struct event_base	*loop_base(struct loop *loop);

/* -- watch -------------------------------------------------------------------------------------------------------- */

enum watch_for {
	WATCH_NOTHING = 0,
	WATCH_READ = 1,
	WATCH_WRITE = 2,
	WATCH_HANGUP = 4,	/* alone: only that the peer is gone (reset, or closed both ways), not what he sends */
};	/* or-ed */

/* `ready` holds WATCH_READ and/or WATCH_WRITE; errors and hang-ups come as both that were asked for. */
typedef void watch_fn(void *owner, unsigned ready);

struct watch {
	struct event	 event;
	watch_fn	*on_ready;
	void		*owner;	/* borrowed: who hears */
	struct loop	*loop;
	unsigned	 wants;
};

/* Wants nothing yet. */
void	watch_init(struct watch *watch, struct loop *loop, int fd, watch_fn *on_ready, void *owner);
void	watch_want(struct watch *watch, unsigned wants);	/* cheap when nothing changes */
void	watch_fini(struct watch *watch);			/* before close(fd); safe twice and on zeroed memory */

/*
 * watch_fini() for a descriptor that the caller closes next and that no other process holds: close(2) takes it out of
 * epoll, for a system call less.
 */
void	watch_close(struct watch *watch);

/* Takes the descriptor out of epoll and puts it in again (the accept balance needs it, architecture.md decision 2). */
void	watch_readd(struct watch *watch);

/* -- timer -------------------------------------------------------------------------------------------------------- */

typedef void timer_fn(void *owner);

struct timer {
	struct event	 event;
	timer_fn	*on_due;
	void		*owner;
	struct loop	*loop;
	uint64_t	 due_ms;	/* 0: not armed */
};

void	timer_init(struct timer *timer, struct loop *loop, timer_fn *on_due, void *owner);
void	timer_arm(struct timer *timer, uint64_t delay_ms);	/* once; again replaces */
void	timer_disarm(struct timer *timer);
bool	timer_is_armed(const struct timer *timer);
void	timer_fini(struct timer *timer);			/* safe twice and on zeroed memory */

/* -- signals ------------------------------------------------------------------------------------------------------ */

struct loop_signal;
typedef void signal_fn(void *owner, int signal_number);
struct loop_signal	*loop_signal_create(struct loop *loop, int signal_number, signal_fn *on_signal, void *owner);
void			 loop_signal_free(struct loop_signal *signal);

/*
 * For processes that obey the primary: Ctrl-C reaches all processes of a terminal, and systemd may signal a whole
 * control group, but only the primary decides. SIGPIPE is ignored, too.
 */
void			 signals_ignore(void);

/* -- the end of the turn ------------------------------------------------------------------------------------------ */

/*
 * Embedded in what wants to be called once at the end of the turn; `run` may free what holds it. What a later adds runs
 * in the same turn, so one that always adds itself again never lets the turn end. Before loop_run(): as its first act.
 */
struct later {
	struct list_node	node;
	void			(*run)(struct later *later);
};

void	loop_later(struct loop *loop, struct later *later);	/* twice in a turn is once */
void	loop_later_cancel(struct later *later);

/* Now, for whoever takes things down outside a turn. */
void	loop_run_laters(struct loop *loop);

/* free_it(later) at the end of the turn; `later` lies inside what it frees. */
void	loop_free_later(struct loop *loop, struct later *later, void (*free_it)(struct later *later));

#endif
