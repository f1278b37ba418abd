/* All that can happen to a child stands in the table `moves`; an event that a state has no row for changes nothing. */
#include "supervise/child.h"

#include "base/count.h"
#include "base/log.h"

#include <assert.h>
#include <signal.h>

#define CHILD_EVENTS(E) E(START) E(FAILED) E(READY) E(END) E(TIMEOUT) E(HUNG) E(STOP) E(KILL)
#define EVENT_ENUM(name) EV_##name,
enum child_event { CHILD_EVENTS(EVENT_ENUM) EVENT_COUNT };
#undef EVENT_ENUM

#define NAME(name) #name,
static const char *const state_names[] = { CHILD_STATES(NAME) };
static const char *const event_names[] = { CHILD_EVENTS(NAME) };
#undef NAME
static_assert(COUNT(state_names) == CHILD_STATE_COUNT && COUNT(event_names) == EVENT_COUNT, "all have names");

typedef void child_act(struct child *child);

struct move {
	child_act		*act;		/* NULL: nothing to do */
	enum child_state	 next;
	bool			 is_made;	/* false: the event means nothing here */
};

static void child_hear(struct child *child, enum child_event event);

/* -- what is done on the way --------------------------------------------------------------------------------------- */

static void
start_it(struct child *child)
{
	struct err err = { "" };
	pid_t pid;

	child->started_ms = loop_now_ms(child->loop);
	child->ready_ms = 0;
	child->was_asked = false;
	child->end = (struct process_end){ .exit_code = -1 };
	pid = child->kind->start(child->owner, &err);
	if (pid <= 0) {
		log_say(MSG_CHILD_NOT_STARTED, log_text("child", child->kind->name), log_text("reason", err.text));
		child_hear(child, EV_FAILED);
		return;
	}
	child->pid = pid;
	family_add(child->family, &child->relative, pid);
	if (child->kind->start_timeout_ms > 0)
		timer_arm(&child->timer, child->kind->start_timeout_ms);
}

static void
start_again(struct child *child)
{
	child->restarts++;
	start_it(child);
}

static void
be_up(struct child *child)
{
	timer_disarm(&child->timer);
	child->ready_ms = loop_now_ms(child->loop);
}

static void
child_signal(const struct child *child, int signal_number)
{
	if (child->pid > 0)
		kill(child->pid, signal_number);
}

static void
kill_now(struct child *child)
{
	timer_disarm(&child->timer);
	child_signal(child, SIGKILL);
}

static void
kill_for_good(struct child *child)
{
	child->was_asked = true;
	kill_now(child);
}

static void
abort_it(struct child *child)
{
	child_signal(child, SIGABRT);
	timer_arm(&child->timer, child->kind->abort_timeout_ms);
}

static void
arm_stop(struct child *child)
{
	timer_arm(&child->timer, child->stop_timeout_ms);
}

static void
ask_to_stop(struct child *child)
{
	child->was_asked = true;
	arm_stop(child);
	if (child->kind->ask_to_stop != NULL)
		child->kind->ask_to_stop(child->owner);
	else
		child_signal(child, SIGTERM);
}

static uint64_t
healthy_ms(const struct child *child)
{
	return child->ready_ms == 0 ? 0 : loop_now_ms(child->loop) - child->ready_ms;
}

static void
tell_end(struct child *child, uint64_t restart_ms)
{
	struct child_end end = {
		.how = child->end,
		.pid = child->pid,
		.uptime_ms = loop_now_ms(child->loop) - child->started_ms,
		.was_asked = child->was_asked,
		.state = child->before,
		.restart_ms = restart_ms,
	};

	child->pid = 0;
	child->kind->on_end(child->owner, &end);
}

static void
wait_a_little(struct child *child)
{
	uint64_t delay_ms = backoff_next(&child->backoff, healthy_ms(child));

	timer_arm(&child->timer, delay_ms);
	tell_end(child, delay_ms);
}

static void
be_dead(struct child *child)
{
	timer_disarm(&child->timer);
	tell_end(child, UINT64_MAX);
}

static void
give_up_waiting(struct child *child)
{
	timer_disarm(&child->timer);
}

/* -- the table ----------------------------------------------------------------------------------------------------- */

