/* rooms: base loop conf ipc http net codec request store route upstream handler */
#include "handler/handlers.h"

#include "../stage_fixture.h"

static struct stage_fixture fixture;
static uint64_t stopping;

static int
set_up(void **state)
{
	(void)state;
	field_names_init();
	fixture_init(&fixture);
	fixture.builder.stopping = &stopping;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_fini(&fixture);
	return 0;
}

static unsigned
ask(const char *yaml, const char *method, const char *content)
{
	void *health = fixture_handler(&fixture, yaml, &handler_health);
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, method, "/health");
	unsigned status;

	assert_non_null(health);
	handler_health.start(health, request);
	status = request->response.status;
	assert_string_equal(fake_content(&fake), content);
	if (status != 405) {
		assert_string_equal(fake_value(&fake, "Cache-Control"), "no-store");
		assert_string_equal(fake_value(&fake, "Content-Type"), "application/json");
	} else {
		assert_string_equal(fake_value(&fake, "Allow"), "GET, HEAD");
	}
	fake_end(&fake);
	return status;
}

static void
ready_ends_with_the_stop_signal_and_live_does_not(void **state)
{
	(void)state;
	stopping = 0;
	assert_int_equal(ask("health: live\n", "GET", "{\"status\":\"ok\"}\n"), 200);
	assert_int_equal(ask("health: ready\n", "GET", "{\"status\":\"ok\"}\n"), 200);
	assert_int_equal(ask("health: ready\n", "HEAD", ""), 200);
	stopping = 1;
	assert_int_equal(ask("health: live\n", "GET", "{\"status\":\"ok\"}\n"), 200);
	assert_int_equal(ask("health: ready\n", "GET", "{\"status\":\"stopping\"}\n"), 503);
	stopping = 0;
}

static void
only_reading_methods_are_answered(void **state)
{
	(void)state;
	assert_int_equal(ask("health: live\n", "POST", ""), 405);
}

static void
other_probes_are_refused(void **state)
{
	(void)state;
	fixture_refuses(&fixture, fixture_handler(&fixture, "health: alive\n", &handler_health), "health: ");
	fixture_refuses(&fixture, fixture_handler(&fixture, "health: {}\n", &handler_health), "probe: ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_ends_with_the_stop_signal_and_live_does_not),
		cmocka_unit_test(only_reading_methods_are_answered),
		cmocka_unit_test(other_probes_are_refused),
	};

	return cmocka_run_group_tests_name("handler/health", tests, set_up, tear_down);
}
