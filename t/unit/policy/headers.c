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
fields_are_removed_set_and_added(void **state)
{
	static const char yaml[] = "headers:\n  set: {Server: mine, X-Id: '{query.id}'}\n  add: {Vary: Origin}\n"
				   "  remove: [X-Powered-By, X-Inner]\n";
	void *policy = fixture_policy(&fixture, yaml, &policy_headers);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/?id=7");
	struct fields *fields = &request->response.fields;

	(void)state;
	fields_add_named(fields, SPAN_OF("x-powered-by"), SPAN_OF("them"));
	fields_add_named(fields, SPAN_OF("X-INNER"), SPAN_OF("secret"));
	fields_add_named(fields, SPAN_OF("server"), SPAN_OF("theirs"));
	fields_add_named(fields, SPAN_OF("x-id"), SPAN_OF("1"));
	fields_add_named(fields, SPAN_OF("X-ID"), SPAN_OF("2"));
	fields_add(fields, FIELD_VARY, SPAN_OF("Accept"));
	policy_headers.on_response(policy, request);
	assert_string_equal(fake_value(&fake, "Server"), "mine");
	assert_string_equal(fake_value(&fake, "X-Id"), "7");
	assert_string_equal(fake_value(&fake, "X-Powered-By"), "");
	assert_string_equal(fake_value(&fake, "X-Inner"), "");
	assert_true(span_is(fields_joined(fields, FIELD_VARY, &fake.arena), "Accept, Origin"));
	assert_int_equal(fields->count, 4);
	fake_end(&fake);
}

static void
a_client_cannot_write_a_field_of_his_own(void **state)
{
	void *policy = fixture_policy(&fixture, "headers: {set: {X-Id: '{query.id}'}, add: {X-Two: '{query.id}'}}\n",
	    &policy_headers);
	static const char *const targets[] = { "/?id=a%0d%0aSet-Cookie:%20x=1", "/?id=a%00b", "/?id=", "/" };

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct fake_exchange fake;
		struct request *request = fake_begin(&fake, "GET", targets[i]);

		policy_headers.on_response(policy, request);
		assert_int_equal(request->response.fields.count, 0);
		fake_end(&fake);
	}
}

/* RFC 6797 §7.2: over https, be it ours or that of a proxy in front; never in the clear, whoever wrote it. */
static void
strict_transport_security_is_for_https(void **state)
{
	static const char *const forms[] = {
		"headers: {set: {Strict-Transport-Security: max-age=60}}\n",
		"headers: {add: {strict-transport-SECURITY: max-age=60}}\n",
	};

	(void)state;
	for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
		void *policy = fixture_policy(&fixture, forms[form], &policy_headers);

		for (int is_secure = 0; is_secure < 2; is_secure++) {
			struct fake_exchange fake;
			struct request *request = fake_begin(&fake, "GET", "/");

			request->scheme = is_secure ? SPAN_OF("https") : SPAN_OF("http");
			if (form == 0)
				fields_add_named(&request->response.fields, SPAN_OF("Strict-Transport-Security"),
				    SPAN_OF("max-age=1"));
			policy_headers.on_response(policy, request);
			assert_string_equal(fake_value(&fake, "Strict-Transport-Security"),
			    is_secure ? "max-age=60" : "");
			fake_end(&fake);
		}
	}
}

static void
framing_is_not_the_operators(void **state)
{
	static const char *const names[] = {
		"Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Date",
	};
	static const char *const forms[] = {
		"headers: {set: {%s: x}}\n", "headers: {add: {%s: x}}\n", "headers: {remove: [%s]}\n",
		"headers: {remove: %s}\n",
	};
	char yaml[128];

	(void)state;
	for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			const char *mark = strstr(forms[form], "%s");

			snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(mark - forms[form]), forms[form], names[i],
			    mark + 2);
			fixture_refuses(&fixture, fixture_policy(&fixture, yaml, &policy_headers),
			    "belongs to the connection");
		}
	}
	fixture_refuses(&fixture, fixture_policy(&fixture, "headers: {remove: ['a b']}\n", &policy_headers),
	    "no valid field name");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_removed_set_and_added),
		cmocka_unit_test(a_client_cannot_write_a_field_of_his_own),
		cmocka_unit_test(strict_transport_security_is_for_https),
		cmocka_unit_test(framing_is_not_the_operators),
	};

	return cmocka_run_group_tests_name("policy/headers", tests, set_up, tear_down);
}
