/* rooms: base loop conf http request route policy */
#include "policy/policies.h"

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
	void		    *policy = fixture_policy(&fixture, "body: {max_size: 2K, timeout: 3s}\n", &policy_body);
	struct fake_exchange fake;
	struct request	    *request = fake_begin(&fake, "POST", "/");

	(void)state;
	assert_int_equal(policy_body.on_request(policy, request), STAGE_NEXT);
	assert_int_equal(request->body_max, 2048);
	assert_int_equal(request->body_timeout_ms, 3000);
	fake_end(&fake);
}

static void
defaults_leave_the_timeout_to_the_listener(void **state)
{
	void		    *policy = fixture_policy(&fixture, NULL, &policy_body);
	struct fake_exchange fake;
	struct request	    *request = fake_begin(&fake, "POST", "/");

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
		struct request	    *request = fake_begin(&fake, "POST", "/");
		bool		     fits = length <= 10;

		request->has_body = request->has_length = true;
		request->content_length = length;
		assert_int_equal(policy_body.on_request(policy, request), fits ? STAGE_NEXT : STAGE_ANSWERED);
		assert_int_equal(request->response.status, fits ? 0 : 413);
		fake_end(&fake);
	}
}

static void
wrong_values_and_later_keys_are_refused(void **state)
{
	static const struct {
		const char	*yaml;
		const char	*sentence;
	} cases[] = {
		{ "body: {buffer: true}\n", "body.buffer: not supported in this version" },
		{ "body: {json: valid}\n", "not supported" },
		{ "body: {content_types: [a/b]}\n", "not supported" },
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
		cmocka_unit_test(wrong_values_and_later_keys_are_refused),
	};

	return cmocka_run_group_tests_name("policy/body", tests, set_up, tear_down);
}
