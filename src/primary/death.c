/* What is known of a dead worker comes from three places: how the kernel says it ended, its slot, its last words. */
#include "primary/inside.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT_MAX 65536
#define REPORT_MODE 0600

static const char *
signal_format(int number, char to[32])
{
	const char *name = sigabbrev_np(number);

	if (number == 0)
		return "";
	if (name != NULL)
		snprintf(to, 32, "SIG%s", name);
	else
		snprintf(to, 32, "signal %d", number);
	return to;
}

/* -- the crash report ---------------------------------------------------------------------------------------------- */

static bool
report_read(int fd, struct text *report)
{
	struct stat status;
	ssize_t count;

	if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0)
		return false;
	count = pread(fd, text_reserve(report, REPORT_MAX), REPORT_MAX, 0);
	report->len += count > 0 ? (size_t)count : 0;
	return count > 0;
}

static void
report_add_slot(const struct worker_child *worker, struct text *report)
{
	const struct slot *slot = worker_slot(worker);

	text_format(report, "connections: %llu\nrequests in flight: %llu\nrequests answered: %llu\n",
	    (unsigned long long)slot_get(&slot->connections), (unsigned long long)slot_get(&slot->requests_active),
	    (unsigned long long)slot_get(&slot->totals.requests));
}

/* The file's path in `path`, empty when there is nothing to write or it cannot be written. */
static void
report_write(const struct worker_child *worker, const struct child_end *end, struct text *path)
{
	const char *directory = worker->primary->current->orders->state_dir;
	struct text report = { 0 };
	struct err err;

	if (report_read(worker->crash_fd, &report)) {
		report_add_slot(worker, &report);
		text_format(path, "%s/crash-%d-%llu.txt", directory, (int)end->pid,
		    (unsigned long long)clock_wall_ms());
		if (!directory_make(directory, 0700, &err) ||
		    !file_write(path->bytes, text_span(&report), REPORT_MODE, &err)) {
			log_say(MSG_CRASH_REPORT_LOST, log_text("reason", err.text),
			    log_span("report", text_span(&report)));
			text_clear(path);
		}
	}
	text_fini(&report);
}

/* -- the record ---------------------------------------------------------------------------------------------------- */

static void
death_say(const struct worker_child *worker, const struct child_end *end)
{
	const struct slot *slot = worker_slot(worker);
	char signal_text[32];
	struct text report = { 0 };

	report_write(worker, end, &report);
	log_say(MSG_WORKER_DIED, log_number("worker", worker->slot), log_signed("worker_pid", end->pid),
	    log_text("signal", signal_format(end->how.signal, signal_text)),
	    log_signed("exit_code", end->how.exit_code), log_bool("core", end->how.has_dumped),
	    log_number("uptime_ms", end->uptime_ms), log_number("requests_active", slot_get(&slot->requests_active)),
	    log_number("connections", slot_get(&slot->connections)), log_number("generation", worker->generation),
	    log_text("state", child_state_name(end->state)), log_text("reason", worker->why),
	    log_span("report", text_span(&report)));
	text_fini(&report);
	if (end->restart_ms > 0 && end->restart_ms != UINT64_MAX)
		log_say(MSG_WORKER_RESPAWN_DELAYED, log_number("worker", worker->slot),
		    log_number("delay_ms", end->restart_ms));
}

/* It was told to end: only that it had to be killed is worth a word. */
static void
farewell_say(const struct worker_child *worker, const struct child_end *end)
{
	char signal_text[32];

	if (end->how.signal == 0 && end->how.exit_code == 0)
		log_say(MSG_WORKER_ENDED, log_number("worker", worker->slot), log_signed("worker_pid", end->pid),
		    log_number("uptime_ms", end->uptime_ms));
	else
		log_say(MSG_WORKER_ENDED_BADLY, log_number("worker", worker->slot), log_signed("worker_pid", end->pid),
		    log_text("signal", signal_format(end->how.signal, signal_text)),
		    log_signed("exit_code", end->how.exit_code), log_number("uptime_ms", end->uptime_ms));
}

/*
 * Signals that only come from outside (an operator, the kernel for want of memory) say nothing about the configuration;
 * SIGKILL counts when it was us, because it hung.
 */
static bool
is_its_own_fault(const struct child_end *end)
{
	switch (end->how.signal) {
	case SIGKILL:
		return end->state == CHILD_KILLED;
	case SIGTERM:
	case SIGINT:
	case SIGHUP:
	case SIGQUIT:
		return false;
	default:
		return true;
	}
}

void
worker_death(struct worker_child *worker, const struct child_end *end)
{
	char signal_text[32];

	if (end->was_asked) {
		farewell_say(worker, end);
		return;
	}
	if (end->pid > 0)
		death_say(worker, end);
	if (worker->why[0] == '\0')
		snprintf(worker->why, sizeof(worker->why), "it ended with %s%s%d",
		    signal_format(end->how.signal, signal_text), end->how.signal != 0 ? ", exit code " : "exit code ",
		    end->how.exit_code);
	if (worker->primary->state == PRIMARY_STARTING)
		primary_worker_not_started(worker, worker->why);
	else if (is_its_own_fault(end))
		rollback_worker_crashed(worker);
}
