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

/* 0: it went on; else the status. */
static unsigned
ask(const struct policy_type *type, const char *yaml, const char *client)
{
	void *policy = fixture_policy(&fixture, yaml, type);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	unsigned status;

	assert_non_null(policy);
	request->client_address = (struct address){ 0 };
	if (client)
		assert_true(address_parse_host(span_text(client), 1, &request->client_address));
	if (type->on_request(policy, request) == STAGE_NEXT) {
		assert_int_equal(fake.starts, 0);
		status = 0;
	} else {
		assert_int_equal(fake.finishes, 1);
		status = request->response.status;
	}
	fake_end(&fake);
	return status;
}

static void
allow_lets_in_only_its_networks(void **state)
{
	static const char yaml[] = "allow: [10.0.0.0/8, 2001:db8::/32]\n";

	(void)state;
	assert_int_equal(ask(&policy_allow, yaml, "10.1.2.3"), 0);
	assert_int_equal(ask(&policy_allow, yaml, "2001:db8::1"), 0);
	assert_int_equal(ask(&policy_allow, yaml, "11.1.2.3"), 403);
	assert_int_equal(ask(&policy_allow, yaml, "2001:db9::1"), 403);
}

static void
deny_refuses_its_networks(void **state)
{
	(void)state;
	assert_int_equal(ask(&policy_deny, "deny: 10.0.0.0/8\n", "10.1.2.3"), 403);
	assert_int_equal(ask(&policy_deny, "deny: 10.0.0.0/8\n", "11.1.2.3"), 0);
}

static void
an_unknown_address_is_in_no_network(void **state)
{
	(void)state;
	assert_int_equal(ask(&policy_allow, "allow: [0.0.0.0/0, '::/0']\n", NULL), 403);
	assert_int_equal(ask(&policy_deny, "deny: [0.0.0.0/0, '::/0']\n", NULL), 0);
}

static void
what_is_no_network_is_refused(void **state)
{
	(void)state;
	fixture_refuses(&fixture, fixture_policy(&fixture, "allow: [10.0.0.0/33]\n", &policy_allow), "network");
	fixture_refuses(&fixture, fixture_policy(&fixture, "deny: [example.com]\n", &policy_deny), "network");
}

static void
deny_comes_before_allow(void **state)
{
	size_t deny = 0, allow = 0;

	(void)state;
	for (size_t i = 0; policies[i]; i++) {
		deny = policies[i] == &policy_deny ? i : deny;
		allow = policies[i] == &policy_allow ? i : allow;
	}
	assert_true(deny < allow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allow_lets_in_only_its_networks),
		cmocka_unit_test(deny_refuses_its_networks),
		cmocka_unit_test(an_unknown_address_is_in_no_network),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(deny_comes_before_allow),
	};

	return cmocka_run_group_tests_name("policy/access", tests, set_up, tear_down);
}
