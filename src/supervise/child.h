/*
 * child: the life of one process that we start and keep alive. A state × event table (child.c) says all that can
 * happen.
 *
 *      IDLE ──start──▶ STARTING ──ready──▶ UP ──stop──▶ STOPPING ──▶ DEAD      DEAD can be started again
 *                       │    ▲             │ │             │  late     ▲
 *                      end   │ in time    end└─hung─▶ ABORTING         │
 *                       ▼    │             ▼          │    ▼           │
 *                       WAITING ◀──────────┴──end─── KILLED          ENDING: killed for good
 *
 * An end that nobody asked for leads to another start: at once, then with back-off, and never given up, unless its kind
 * is started once only. The owner says how it starts, says when it is ready, and hears of everything.
 */
#ifndef REEVE_SUPERVISE_CHILD_H
#define REEVE_SUPERVISE_CHILD_H

#include "base/err.h"
#include "supervise/backoff.h"
#include "supervise/family.h"

#define CHILD_STATES(S) S(IDLE) S(STARTING) S(UP) S(WAITING) S(ABORTING) S(KILLED) S(STOPPING) S(ENDING) S(DEAD)
#define CHILD_STATE_ENUM(name) CHILD_##name,
enum child_state { CHILD_STATES(CHILD_STATE_ENUM) CHILD_STATE_COUNT };
#undef CHILD_STATE_ENUM

struct child_end {
	struct process_end	how;
	pid_t			pid;
	uint64_t		uptime_ms;
	bool			was_asked;	/* child_stop() or child_kill() */
	enum child_state	state;		/* in which it ended */
	uint64_t		restart_ms;	/* delay before the next start; UINT64_MAX: there is none */
};

/* What children of a kind have in common. Called from the loop only, but for start (also from inside child_start()). */
struct child_kind {
	const char	*name;			/* "worker" */
	uint64_t	 start_timeout_ms;	/* not ready by then: killed. 0: no limit */
	uint64_t	 abort_timeout_ms;	/* after child_hung() */
	bool		 starts_once;		/* after its end it is DEAD */
	struct backoff	 backoff;

	/* Forks (process.h). -1: the sentence says why; it counts as an end, with pid 0. */
	pid_t	(*start)(void *owner, struct err *err);
	void	(*ask_to_stop)(void *owner);				/* NULL: SIGTERM */
	void	(*on_end)(void *owner, const struct child_end *end);	/* every time; before on_dead */
	void	(*on_dead)(void *owner);	/* it is not started again by itself; may free the child; or NULL */
};

struct child {
	const struct child_kind	*kind;		/* borrowed: static */
	struct loop		*loop;
	struct family		*family;
	void			*owner;		/* borrowed: who hears */
	struct relative		 relative;
	struct timer		 timer;		/* of the state */
	struct backoff		 backoff;
	struct process_end	 end;		/* the last */
	pid_t			 pid;		/* 0: no process now */
	uint64_t		 started_ms;	/* monotonic: the last start */
	uint64_t		 ready_ms;	/* 0: not since that */
	uint64_t		 stop_timeout_ms;
	unsigned		 restarts;	/* starts after the first */
	bool			 was_asked;
	bool			 is_hearing;	/* an owner's function is on the stack */
	int			 next_event;	/* what it asked for; -1: nothing */
	enum child_state	 state;		/* child_step() alone writes it */
	enum child_state	 before;
};

void		 child_init(struct child *child, const struct child_kind *kind, struct loop *loop,
    struct family *family, void *owner);
void		 child_fini(struct child *child);	/* a process that still runs is not touched; safe twice */

void		 child_start(struct child *child);			/* IDLE or DEAD */
void		 child_ready(struct child *child);			/* it said so */
void		 child_hung(struct child *child);	/* SIGABRT for a report, then SIGKILL; it comes back */
void		 child_stop(struct child *child, uint64_t timeout_ms);	/* asks; later SIGKILL. Again: the new limit */
void		 child_hurry(struct child *child);	/* what made it die is mended: starts it now if it waits */
void		 child_kill(struct child *child);			/* SIGKILL; it does not come back */

pid_t		 child_pid(const struct child *child);		/* 0: no process now */
bool		 child_is_alive(const struct child *child);	/* there is a process */
uint64_t	 child_uptime_ms(const struct child *child);
const char	*child_state_name(enum child_state state);

#endif