static const struct move moves[CHILD_STATE_COUNT][EVENT_COUNT] = {
	[CHILD_IDLE] = {
		[EV_START]	= { start_it,		CHILD_STARTING, true },
		[EV_STOP]	= { NULL,		CHILD_DEAD,	true },
		[EV_KILL]	= { NULL,		CHILD_DEAD,	true },
	},
	[CHILD_STARTING] = {
		[EV_FAILED]	= { wait_a_little,	CHILD_WAITING,	true },		/* no process came of it */
		[EV_READY]	= { be_up,		CHILD_UP,	true },
		[EV_END]	= { wait_a_little,	CHILD_WAITING,	true },
		[EV_TIMEOUT]	= { kill_now,		CHILD_KILLED,	true },		/* it never said it was ready */
		[EV_HUNG]	= { abort_it,		CHILD_ABORTING, true },
		[EV_STOP]	= { ask_to_stop,	CHILD_STOPPING, true },
		[EV_KILL]	= { kill_for_good,	CHILD_ENDING,	true },
	},
	[CHILD_UP] = {
		[EV_END]	= { wait_a_little,	CHILD_WAITING,	true },
		[EV_HUNG]	= { abort_it,		CHILD_ABORTING, true },
		[EV_STOP]	= { ask_to_stop,	CHILD_STOPPING, true },
		[EV_KILL]	= { kill_for_good,	CHILD_ENDING,	true },
	},
	[CHILD_WAITING] = {
		[EV_TIMEOUT]	= { start_again,	CHILD_STARTING, true },
		[EV_STOP]	= { give_up_waiting,	CHILD_DEAD,	true },
		[EV_KILL]	= { give_up_waiting,	CHILD_DEAD,	true },
	},
	[CHILD_ABORTING] = {
		[EV_END]	= { wait_a_little,	CHILD_WAITING,	true },
		[EV_TIMEOUT]	= { kill_now,		CHILD_KILLED,	true },		/* not even a report */
		[EV_STOP]	= { kill_for_good,	CHILD_ENDING,	true },
		[EV_KILL]	= { kill_for_good,	CHILD_ENDING,	true },
	},
	[CHILD_KILLED] = {
		[EV_END]	= { wait_a_little,	CHILD_WAITING,	true },
		[EV_STOP]	= { kill_for_good,	CHILD_ENDING,	true },
		[EV_KILL]	= { kill_for_good,	CHILD_ENDING,	true },
	},
	[CHILD_STOPPING] = {
		[EV_END]	= { be_dead,		CHILD_DEAD,	true },
		[EV_TIMEOUT]	= { kill_now,		CHILD_ENDING,	true },
		[EV_STOP]	= { arm_stop,		CHILD_STOPPING, true },		/* a second, shorter limit */
		[EV_KILL]	= { kill_for_good,	CHILD_ENDING,	true },
	},
	[CHILD_ENDING] = {
		[EV_END]	= { be_dead,		CHILD_DEAD,	true },
	},
	[CHILD_DEAD] = {
		[EV_START]	= { start_it,		CHILD_STARTING, true },
	},
};
static_assert(COUNT(moves) == CHILD_STATE_COUNT, "every state has its moves");

/* A kind that starts once has no WAITING: its end is its death. */
static struct move
child_find_move(const struct child *child, enum child_event event)
{
	struct move move = moves[child->state][event];

	if (child->kind->starts_once && move.next == CHILD_WAITING)
		move = (struct move){ be_dead, CHILD_DEAD, true };
	return move;
}

/* The state changes before the act, so that whoever is called sees the new one. */
static void
child_step(struct child *child, enum child_event event)
{
	struct move move = child_find_move(child, event);

	if (!move.is_made)
		return;
	log_say(MSG_CHILD_MOVED, log_text("child", child->kind->name), log_signed("child_pid", child->pid),
	    log_text("event", event_names[event]), log_text("from", state_names[child->state]),
	    log_text("to", state_names[move.next]));
	child->before = child->state;
	child->state = move.next;
	if (move.act != NULL)
		move.act(child);
}

/*
 * What the owner asks for from inside a call waits until that has returned; killing beats stopping. on_dead comes last,
 * because the owner may free the child then.
 */
static void
child_hear(struct child *child, enum child_event event)
{
	bool was_dead = child->state == CHILD_DEAD;

	if (child->is_hearing) {
		child->next_event = (int)event > child->next_event ? (int)event : child->next_event;
		return;
	}
	child->is_hearing = true;
	for (int next = (int)event; next >= 0; next = child->next_event) {
		child->next_event = -1;
		child_step(child, (enum child_event)next);
	}
	child->is_hearing = false;
	if (child->state == CHILD_DEAD && !was_dead && child->kind->on_dead != NULL)
		child->kind->on_dead(child->owner);
}

/* -- events -------------------------------------------------------------------------------------------------------- */

static void
child_ended(void *owner, const struct process_end *end)
{
	struct child *child = owner;

	child->end = *end;
	child_hear(child, EV_END);
}

static void
child_timed_out(void *owner)
{
	child_hear(owner, EV_TIMEOUT);
}

void
child_init(struct child *child, const struct child_kind *kind, struct loop *loop, struct family *family, void *owner)
{
	*child = (struct child){
		.kind = kind,
		.loop = loop,
		.family = family,
		.owner = owner,
		.relative = { .on_end = child_ended, .owner = child },
		.backoff = kind->backoff,
		.next_event = -1,
	};
	timer_init(&child->timer, loop, child_timed_out, child);
}

void
child_fini(struct child *child)
{
	timer_fini(&child->timer);
	relative_forget(&child->relative);
}

void
child_start(struct child *child)
{
	assert(child->state == CHILD_IDLE || child->state == CHILD_DEAD);
	child_hear(child, EV_START);
}

void
child_ready(struct child *child)
{
	child_hear(child, EV_READY);
}

void
child_hung(struct child *child)
{
	child_hear(child, EV_HUNG);
}

void
child_stop(struct child *child, uint64_t timeout_ms)
{
	child->stop_timeout_ms = timeout_ms;
	child_hear(child, EV_STOP);
}

void
child_kill(struct child *child)
{
	child_hear(child, EV_KILL);
}

void
child_hurry(struct child *child)
{
	if (child->state != CHILD_WAITING)
		return;
	child->backoff.next_ms = 0;
	timer_arm(&child->timer, 0);
}

pid_t
child_pid(const struct child *child)
{
	return child->pid;
}

bool
child_is_alive(const struct child *child)
{
	return child->pid > 0;
}

uint64_t
child_uptime_ms(const struct child *child)
{
	return child->pid > 0 ? loop_now_ms(child->loop) - child->started_ms : 0;
}

const char *
child_state_name(enum child_state state)
{
	assert((size_t)state < COUNT(state_names));
	return state_names[state];
}
