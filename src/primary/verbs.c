/* Who may ask the primary for what: the operator by signals, the command by the control socket. */
#include "primary/inside.h"

#include "base/count.h"
#include "base/log.h"

#include <assert.h>
#include <signal.h>

/* -- signals ------------------------------------------------------------------------------------------------------- */

/* The second one means it. */
static void
hear_stop(struct primary *primary)
{
	primary_stop(primary, primary->state == PRIMARY_STOPPING, NULL);
}

static void
hear_quit(struct primary *primary)
{
	primary_stop(primary, true, NULL);
}

static void
hear_reload(struct primary *primary)
{
	reload_request(primary, NULL);
}

static void
hear_reopen(struct primary *primary)
{
	if (primary->logs.is_open)
		logs_reopen(primary, NULL);
}

static void
hear_upgrade(struct primary *primary)
{
	(void)primary;
	log_say(MSG_UPGRADE_REFUSED);
}

static const struct {
	int	number;
	void	(*hear)(struct primary *primary);
} signal_rows[] = {
	{ SIGTERM, hear_stop },	  { SIGINT, hear_stop },    { SIGQUIT, hear_quit },
	{ SIGHUP, hear_reload },  { SIGUSR1, hear_reopen }, { SIGUSR2, hear_upgrade },
};
static_assert(COUNT(signal_rows) == PRIMARY_SIGNALS, "room for each");

static void
signal_heard(void *owner, int number)
{
	for (size_t i = 0; i < COUNT(signal_rows); i++) {
		if (signal_rows[i].number == number)
			signal_rows[i].hear(owner);
	}
}

void
signals_open(struct primary *primary)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < COUNT(signal_rows); i++)
		primary->signals[i] = loop_signal_create(primary->loop, signal_rows[i].number, signal_heard, primary);
}

void
signals_close(struct primary *primary)
{
	for (size_t i = 0; i < COUNT(signal_rows); i++)
		loop_signal_free(primary->signals[i]);
}

/* -- the control socket -------------------------------------------------------------------------------------------- */

static void
verb_status(void *owner, struct text *json)
{
	status_format(owner, json);
}

static void
verb_reload(void *owner, struct control_call *call)
{
	reload_request(owner, call);
}

static void
verb_stop(void *owner, struct control_call *call)
{
	primary_stop(owner, false, call);
}

static void
verb_reopen_logs(void *owner, struct control_call *call)
{
	struct primary *primary = owner;

	if (primary->logs.is_open)
		logs_reopen(primary, call);
	else
		control_reply(call, false, SPAN_OF("there is no log yet"));
}

const struct control_verbs primary_verbs = {
	.status = verb_status,
	.reload = verb_reload,
	.stop = verb_stop,
	.reopen_logs = verb_reopen_logs,
};
