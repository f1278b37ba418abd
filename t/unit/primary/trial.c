/* rooms: base loop conf ipc http net codec request store supervise downstream route policy handler upstream logger site worker control primary */
#include "primary/trial.h"

#include "base/fd.h"
#include "base/log.h"
#include "ipc/bundle.h"
#include "primary/orders.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/reeve-unit-trial.XXXXXX";
static char path[100];

struct hearer {
	struct loop	*loop;
	unsigned	 heard;
	bool		 is_accepted;
	int		 bundle_fd;
	struct text	 lines;
};

static int
set_up(void **state)
{
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/reeve.yaml", directory);
	return 0;
}

static int
tear_down(void **state)
{
	unlink(path);
	return rmdir(directory);
}

static void
hear(void *owner, struct trial_outcome *outcome)
{
	struct hearer *hearer = owner;

	hearer->heard++;
	hearer->is_accepted = outcome->is_accepted;
	hearer->bundle_fd = outcome->bundle_fd;
	outcome->bundle_fd = -1;
	text_add(&hearer->lines, outcome->lines);
	loop_stop(hearer->loop);
}

static void
too_long(void *owner)
{
	loop_stop(((struct hearer *)owner)->loop);
}

/* Runs it to its end; killed: somebody ends the child, cancelled: we do. */
static void
trial_of(struct hearer *hearer, bool is_cancelled)
{
	const struct trial_task task = { .config_path = path, .in_use_fd = -1 };
	struct family *family;
	struct trial *trial;
	struct timer timer;

	*hearer = (struct hearer){ .loop = loop_create(NULL), .bundle_fd = -1 };
	family = family_create(hearer->loop);
	trial = trial_start(hearer->loop, family, &task, hear, hearer, NULL);
	assert_non_null(trial);
	if (is_cancelled)
		trial_cancel(trial);
	timer_init(&timer, hearer->loop, too_long, hearer);
	timer_arm(&timer, is_cancelled ? 300 : 10000);
	loop_run(hearer->loop);
	timer_fini(&timer);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	family_free(family);
	loop_free(hearer->loop);
	text_add(&hearer->lines, (struct span){ 0 });
}

static void
write_conf(const char *yaml)
{
	assert_true(file_write(path, span_text(yaml), 0600, NULL));
}

static void
test_accepted(void **state)
{
	struct hearer hearer;
	struct bundle bundle;
	struct orders *orders;

	write_conf("listen: [{address: ':1'}]\nworkers: 5\nroutes:\n  - respond: a\n  - respond: b\n");
	trial_of(&hearer, false);
	assert_int_equal(hearer.heard, 1);
	assert_true(hearer.is_accepted);
	assert_non_null(strstr(hearer.lines.bytes, "warning"));	/* the second route is hidden */
	assert_true(bundle_map(hearer.bundle_fd, &bundle, NULL));
	orders = orders_unpack(bundle.parts[BUNDLE_ORDERS], NULL);
	assert_int_equal(orders->workers, 5);
	assert_true(bundle.parts[BUNDLE_CONF].len > 0);
	orders_free(orders);
	bundle_unmap(&bundle);
	fd_close(&hearer.bundle_fd);
	text_fini(&hearer.lines);
}

static void
test_refused(void **state)
{
	struct hearer hearer;

	write_conf("listen: [{address: ':1'}]\nrutes:\n  - respond: a\nworkers: 0\n");
	trial_of(&hearer, false);
	assert_int_equal(hearer.heard, 1);
	assert_false(hearer.is_accepted);
	assert_non_null(strstr(hearer.lines.bytes, ":2:1: rutes: unknown key"));
	assert_non_null(strstr(hearer.lines.bytes, ":4:10: workers:"));
	fd_close(&hearer.bundle_fd);
	text_fini(&hearer.lines);
	unlink(path);
	trial_of(&hearer, false);
	assert_false(hearer.is_accepted);
	assert_non_null(strstr(hearer.lines.bytes, "No such file"));
	fd_close(&hearer.bundle_fd);
	text_fini(&hearer.lines);
}

/* Whoever cancels hears nothing, and no process stays. */
static void
test_cancelled(void **state)
{
	struct hearer hearer;

	write_conf("listen: [{address: ':1'}]\nroutes: [{respond: a}]\n");
	trial_of(&hearer, true);
	assert_int_equal(hearer.heard, 0);
	text_fini(&hearer.lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cancelled),
	};

	log_set_level(LOG_SILENT);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
