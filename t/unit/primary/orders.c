/* rooms: base loop conf ipc http net codec request store supervise downstream route policy handler upstream logger site worker control primary */
#include "primary/orders.h"

#include "site/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char full[] =
    "workers: 3\n"
    "pid_file: /run/x.pid\n"
    "control: /run/x.sock\n"
    "state_dir: /var/lib/x\n"
    "log: {level: warn, format: pretty, output: stdout}\n"
    "shutdown: {delay: 1s, grace: 2s, idle: 3s}\n"
    "watchdog: {timeout: 4s}\n"
    "listen:\n"
    "  - {address: ':8080', backlog: 17, reuse_port: true}\n"
    "  - {address: 'unix:/run/x.http'}\n"
    "routes: [{match: {path: /}, respond: x}]\n";

/* The packed orders of a configuration, or what is wrong with them in `lines`. */
static bool
orders_of(const char *yaml, struct text *packed, struct text *lines)
{
	struct conf_problems problems;
	struct conf *conf;
	struct site *site = NULL;
	bool is_made;

	conf_problems_init(&problems);
	conf = conf_load_bytes("test.yaml", span_text(yaml), &problems);
	if (conf != NULL)
		site = site_build(conf, NULL, &problems);
	is_made = site != NULL && orders_make(site, &problems, packed);
	conf_problems_format(&problems, lines);
	site_unref(site);
	conf_problems_fini(&problems);
	return is_made;
}

static void
test_round_trip(void **state)
{
	struct text packed = { 0 }, lines = { 0 };
	struct err err = { "" };
	struct orders *orders;
	char shown[128];

	if (!orders_of(full, &packed, &lines))
		fail_msg("%s", lines.bytes);
	orders = orders_unpack(text_span(&packed), &err);
	assert_non_null(orders);
	assert_int_equal(orders->workers, 3);
	assert_false(orders->has_identity);
	assert_int_equal(orders->listener_count, 2);
	endpoint_format(&orders->listeners[0].endpoint, shown);
	assert_string_equal(shown, ":8080");
	assert_int_equal(orders->listeners[0].backlog, 17);
	assert_true(orders->listeners[0].reuse_port);
	endpoint_format(&orders->listeners[1].endpoint, shown);
	assert_string_equal(shown, "unix:/run/x.http");
	assert_false(orders->listeners[1].reuse_port);
	assert_string_equal(orders->control, "/run/x.sock");
	assert_string_equal(orders->pid_file, "/run/x.pid");
	assert_string_equal(orders->state_dir, "/var/lib/x");
	assert_int_equal(orders->log_level, LOG_WARN);
	assert_int_equal(orders->log_form, LOG_FORM_PRETTY);
	assert_string_equal(orders->log_output, "stdout");
	assert_int_equal(orders->delay_ms, 1000);
	assert_int_equal(orders->grace_ms, 2000);
	assert_int_equal(orders->idle_ms, 3000);
	assert_int_equal(orders->watchdog_ms, 4000);
	orders_free(orders);
	orders_free(NULL);
	text_fini(&packed);
	text_fini(&lines);
}

static void
test_defaults(void **state)
{
	struct text packed = { 0 }, lines = { 0 };
	struct orders *orders;

	assert_true(orders_of("listen: [{address: ':1'}]\nroutes: [{respond: x}]\n", &packed, &lines));
	orders = orders_unpack(text_span(&packed), NULL);
	assert_non_null(orders);
	assert_true(orders->workers >= 1);
	assert_null(orders->pid_file);
	assert_non_null(orders->control);
	assert_non_null(orders->state_dir);
	assert_string_equal(orders->log_output, "stderr");
	orders_free(orders);
	text_fini(&packed);
	text_fini(&lines);
}

/* The trial child may die in the middle of a word. */
static void
test_damaged(void **state)
{
	struct text packed = { 0 }, lines = { 0 };

	assert_true(orders_of(full, &packed, &lines));
	for (size_t len = 0; len < packed.len; len++) {
		struct err err = { "" };

		assert_null(orders_unpack(span_make(packed.bytes, len), &err));
		assert_true(err.text[0] != '\0');
	}
	text_add_byte(&packed, 0);
	assert_null(orders_unpack(text_span(&packed), NULL));
	packed.len--;
	for (size_t i = 0; i < packed.len; i += 3) {	/* any damage: refused or read, never more than that */
		struct orders *orders;

		packed.bytes[i] ^= (char)0xff;
		orders = orders_unpack(text_span(&packed), NULL);
		orders_free(orders);
		packed.bytes[i] ^= (char)0xff;
	}
	text_fini(&packed);
	text_fini(&lines);
}

static void
test_refused(void **state)
{
	static const struct {
		const char	*yaml;
		const char	*says;
	} rows[] = {
		{ "user: nobody-of-this-name\nlisten: [{address: ':1'}]\nroutes: [{respond: x}]\n",
		  "test.yaml:1:7: user: there is no user \"nobody-of-this-name\"" },
		{ "listen: [{address: ':1'}]\ngroup: no-such-group\nroutes: [{respond: x}]\n",
		  "test.yaml:2:8: group: there is no group \"no-such-group\"" },
		{ "log: {output: /nowhere/at/all.log}\nlisten: [{address: ':1'}]\nroutes: [{respond: x}]\n",
		  "test.yaml:1:15: log.output: cannot open /nowhere/at/all.log: No such file" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text packed = { 0 }, lines = { 0 };

		assert_false(orders_of(rows[i].yaml, &packed, &lines));
		if (strstr(lines.bytes, rows[i].says) == NULL)
			fail_msg("%s", lines.bytes);
		text_fini(&packed);
		text_fini(&lines);
	}
}

static void
test_check(void **state)
{
	static const char yaml[] = "user: no-such-user\nlog: {output: /nowhere/x}\nlisten: [{address: ':1'}]\n"
					  "routes: [{respond: x}]\n";
	struct conf_problems problems;
	struct site *site;

	conf_problems_init(&problems);
	site = site_build(conf_load_bytes("test.yaml", span_text(yaml), &problems), NULL, &problems);
	assert_non_null(site);
	assert_false(orders_check(site, &problems));
	assert_int_equal(problems.errors, 1);	/* the log is not tried */
	site_unref(site);
	conf_problems_fini(&problems);
}

static void
test_identity(void **state)
{
	struct text packed = { 0 }, lines = { 0 };
	struct orders *orders;

	assert_true(orders_of("user: root\nlisten: [{address: ':1'}]\nroutes: [{respond: x}]\n", &packed, &lines));
	orders = orders_unpack(text_span(&packed), NULL);
	assert_non_null(orders);
	assert_int_equal(orders->has_identity, geteuid() == 0);
	assert_int_equal(orders->identity.uid, 0);
	assert_int_equal(orders->identity.gid, 0);
	assert_true(orders->identity.group_count >= 1);
	orders_free(orders);
	text_fini(&packed);
	text_fini(&lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
