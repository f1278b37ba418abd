/* rooms: base loop conf ipc http net codec request store route upstream handler */
#include "handler/handlers.h"

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
it_sends_where_the_template_says(void **state)
{
	void *redirect = fixture_handler(&fixture, "redirect: 'https://{host}{uri}'\n", &handler_redirect);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/a?b=c");

	(void)state;
	handler_redirect.start(redirect, request);
	assert_int_equal(request->response.status, 308);
	assert_string_equal(fake_value(&fake, "Location"), "https://example.com/a?b=c");
	assert_string_equal(fake_content(&fake), "308 Permanent Redirect\n");
	fake_end(&fake);
}

static void
the_status_can_be_chosen(void **state)
{
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, "GET", "/");
	void *redirect;

	(void)state;
	redirect = fixture_handler(&fixture, "redirect: {to: /x, status: 302}\n", &handler_redirect);
	handler_redirect.start(redirect, request);
	assert_int_equal(request->response.status, 302);
	fake_end(&fake);
}

/* expected NULL: 400. */
static void
what_clients_sent_is_made_safe(void **state)
{
	static const struct {
		const char	*template;
		const char	*target;
		const char	*expected;
	} cases[] = {
		{ "/new/{query.x}", "/?x=a%20b%C3%A4%22", "/new/a%20b%C3%A4%22" },
		{ "/new/{query.x}", "/?x=a%0d%0aSet-Cookie:b", NULL },
		{ "/new/{query.x}", "/?x=a%00", NULL },
		{ "/new?x={query.x}", "/?x=a%26b%3Dc%23d%2B%0d%0a", "/new?x=a%26b%3Dc%23d%2B%0D%0A" },
		{ "/new?x={query.x}", "/?x=a-b_c.d~", "/new?x=a-b_c.d~" },
		{ "/new?x={path}&{query}", "/a?b=c&d", "/new?x=/a&b=c&d" },
		{ "/{query.x}", "/?x=/evil.example", NULL },
		{ "/{query.x}", "/?x=%5Cevil.example", NULL },
		{ "{query.x}", "/", NULL },
		{ "//cdn.example/{query.x}", "/?x=a", "//cdn.example/a" },
		{ "https://{query.x}/y", "/", NULL },
		{ "/a:///b", "/", "/a:///b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char yaml[128];
		struct fake_exchange fake;
		struct request *request;
		void *redirect;

		snprintf(yaml, sizeof(yaml), "redirect: '%s'\n", cases[i].template);
		redirect = fixture_handler(&fixture, yaml, &handler_redirect);
		request = fake_begin(&fake, "GET", cases[i].target);
		handler_redirect.start(redirect, request);
		assert_int_equal(request->response.status, cases[i].expected ? 308 : 400);
		assert_string_equal(fake_value(&fake, "Location"), cases[i].expected ? cases[i].expected : "");
		fake_end(&fake);
	}
}

static void
wrong_configurations_are_refused(void **state)
{
	(void)state;
	fixture_refuses(&fixture, fixture_handler(&fixture, "redirect: ''\n", &handler_redirect), "where to");
	fixture_refuses(&fixture, fixture_handler(&fixture, "redirect: {status: 302}\n", &handler_redirect), "to: ");
	fixture_refuses(&fixture, fixture_handler(&fixture, "redirect: {to: /x, status: 200}\n", &handler_redirect),
	    "redirect.status");
	fixture_refuses(&fixture, fixture_handler(&fixture, "redirect: \"/a\\nb\"\n", &handler_redirect), "control");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_sends_where_the_template_says),
		cmocka_unit_test(the_status_can_be_chosen),
		cmocka_unit_test(what_clients_sent_is_made_safe),
		cmocka_unit_test(wrong_configurations_are_refused),
	};

	return cmocka_run_group_tests_name("handler/redirect", tests, set_up, tear_down);
}
