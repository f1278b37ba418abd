/* What must be there before the first step, the loop, and everything put away in reverse. */
#include "primary/primary.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/title.h"
#include "primary/inside.h"
#include "worker/crash.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* A number of 0, 1 or 2 must never become a socket that somebody else prints into. */
static void
standard_descriptors_fill(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR);
	fd_close(&fd);
}

/* As many descriptors as we may; where even that is refused the limit stays, and workers count with it. */
static void
limits_raise(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static bool
primary_init(struct primary *primary, struct err *err)
{
	list_init(&primary->workers);
	list_init(&primary->expiry.told);
	primary->started_ms = clock_ms();
	primary->started_wall_ms = clock_wall_ms();
	primary->loop = loop_create(err);
	if (primary->loop == NULL)
		return false;
	primary->family = family_create(primary->loop);
	signals_open(primary);
	reload_init(primary);
	return true;
}

static void
primary_fini(struct primary *primary)
{
	calls_reply(&primary->stop_calls, primary->exit_code == 0, SPAN_OF("stopped"));
	control_server_close(primary->control);
	pid_file_remove(primary);
	watchdog_stop(primary);
	sample_stop(primary);
	tickets_stop(primary);
	swap_stop(primary);
	expiry_stop(primary);
	timer_fini(&primary->stop_timer);
	logs_close(primary);
	rollback_fini(primary);
	edition_free(primary->current);
	text_fini(&primary->reload.last_message);
	signals_close(primary);
	family_free(primary->family);
	loop_free(primary->loop);
	ticket_ring_free(primary->ticket_ring);
	board_free(primary->board);
	slots_free(primary->slots);
}

int
primary_run(const char *config_path, const char *control_override)
{
	struct primary primary = { .config_path = config_path, .control_override = control_override };
	struct err err = { "" };

	standard_descriptors_fill();
	limits_raise();
	title_set("reeve: primary (%s)", config_path);
	crash_report_to(STDERR_FILENO, "primary");
	if (!primary_init(&primary, &err)) {
		fprintf(stderr, "reeve: %s\n", err.text);
		return 1;
	}
	primary_start(&primary);
	loop_run(primary.loop);
	primary_fini(&primary);
	return primary.exit_code;
}
