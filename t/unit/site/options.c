/* rooms: base loop conf http net codec request store downstream route policy handler upstream site */
/* Defaults that come from the machine and the environment, and the top level as structs. */
#include "site/site.h"

#include "site/options.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void
counts_the_cpus_it_may_use(void **state)
{
	cpu_set_t all, one;
	unsigned before = workers_auto();

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	assert_in_range(before, 1, CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (int i = 0; CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(workers_auto(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(workers_auto(), before);
}

static void
finds_the_control_socket(void **state)
{
	char path[108], expected[108];

	setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
	control_path_default(path);
	assert_string_equal(path, "/run/one/control.sock");
	unsetenv("RUNTIME_DIRECTORY");
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	control_path_default(path);
	assert_string_equal(path, geteuid() == 0 ? "/run/reeve/control.sock" : "/run/user/7/reeve.sock");
	unsetenv("XDG_RUNTIME_DIR");
	control_path_default(path);
	snprintf(expected, sizeof(expected), "/tmp/reeve-%u.sock", (unsigned)geteuid());
	assert_string_equal(path, geteuid() == 0 ? "/run/reeve/control.sock" : expected);
}

static void
fills_in_what_is_not_said(void **state)
{
	struct conf_problems problems;
	const struct site_options *options;
	const struct listen_options *listen;
	struct site *site;

	setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
	conf_problems_init(&problems);
	site = site_build(conf_load_bytes("t.yaml", SPAN_OF("listen: [\":81\"]\nroutes: [{respond: x}]\n"),
	    &problems), NULL, &problems);
	assert_non_null(site);
	options = site_options(site);
	listen = options->listen.items;
	assert_int_equal(options->workers, WORKERS_AUTO);
	assert_true(span_is(options->state_dir, "/var/lib/a"));
	assert_true(options->control.len > 0);
	assert_int_equal(options->limits.header_timeout, 10000);
	assert_int_equal(options->limits.header_size, 32768);
	assert_int_equal(options->limits.keepalive_timeout, 75000);
	assert_int_equal(options->shutdown.grace, 25000);
	assert_int_equal(options->shutdown.idle, 2000);
	assert_int_equal(options->watchdog.timeout, 10000);
	assert_int_equal(options->log.level, LOG_INFO);
	assert_int_equal(options->log.sample, 100);
	assert_int_equal(options->log.redact.count, 5);
	assert_true(options->log.access);
	assert_int_equal(options->trusted_proxies.count, 0);
	assert_int_equal(options->listen.count, 1);
	assert_int_equal(listen->backlog, 4096);
	assert_false(listen->proxy_protocol || listen->reuse_port);
	assert_non_null(site_conf(site));
	site_unref(site);
	conf_problems_fini(&problems);
	unsetenv("STATE_DIRECTORY");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_the_cpus_it_may_use),
		cmocka_unit_test(finds_the_control_socket),
		cmocka_unit_test(fills_in_what_is_not_said),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
