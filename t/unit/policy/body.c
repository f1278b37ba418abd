/* rooms: base loop conf http request route policy */
#include "policy/policies.h"

#include "request/response.h"
#include "route/route.h"

#include "../stage_fixture.h"

static struct stage_fixture fixture;

static int
set_up(void **state)
{
	(void)state;
	field_names_init();
	fixture_init(&fixture);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_fini(&fixture);
	return 0;
}

static void
limits_are_set_for_the_transport(void **state)
{
	void *policy = fixture_policy(&fixture, "body: {max_size: 2K, timeout: 3s}\n", &policy_body);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "POST", "/");

	(void)state;
	assert_int_equal(policy_body.on_request(policy, request), STAGE_NEXT);
	assert_int_equal(request->body_max, 2048);
	assert_int_equal(request->body_timeout_ms, 3000);
	fake_end(&fake);
}

static void
defaults_leave_the_timeout_to_the_listener(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_body);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "POST", "/");

	(void)state;
	assert_true(policy_body.always);
	assert_int_equal(policy_body.on_request(policy, request), STAGE_NEXT);
	assert_int_equal(request->body_max, 1024 * 1024);
	assert_int_equal(request->body_timeout_ms, 0);
	fake_end(&fake);
}

static void
a_length_that_is_too_long_is_refused_at_once(void **state)
{
	void *policy = fixture_policy(&fixture, "body: {max_size: 10}\n", &policy_body);

	(void)state;
	for (uint64_t length = 10; length <= 11; length++) {
		struct fake_exchange fake;
		struct request *request = fake_begin(&fake, "POST", "/");
		bool fits = length <= 10;

		request->has_body = request->has_length = true;
		request->content_length = length;
		assert_int_equal(policy_body.on_request(policy, request), fits ? STAGE_NEXT : STAGE_ANSWERED);
		assert_int_equal(request->response.status, fits ? 0 : 413);
		fake_end(&fake);
	}
}

/* -- kinds of content --------------------------------------------------------------------------------------------- */

/* 0: it went on. */
static unsigned
ask_typed(const void *policy, const char *type, bool has_body)
{
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "POST", "/");
	unsigned status;

	request->has_body = has_body;
	if (type)
		fake_field(&fake, "Content-Type", type);
	status = policy_body.on_request(policy, request) == STAGE_NEXT ? 0 : request->response.status;
	if (status == 415)
		assert_string_equal(fake_value(&fake, "Accept"), "application/json, text/*");
	fake_end(&fake);
	return status;
}

static void
only_listed_types_are_taken(void **state)
{
	void *policy = fixture_policy(&fixture, "body: {content_types: [application/json, 'text/*']}\n", &policy_body);

	(void)state;
	assert_int_equal(ask_typed(policy, "application/json", true), 0);
	assert_int_equal(ask_typed(policy, "Application/JSON; charset=utf-8", true), 0);
	assert_int_equal(ask_typed(policy, "text/plain", true), 0);
	assert_int_equal(ask_typed(policy, "application/jsonx", true), 415);
	assert_int_equal(ask_typed(policy, "textile/plain", true), 415);
	assert_int_equal(ask_typed(policy, "", true), 415);
	assert_int_equal(ask_typed(policy, NULL, true), 415);
	assert_int_equal(ask_typed(policy, NULL, false), 0);
}

/* -- content that is held ----------------------------------------------------------------------------------------- */

static struct text given;	/* what the handler got */
static unsigned handler_starts;
static unsigned handler_lasts;

static void
keep_body(struct request *request, struct span piece, bool last)
{
	(void)request;
	text_add(&given, piece);
	handler_lasts += last;
}

static void
ignore_gone(struct request *request)
{
	(void)request;
}

static void
taking_start(const void *handler, struct request *request)
{
	static const struct request_events events = { .on_body = keep_body, .on_gone = ignore_gone };

	(void)handler;
	handler_starts++;
	request_take(request, &events, NULL);
	request_want_body(request, true);
}

static const struct handler_type taking_handler = { .key = "taking", .start = taking_start };

