/* rooms: base loop conf http net codec request store upstream */
#include "upstream/options.h"

#include "base/log.h"
#include "upstream/upstream.h"
#include "upstream/upstreams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct reading {
	struct conf		*conf;
	struct arena		 arena;
	struct conf_problems	 problems;
	struct option_reader	 reader;
	struct upstream_options	 options;
	struct text		 text;
	bool			 is_good;
};

static void
reading_begin(struct reading *reading, const char *yaml)
{
	memset(reading, 0, sizeof(*reading));
	field_names_init();
	arena_init(&reading->arena, 4096);
	conf_problems_init(&reading->problems);
	reading->conf = conf_load_bytes("t.yaml", span_text(yaml), &reading->problems);
	assert_non_null(reading->conf);
	option_reader_init(&reading->reader, reading->conf, &reading->arena, &reading->problems);
	reading->is_good = option_read(&reading->reader, &upstream_group, conf_root(reading->conf), &reading->options);
	conf_problems_format(&reading->problems, &reading->text);
}

static void
reading_end(struct reading *reading)
{
	text_fini(&reading->text);
	conf_problems_fini(&reading->problems);
	arena_fini(&reading->arena);
	conf_free(reading->conf);
}

static void
test_defaults(void **state)
{
	struct reading reading;
	struct upstream_options *options = &reading.options;
	const struct server_options *server;

	reading_begin(&reading, "servers: \"http://10.0.0.1\"\n");
	assert_true(reading.is_good);
	assert_int_equal(options->servers.count, 1);
	server = options->servers.items;
	assert_true(span_is(server->url.parsed.host, "10.0.0.1"));
	assert_int_equal(server->url.parsed.port, 80);
	assert_int_equal(server->weight, 1);
	assert_false(server->backup);
	assert_int_equal(options->resolve.interval, 10000);
	assert_int_equal(options->agent.max_sockets, 256);
	assert_int_equal(options->agent.max_free_sockets, 256);
	assert_int_equal(options->agent.idle_timeout, 50000);
	assert_int_equal(options->timeouts.connect, 2000);
	assert_int_equal(options->timeouts.response, 60000);
	assert_int_equal(options->queue.size, 1024);
	assert_int_equal(options->retry.attempts, 1);
	assert_int_equal(options->retry.on, RETRY_CONNECT | RETRY_RESET | RETRY_502 | RETRY_503 | RETRY_504);
	assert_int_equal(options->retry.budget, 20);
	assert_false(options->has_health);
	assert_int_equal(options->health.fall, 3);
	assert_false(options->has_eject);
	assert_int_equal(options->eject.failures, 5);
	assert_int_equal(options->eject.duration, 10000);
	assert_true(span_is(options->hash_key.text, "{client_ip}"));
	assert_int_equal(options->protocol, UPSTREAM_HTTP1);
	assert_true(options->tls.verify);
	assert_false(upstream_has_tls(options));
	reading_end(&reading);
}

static void
test_all_keys(void **state)
{
	struct reading reading;
	struct upstream_options *options = &reading.options;

	reading_begin(&reading,
	    "servers: [\"http://[::1]:81\", {url: \"unix:/a.sock\", weight: 2, backup: true}]\n"
	    "balance: hash\nhash_key: \"{header.x-user}\"\nprotocol: http/1.1\n"
	    "retry: {on: [timeout], non_idempotent: true}\n"
	    "health: {path: /h, status: [204, 300-399]}\neject: {failures: 1, within: 1s, for: 2s}\nslow_start: 5s\n");
	assert_true(reading.is_good);
	assert_true(((const struct server_options *)options->servers.items)[1].url.parsed.is_unix);
	assert_true(((const struct server_options *)options->servers.items)[1].backup);
	assert_int_equal(options->balance, BALANCE_HASH);
	assert_int_equal(options->retry.on, RETRY_TIMEOUT);
	assert_true(options->has_health && options->has_eject);
	assert_true(status_ranges_hold(&options->health.status, 204));
	assert_false(status_ranges_hold(&options->health.status, 200));
	assert_true(status_ranges_hold(&options->health.status, 399));
	assert_int_equal(options->eject.duration, 2000);
	reading_end(&reading);
}

