/* rooms: base loop conf http request route policy */
#include "policy/policies.h"

#include "base/clock.h"

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

static uint64_t
hex_number(const char *from, size_t count)
{
	uint64_t number = 0;

	for (size_t i = 0; i < count; i++) {
		const char *digit = strchr("0123456789abcdef", from[i]);

		assert_non_null(digit);
		number = number << 4 | (uint64_t)(digit - "0123456789abcdef");
	}
	return number;
}

static void
made_ids_are_uuid_v7(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_request_id);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	uint64_t before_ms = clock_wall_ms(), made_ms;
	const char *id;

	(void)state;
	assert_int_equal(policy_request_id.on_request(policy, request), STAGE_NEXT);
	assert_int_equal(request->request_id.len, 36);
	id = request->request_id.at;
	assert_true(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
	assert_int_equal(id[14], '7');
	assert_non_null(strchr("89ab", id[19]));
	made_ms = hex_number(id, 8) << 16 | hex_number(id + 9, 4);
	assert_in_range(made_ms, before_ms, clock_wall_ms());
	hex_number(id + 15, 3);
	hex_number(id + 20, 3);
	hex_number(id + 24, 12);

	policy_request_id.on_response(policy, request);
	assert_memory_equal(fake_value(&fake, "X-Request-Id"), id, 36);
	fake_end(&fake);
}

static void
no_two_ids_are_alike(void **state)
{
	void *policy = fixture_policy(&fixture, "request_id: true\n", &policy_request_id);
	struct span first = { NULL, 0 };
	struct fake_exchange one, other;

	(void)state;
	policy_request_id.on_request(policy, fake_begin(&one, "GET", "/"));
	policy_request_id.on_request(policy, fake_begin(&other, "GET", "/"));
	first = one.request.request_id;
	assert_false(span_equal(first, other.request.request_id));
	fake_end(&one);
	fake_end(&other);
}

static void
only_a_trusted_peer_may_name_a_request(void **state)
{
	static char longest[130];
	static const struct {
		const char	*id;
		bool		 is_trusted;
		bool		 is_taken;
	} cases[] = {
		{ "abc.DEF_1-2", true, true },
		{ "abc", false, false },
		{ "", true, false },
		{ "a b", true, false },
		{ "a~b", true, false },
		{ "a\"b", true, false },
		{ longest, true, true },	/* 128 */
		{ longest + 129, true, false },	/* empty */
	};
	void *policy = fixture_policy(&fixture, NULL, &policy_request_id);

	(void)state;
	memset(longest, 'a', 128);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_exchange fake;
		struct request *request = fake_begin(&fake, "GET", "/");

		fake.client.is_trusted = cases[i].is_trusted;
		fake_field(&fake, "x-request-id", cases[i].id);
		policy_request_id.on_request(policy, request);
		assert_int_equal(span_is(request->request_id, cases[i].id), cases[i].is_taken);
		assert_true(request->request_id.len > 0);
		fake_end(&fake);
	}
}

static void
an_id_of_129_bytes_is_replaced(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_request_id);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	char id[130] = { 0 };

	(void)state;
	memset(id, 'a', 129);
	fake.client.is_trusted = true;
	fake_field(&fake, "X-Request-Id", id);
	policy_request_id.on_request(policy, request);
	assert_int_equal(request->request_id.len, 36);
	fake_end(&fake);
}

static void
ours_replaces_an_upstreams(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_request_id);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");

	(void)state;
	policy_request_id.on_request(policy, request);
	fields_add_named(&request->response.fields, SPAN_OF("x-request-id"), SPAN_OF("theirs"));
	policy_request_id.on_response(policy, request);
	assert_int_equal(request->response.fields.count, 1);
	assert_string_equal(fake_value(&fake, "X-Request-Id"), arena_text(&fake.arena, request->request_id));
	fake_end(&fake);
}

static void
a_request_refused_before_its_route_gets_one_on_its_way_back(void **state)
{
	void *policy = fixture_policy(&fixture, NULL, &policy_request_id);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");

	(void)state;
	policy_request_id.on_response(policy, request);
	assert_int_equal(request->request_id.len, 36);
	fake_end(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_ids_are_uuid_v7),
		cmocka_unit_test(no_two_ids_are_alike),
		cmocka_unit_test(only_a_trusted_peer_may_name_a_request),
		cmocka_unit_test(an_id_of_129_bytes_is_replaced),
		cmocka_unit_test(ours_replaces_an_upstreams),
		cmocka_unit_test(a_request_refused_before_its_route_gets_one_on_its_way_back),
	};

	return cmocka_run_group_tests_name("policy/request_id", tests, set_up, tear_down);
}
