/* rooms: base loop conf http request route policy */
#include "policy/policies.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include "../stage_fixture.h"

static struct stage_fixture fixture;
static struct access_log_options options;
static struct text lines;
static unsigned line_count;
static enum log_level last_level;

static struct span redact_names[] = { SPAN("authorization"), SPAN("cookie"), SPAN("token") };

static void
keep_line(void *owner, enum log_level level, struct span line)
{
	(void)owner;
	text_clear(&lines);
	text_add(&lines, line);
	line_count++;
	last_level = level;
}

static int
set_up(void **state)
{
	(void)state;
	field_names_init();
	fixture_init(&fixture);
	options = (struct access_log_options){ .access = true, .redact = { redact_names, 3 }, .sample = 100 };
	fixture.builder.access_log = &options;
	log_to(keep_line, NULL);
	log_set_level(LOG_INFO);
	line_count = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	log_to(NULL, NULL);
	fixture_fini(&fixture);
	text_fini(&lines);
	return 0;
}

/* A member of the last line as raw JSON; "" when it has none. */
static const char *
member(struct fake_exchange *fake, const char *name)
{
	struct json_value record, value;

	assert_true(json_parse(text_span(&lines), &record));
	return json_get(record, name, &value) ? arena_text(&fake->arena, value.raw) : "";
}

static struct request *
answered(struct fake_exchange *fake, const char *target, unsigned status)
{
	struct request *request = fake_begin(fake, "GET", target);

	request->response.status = status;
	request->state = REQUEST_FINISHED;
	request->started_ms = clock_ms();
	return request;
}

static void
the_record_says_what_product_md_lists(void **state)
{
	struct fake_exchange fake;
	struct request *request;
	void *policy;

	(void)state;
	fixture.builder.route = SPAN_OF("/a/*");
	policy = fixture_policy(&fixture, NULL, &policy_log);
	request = answered(&fake, "/a/b?x=1", 200);
	fake_field(&fake, "User-Agent", "curl/\"8\"");
	request->request_id = SPAN_OF("id-1");
	request->bytes_in = 5;
	request->bytes_out = 13;
	assert_int_equal(policy_log.on_request(policy, request), STAGE_NEXT);
	request->routed_ns -= 2500000;
	policy_log.on_end(policy, request);

	assert_int_equal(line_count, 1);
	assert_string_equal(member(&fake, "level"), "\"info\"");
	assert_string_equal(member(&fake, "msg"), "\"request\"");
	assert_string_equal(member(&fake, "request_id"), "\"id-1\"");
	assert_string_equal(member(&fake, "client_ip"), "\"192.0.2.1\"");
	assert_string_equal(member(&fake, "method"), "\"GET\"");
	assert_string_equal(member(&fake, "host"), "\"example.com\"");
	assert_string_equal(member(&fake, "path"), "\"/a/b\"");
	assert_string_equal(member(&fake, "query"), "\"x=1\"");
	assert_string_equal(member(&fake, "status"), "200");
	assert_string_equal(member(&fake, "bytes_in"), "5");
	assert_string_equal(member(&fake, "bytes_out"), "13");
	assert_string_equal(member(&fake, "protocol"), "\"HTTP/1.1\"");
	assert_string_equal(member(&fake, "user_agent"), "\"curl/\\\"8\\\"\"");
	assert_string_equal(member(&fake, "route"), "\"/a/*\"");
	assert_string_equal(member(&fake, "upstream"), "");
	assert_string_equal(member(&fake, "error"), "");
	assert_true(strncmp(member(&fake, "duration_ms"), "2.", 2) == 0);
	fixture.builder.route = span_make(NULL, 0);
	fake_end(&fake);
}

static void
a_failed_try_is_told(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_log);
	struct fake_exchange fake;
	struct request *request = answered(&fake, "/", 502);

	(void)state;
	request->upstream = SPAN_OF("127.0.0.1:3000");
	request->upstream_ms = 7;
	request->retries = 2;
	request->why = "it closed the connection";
	policy_log.on_end(policy, request);
	assert_int_equal(last_level, LOG_ERROR);
	assert_string_equal(member(&fake, "level"), "\"error\"");
	assert_string_equal(member(&fake, "upstream"), "\"127.0.0.1:3000\"");
	assert_string_equal(member(&fake, "upstream_ms"), "7");
	assert_string_equal(member(&fake, "retries"), "2");
	assert_string_equal(member(&fake, "error"), "\"it closed the connection\"");
	assert_string_not_equal(member(&fake, "duration_ms"), "");
	fake_end(&fake);
}

static void
the_version_of_tls_is_told(void **state)
{
	static const struct client_tls tls = { .version = SPAN("TLSv1.3") };
	void *policy = fixture_policy(&fixture, NULL, &policy_log);
	struct fake_exchange fake;
	struct request *request = answered(&fake, "/", 200);

	(void)state;
	policy_log.on_end(policy, request);
	assert_null(strstr(lines.bytes, "\"tls\""));
	fake.client.tls = &tls;
	policy_log.on_end(policy, request);
	assert_string_equal(member(&fake, "tls"), "\"TLSv1.3\"");
	fake_end(&fake);
}