static void
test_tls(void **state)
{
	struct reading reading;
	struct upstream_options *options = &reading.options;
	const struct server_options *servers;

	reading_begin(&reading,
	    "servers: [\"http://a\", \"https://b\", \"https://[::1]:8443/x\"]\nprotocol: h2\n"
	    "tls: {ca: /ca.pem, server_name: api.Example.com, cert: /c.pem, key: /k.pem}\n");
	assert_true(reading.is_good);
	assert_int_equal(reading.problems.warnings, 0);
	assert_true(upstream_has_tls(options));
	assert_int_equal(options->protocol, UPSTREAM_H2);
	assert_true(options->tls.verify);
	assert_true(span_is(options->tls.ca, "/ca.pem"));
	assert_true(span_is(options->tls.server_name, "api.Example.com"));
	assert_true(span_is(options->tls.cert, "/c.pem"));
	assert_true(span_is(options->tls.key, "/k.pem"));
	servers = options->servers.items;
	assert_false(servers[0].url.parsed.tls);
	assert_true(servers[1].url.parsed.tls);
	assert_int_equal(servers[1].url.parsed.port, 443);
	assert_true(span_is(servers[2].url.parsed.host, "::1"));
	assert_int_equal(servers[2].url.parsed.port, 8443);
	reading_end(&reading);
}

static const struct {
	const char	*yaml;
	const char	*problem;
} wrongs[] = {
	{ "balance: hash\n", "servers: required key is missing" },
	{ "servers: []\n", "servers: " },
	{ "servers: \"http://a\"\nserver: x\n", "server: unknown key (did you mean \"servers\"?)" },
	{ "servers: [\"http://a\", \"ftp://b\"]\n", "t.yaml:1:23: servers[1]: \"ftp://b\" is no server URL" },
	{ "servers: \"srv+http://a\"\n", "srv+http:// is not supported in this version" },
	{ "servers: [{weight: 2}]\n", "servers[0].url: required key is missing" },
	{ "servers: [{url: \"http://a\", weight: 0}]\n", "servers[0].weight: out of range" },
	{ "servers: \"srv+https://a\"\n", "srv+http:// is not supported in this version" },
	{ "servers: \"https://u:p@a\"\n", "a server URL takes no user and password" },
	{ "servers: \"http://a\"\nprotocol: h3\n", "protocol: expected one of http/1.1, h2; got \"h3\"" },
	{ "servers: \"http://a\"\ntls: {verify: true}\n",
	  "t.yaml:2:6: tls: warning: has no effect: no server's URL starts with https://" },
	{ "servers: \"https://a\"\ntls: {verify: false}\n",
	  "t.yaml:2:15: tls.verify: warning: the servers' certificates are not verified" },
	{ "servers: \"https://a\"\ntls: {verify: false, ca: x}\n",
	  "tls.ca: warning: has no effect with `verify: false`" },
	{ "servers: \"https://a\"\ntls: {cert: x}\n", "tls: `cert` without `key`" },
	{ "servers: \"https://a\"\ntls: {key: x}\n", "tls: `key` without `cert`" },
	{ "servers: \"https://a\"\ntls: {server_name: 127.0.0.1}\n", "tls.server_name: expected a host name such as" },
	{ "servers: \"https://a\"\ntls: {server_name: \"::1\"}\n", "tls.server_name: expected a host name such as" },
	{ "servers: \"https://a\"\ntls: {server_name: \"*.a.test\"}\n", "tls.server_name: expected a host name" },
	{ "servers: \"https://a\"\ntls: {server_name: \"a.test:443\"}\n", "tls.server_name: expected a host name" },
	{ "servers: \"https://a\"\ntls: {server_name: \"a.test.\"}\n", "tls.server_name: expected a host name" },
	{ "servers: \"https://a\"\ntls: {server_name: \".a\"}\n", "tls.server_name: expected a host name" },
	{ "servers: \"https://a\"\ntls: {name: a}\n", "tls.name: unknown key" },
	{ "servers: \"http://a\"\nbalance: fair\n", "balance: " },
	{ "servers: \"http://a\"\nhash_key: \"{nope}\"\nbalance: hash\n", "hash_key: unknown placeholder {nope}" },
	{ "servers: \"http://a\"\nhash_key: \"{path}\"\n", "warning: hash_key has no effect" },
	{ "servers: \"http://a\"\nretry: {on: [reset, 500]}\n", "retry.on[1]: expected connect, reset, timeout, 502" },
	{ "servers: \"http://a\"\nhealth: {interval: 1s}\n", "health.path: required key is missing" },
	{ "servers: \"http://a\"\nhealth: nope\n", "health: expected a path such as /health" },
	{ "servers: \"http://a\"\nhealth: \"/a b\"\n", "health: expected a path such as /health" },
	{ "servers: \"http://a\"\nhealth: {path: /h, status: 2xx}\n", "health.status: expected a status (200)" },
	{ "servers: \"http://a\"\nhealth: {path: /h, status: 299-200}\n", "health.status: expected a status (200)" },
	{ "servers: \"http://a\"\ntimeouts: {conect: 1s}\n", "timeouts.conect: unknown key (did you mean "
	    "\"connect\"?)" },
	{ "servers: \"http://a\"\nagent: {max_sockets: 0}\n", "agent.max_sockets: out of range" },
};

