/* rooms: base loop conf http net codec request store upstream */
#include "rig.h"

static struct rig rig;
static struct fake_server server;

static void
say_ok(struct fake_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	fake_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static int
open_rig(void **state)
{
	rig_init(&rig);
	fake_server_open(&server, &rig, say_ok);
	return 0;
}

static int
close_rig(void **state)
{
	fake_server_close(&server);
	rig_fini(&rig);
	return 0;
}

static struct upstream *
upstream_with(const char *format, unsigned port)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml), format, port);
	return rig_upstream(&rig, yaml);
}

/* The first request comes before the name is known, and waits for it. */
static void
test_a_name(void **state)
{
	struct upstream *upstream = upstream_with("  api: {servers: [\"http://localhost:%u/base/\"]}", server.port);
	struct fake_client client;

	assert_int_equal(upstream->peer_count, 0);
	assert_true(upstream->servers[0].is_name);
	assert_true(span_starts_with(upstream->servers[0].authority, SPAN_OF("localhost:")));
	client_begin(&client, "GET", "/a", NULL);
	client_send(&client, upstream);
	assert_false(client_is_over(&client));
	assert_true(rig_run_until(&rig, client_is_over, &client, 3000));
	assert_int_equal(client.request.response.status, 200);
	assert_true(span_starts_with(text_span(&server.last), SPAN_OF("GET /base/a HTTP/1.1\r\n")));
	assert_true(upstream->peer_count >= 1);
	client_end(&client);
}

static void
test_a_name_that_is_none(void **state)
{
	struct upstream *upstream = upstream_with("  api: {servers: [\"http://nowhere.invalid:%u\"]}", server.port);
	struct fake_client client;

	client_begin(&client, "GET", "/a", NULL);
	client_send(&client, upstream);
	assert_true(rig_run_until(&rig, client_is_over, &client, 1000));
	assert_int_equal(client.request.response.status, 503);
	assert_string_equal(client.request.why, "no server's name has an address");
	assert_string_not_equal(client_value(&client, "Retry-After"), "");
	client_end(&client);
	client_begin(&client, "GET", "/a", NULL);
	client_send(&client, upstream);	/* at once: the answer is known */
	assert_int_equal(client.request.response.status, 503);
	client_end(&client);
}

static bool
is_answered(void *owner)
{
	struct upstream *upstream = owner;

	return upstream->servers[0].is_answered && upstream->servers[0].query == NULL;
}

/* What an earlier site knew is used at once; addresses that are gone go, those that stay keep their state. */
static void
test_a_reload_starts_with_what_is_known(void **state)
{
	struct address known[2];
	struct upstream *upstream;
	struct peer *staying;

	assert_true(address_parse_host(SPAN_OF("127.0.0.1"), (uint16_t)server.port, &known[0]));
	assert_true(address_parse_host(SPAN_OF("127.0.0.9"), (uint16_t)server.port, &known[1]));
	world_name_keep(rig.world, SPAN_OF("localhost"), (uint16_t)server.port, known, 2);
	upstream = upstream_with("  api: {servers: [\"http://localhost:%u\"]}", server.port);
	assert_int_equal(upstream->peer_count, 2);
	staying = upstream->peers[0];
	staying->failures = 3;
	assert_true(rig_run_until(&rig, is_answered, upstream, 3000));
	for (size_t i = 0; i < upstream->peer_count; i++)
		assert_string_not_equal(upstream->peers[i]->name.at, upstream_why_none(upstream));
	assert_ptr_equal(upstream->peers[0], staying);
	assert_int_equal(staying->failures, 3);
	for (size_t i = 0; i < upstream->peer_count; i++)
		assert_false(address_equal(&upstream->peers[i]->agent->address.address, &known[1]));
}

/* An address that goes away under a request does not take the request with it. */
static void
test_an_address_that_goes_away(void **state)
{
	struct upstream *upstream = upstream_with("  api: {servers: [\"http://127.0.0.1:%u\"]}", server.port);
	struct fake_client client;

	server.answer = NULL;
	client_begin(&client, "GET", "/a", NULL);
	client_send(&client, upstream);
	rig_run_for(&rig, 30);
	upstream_remove_peer(upstream, 0);
	fake_say(&server.conns[0], "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno");
	assert_true(rig_run_until(&rig, client_is_over, &client, 1000));
	assert_int_equal(client.request.response.status, 503);	/* to be tried again, but nobody is left */
	rig_run_for(&rig, 20);
	assert_int_equal(fake_server_open_conns(&server), 0);
	client_end(&client);
}

/* "localhost" is ::1 and 127.0.0.1, the server listens on one: no retry is spent on that. */
static void
test_another_address_of_the_name(void **state)
{
	struct upstream *upstream = upstream_with(
	    "  api: {servers: [\"http://localhost:%u\"], retry: {attempts: 0}, eject: {failures: 0}}", server.port);
	struct agent_address dead = { .path = "" };

	assert_true(rig_run_until(&rig, is_answered, upstream, 3000));
	assert_true(address_parse_host(SPAN_OF("127.0.0.9"), (uint16_t)server.port, &dead.address));
	upstream_add_peer(upstream, peer_create(upstream, &upstream->servers[0], &dead));
	for (int i = 0; i < 6; i++) {
		struct fake_client client;

		client_begin(&client, i % 2 ? "POST" : "GET", "/a", i % 2 ? "x" : NULL);
		client_send(&client, upstream);
		assert_true(rig_run_until(&rig, client_is_over, &client, 1000));
		assert_int_equal(client.request.response.status, 200);
		assert_int_equal(client.request.retries, 0);
		client_end(&client);
	}
}

static void
test_unix_socket(void **state)
{
	struct upstream *upstream = upstream_with("  api: {servers: [\"unix:/nonexistent/app.sock\"], retry: 0}", 0);
	struct fake_client client;

	assert_string_equal(upstream->peers[0]->name.at, "unix:/nonexistent/app.sock");
	assert_true(span_is(upstream->servers[0].authority, "localhost"));
	client_begin(&client, "GET", "/a", NULL);
	client_send(&client, upstream);
	assert_int_equal(client.request.response.status, 502);
	client_end(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_name),
		TEST(test_a_name_that_is_none),
		TEST(test_a_reload_starts_with_what_is_known),
		TEST(test_an_address_that_goes_away),
		TEST(test_another_address_of_the_name),
		TEST(test_unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