/* Content in two pieces; the status, 0 when the handler got it. */
static unsigned
hold(const char *yaml, const char *first, const char *second)
{
	void *policy = fixture_policy(&fixture, yaml, &policy_body);
	struct route route = { .handler = &taking_handler };
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "POST", "/");
	unsigned status;

	text_clear(&given);
	handler_starts = handler_lasts = 0;
	request->route = &route;
	request->has_body = true;
	assert_int_equal(policy_body.on_request(policy, request), STAGE_WAITS);
	assert_true(fake.wants_body);
	request->events->on_body(request, span_text(first), false);
	assert_int_equal(handler_starts, 0);
	request->events->on_body(request, span_text(second), true);
	status = request->response.status;
	if (status == 0) {
		assert_int_equal(handler_starts, 1);
		assert_int_equal(handler_lasts, 1);
		assert_ptr_equal(request->transport, &fake_transport);
	}
	policy_body.on_end(policy, request);
	fake_end(&fake);
	return status;
}

static void
held_content_reaches_the_handler_whole(void **state)
{
	(void)state;
	assert_int_equal(hold("body: {buffer: true}\n", "any", "thing"), 0);
	assert_string_equal(given.bytes, "anything");
	assert_int_equal(hold("body: {json: valid}\n", "{\"a\":", "[1]}"), 0);
	assert_string_equal(given.bytes, "{\"a\":[1]}");
	text_fini(&given);
}

static void
content_that_is_no_json_never_reaches_it(void **state)
{
	static const char *const bad[] = { "{\"a\":", "{a: 1}", "[1,]", "{} {}", "\xff", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hold("body: {json: valid}\n", bad[i], ""), 400);
		assert_int_equal(handler_starts, 0);
	}
	text_fini(&given);
}

static void
json_is_asked_only_of_those_who_send_content(void **state)
{
	void *policy = fixture_policy(&fixture, "body: {json: valid}\n", &policy_body);

	(void)state;
	for (unsigned says_length = 0; says_length < 2; says_length++) {
		struct fake_exchange fake;
		struct request *request = fake_begin(&fake, says_length ? "POST" : "GET", "/");

		request->has_length = says_length;
		assert_int_equal(policy_body.on_request(policy, request), says_length ? STAGE_ANSWERED : STAGE_NEXT);
		assert_int_equal(request->response.status, says_length ? 400 : 0);
		policy_body.on_end(policy, request);
		fake_end(&fake);
	}
}

static void
a_client_that_leaves_while_it_sends_leaves_nothing(void **state)
{
	void *policy = fixture_policy(&fixture, "body: {buffer: true}\n", &policy_body);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "POST", "/");

	(void)state;
	request->has_body = true;
	policy_body.on_request(policy, request);
	request->events->on_body(request, SPAN_OF("some"), false);
	request->events->on_gone(request);
	policy_body.on_end(policy, request);
	fake_end(&fake);
}

static void
wrong_values_are_refused(void **state)
{
	static const struct {
		const char	*yaml;
		const char	*sentence;
	} cases[] = {
		{ "body: {json: yes}\n", "body.json: " },
		{ "body: {content_types: [json]}\n", "body.content_types: \"json\" is no media type" },
		{ "body: {max_size: 17M, buffer: true}\n", "at most 16M" },
		{ "body: {max_size: 17M, json: valid}\n", "at most 16M" },
		{ "body: {max_size: 0}\n", "max_size" },
		{ "body: {timeout: 5}\n", "timeout" },
		{ "body: {maxsize: 5}\n", "did you mean \"max_size\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fixture_refuses(&fixture, fixture_build(&fixture, cases[i].yaml, "body", policy_body.group,
		    policy_body.build), cases[i].sentence);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_set_for_the_transport),
		cmocka_unit_test(defaults_leave_the_timeout_to_the_listener),
		cmocka_unit_test(a_length_that_is_too_long_is_refused_at_once),
		cmocka_unit_test(only_listed_types_are_taken),
		cmocka_unit_test(held_content_reaches_the_handler_whole),
		cmocka_unit_test(content_that_is_no_json_never_reaches_it),
		cmocka_unit_test(json_is_asked_only_of_those_who_send_content),
		cmocka_unit_test(a_client_that_leaves_while_it_sends_leaves_nothing),
		cmocka_unit_test(wrong_values_are_refused),
	};

	return cmocka_run_group_tests_name("policy/body", tests, set_up, tear_down);
}