static void
test_wrongs(void **state)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct reading reading;
		bool is_warning = strstr(wrongs[i].problem, "warning: ") != NULL;

		reading_begin(&reading, wrongs[i].yaml);
		if (reading.text.bytes == NULL || strstr(reading.text.bytes, wrongs[i].problem) == NULL) {
			print_message("%s\n", reading.text.bytes ? reading.text.bytes : "nothing");
			fail_msg("not said: %s", wrongs[i].problem);
		}
		assert_int_equal(reading.is_good, is_warning);
		reading_end(&reading);
	}
}

static void
test_a_route_may_override(void **state)
{
	struct reading reading;
	struct upstream_timeouts timeouts = { 0 };

	reading_begin(&reading, "response: 3s\nidle: 0s\n");
	conf_problems_fini(&reading.problems);
	conf_problems_init(&reading.problems);
	assert_true(option_read(&reading.reader, &timeouts_override_group, conf_root(reading.conf), &timeouts));
	assert_false(timeouts.has_connect);
	assert_true(timeouts.has_response && timeouts.has_idle);
	assert_int_equal(timeouts.response, 3000);
	assert_int_equal(timeouts.idle, 0);
	reading_end(&reading);
}

/* `reeve check`: no worker's world. */
static void
test_checking_warns_of_names(void **state)
{
	static const struct option rows[] = {
		{ .key = "upstreams", .kind = OPTION_KIND_NAMED, .group = &upstream_group }, OPTION_END
	};
	static const struct option_group group = { .name = "site", .rows = rows, .size = sizeof(struct conf_records) };
	static const char yaml[] =
	    "upstreams:\n  one: {servers: [\"http://127.0.0.1:1\", \"http://no.invalid:1\"]}\n  two: {servers: "
	    "[\"unix:/a\"]}\n";
	struct conf_records declared = { NULL, 0 };
	struct upstreams *upstreams;
	struct reading reading;
	struct err err;

	reading_begin(&reading, yaml);
	conf_problems_fini(&reading.problems);
	conf_problems_init(&reading.problems);
	assert_true(option_read(&reading.reader, &group, conf_root(reading.conf), &declared));
	option_enter(&reading.reader, "upstreams");
	upstreams = upstreams_create(&reading.reader, &declared, NULL);
	option_leave(&reading.reader);
	text_clear(&reading.text);
	conf_problems_format(&reading.problems, &reading.text);
	assert_non_null(strstr(reading.text.bytes, "t.yaml:2:41: upstreams.one.servers: warning: no.invalid does not "
	    "resolve"));
	assert_int_equal(reading.problems.errors, 0);
	assert_int_equal(reading.problems.warnings, 1);
	assert_int_equal(upstreams_count(upstreams), 2);
	assert_string_equal(upstreams_name(upstreams, 1), "two");
	assert_null(upstreams_find(upstreams, SPAN_OF("three")));
	assert_non_null(upstreams_find(upstreams, SPAN_OF("two")));
	assert_false(upstreams_is_used(upstreams, 0));
	assert_true(upstreams_is_used(upstreams, 1));
	assert_non_null(upstreams_for_url(upstreams, SPAN_OF("http://127.0.0.1:3"), &err));
	assert_ptr_equal(upstreams_for_url(upstreams, SPAN_OF("http://127.0.0.1:3"), &err), upstreams_at(upstreams, 2));
	assert_null(upstreams_for_url(upstreams, SPAN_OF("srv+https://a.test"), &err));
	assert_string_equal(err.text, "srv+http:// is not supported in this version");
	assert_non_null(upstreams_for_url(upstreams, SPAN_OF("https://127.0.0.1:3"), &err));
	assert_non_null(upstreams_at(upstreams, 3)->tls);
	assert_int_equal(upstreams_count(upstreams), 2);
	assert_int_equal(upstreams_count_all(upstreams), 4);
	upstreams_free(upstreams);
	reading_end(&reading);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_wrongs),
		cmocka_unit_test(test_a_route_may_override),
		cmocka_unit_test(test_checking_warns_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