static void
a_client_that_left_is_told(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_log);
	struct fake_exchange fake;
	struct request *request = answered(&fake, "/", 0);

	(void)state;
	request->state = REQUEST_ABORTED;
	policy_log.on_end(policy, request);
	assert_string_equal(member(&fake, "status"), "499");
	assert_string_equal(member(&fake, "aborted"), "true");
	fake_end(&fake);
}

static void
secrets_never_appear(void **state)
{
	static const char yaml[] = "log:\n  fields:\n    auth: 'A {header.Authorization} B'\n"
				   "    jar: '{header.cookie}'\n"
				   "    sid: '{cookie.sid}'\n    tok: '{query.ToKeN}'\n    q: '{query}'\n"
				   "    u: '{uri}'\n"
				   "    ok: '{header.x-trace}/{{x}}'\n";
	void *policy = fixture_policy(&fixture, yaml, &policy_log);
	struct fake_exchange fake;
	struct request *request = answered(&fake, "/p?a=1&token=SECRET&%54oken=SECRET&token&tokens=ok", 200);

	(void)state;
	assert_non_null(policy);
	fake_field(&fake, "Authorization", "SECRET");
	fake_field(&fake, "Cookie", "sid=SECRET");
	fake_field(&fake, "X-Trace", "t1");
	policy_log.on_end(policy, request);
	assert_null(strstr(lines.bytes, "SECRET"));
	assert_string_equal(member(&fake, "query"),
	    "\"a=1&token=[redacted]&%54oken=[redacted]&token&tokens=ok\"");
	assert_string_equal(member(&fake, "auth"), "\"A [redacted] B\"");
	assert_string_equal(member(&fake, "jar"), "\"[redacted]\"");
	assert_string_equal(member(&fake, "sid"), "\"[redacted]\"");
	assert_string_equal(member(&fake, "tok"), "\"[redacted]\"");
	assert_string_equal(member(&fake, "q"), member(&fake, "query"));
	assert_string_equal(member(&fake, "u"), "\"/p?a=1&token=[redacted]&%54oken=[redacted]&token&tokens=ok\"");
	assert_string_equal(member(&fake, "ok"), "\"t1/{x}\"");
	assert_true(span_starts_with(request->query, SPAN_OF("a=1&token=SECRET")));
	fake_end(&fake);
}

static void
sampling_keeps_every_error(void **state)
{
	struct fake_exchange fake;
	struct request *request;
	void *policy;

	(void)state;
	options.sample = 0;
	policy = fixture_policy(&fixture, NULL, &policy_log);
	request = answered(&fake, "/", 200);
	policy_log.on_end(policy, request);
	assert_int_equal(line_count, 0);
	request->response.status = 500;
	policy_log.on_end(policy, request);
	assert_int_equal(line_count, 1);
	fake_end(&fake);

	options.sample = 50;
	policy = fixture_policy(&fixture, NULL, &policy_log);
	request = answered(&fake, "/", 200);
	line_count = 0;
	for (unsigned i = 0; i < 1000; i++)
		policy_log.on_end(policy, request);
	assert_in_range(line_count, 350, 650);
	fake_end(&fake);
	options.sample = 100;
}

static void
it_can_be_off(void **state)
{
	struct fake_exchange fake;
	struct request *request = answered(&fake, "/", 500);

	(void)state;
	policy_log.on_end(fixture_policy(&fixture, "log: {enabled: false}\n", &policy_log), request);
	options.access = false;
	policy_log.on_end(fixture_policy(&fixture, NULL, &policy_log), request);
	options.access = true;
	log_set_level(LOG_SILENT);
	policy_log.on_end(fixture_policy(&fixture, NULL, &policy_log), request);
	log_set_level(LOG_INFO);
	assert_int_equal(line_count, 0);
	fake_end(&fake);
}

static void
hostile_text_stays_one_valid_line(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_log);
	struct fake_exchange fake;
	struct request *request = answered(&fake, "/", 200);
	char *agent = arena_alloc(&fake.arena, 30000);

	(void)state;
	memset(agent, '\x01', 30000);
	fields_add(&request->fields, FIELD_USER_AGENT, span_make(agent, 30000));
	request->host = SPAN_OF("a\"\n\xff");
	policy_log.on_end(policy, request);
	assert_string_equal(member(&fake, "host"), "\"a\\\"\\n\xef\xbf\xbd\"");
	assert_null(strchr(lines.bytes, '\n'));
	assert_true(lines.len < 16384);
	fake_end(&fake);
}

static void
wrong_fields_are_refused(void **state)
{
	(void)state;
	fixture_refuses(&fixture, fixture_policy(&fixture, "log: {fields: {a: '{nonsense}'}}\n", &policy_log),
	    "log.fields.a: unknown placeholder");
	fixture_refuses(&fixture, fixture_policy(&fixture, "log: {fields: [a]}\n", &policy_log), "map of templates");
	fixture_refuses(&fixture, fixture_policy(&fixture, "log: {fields: {a: [b]}}\n", &policy_log), "log.fields.a: ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_record_says_what_product_md_lists, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failed_try_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_version_of_tls_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_client_that_left_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_never_appear, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sampling_keeps_every_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_can_be_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hostile_text_stays_one_valid_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_fields_are_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("policy/access_log", tests, NULL, NULL);
}
