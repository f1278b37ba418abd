/* rooms: base loop conf http net codec request store upstream */
#include "rig.h"

static struct rig rig;
static struct fake_server server;
static const char *answer;

static int
open_rig(void **state)
{
	rig_init(&rig);
	rig.slots->notice.prober = 0;
	fake_server_open(&server, &rig, NULL);
	return 0;
}

static int
close_rig(void **state)
{
	fake_server_close(&server);
	rig_fini(&rig);
	return 0;
}

static void
say_answer(struct fake_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	if (answer == NULL)
		return;
	fake_say(conn, answer);
	fake_close(conn);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BAD "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"

static struct upstream *
checked(const char *health)
{
	char yaml[512];

	snprintf(yaml, sizeof(yaml), "  api: {servers: [\"http://127.0.0.1:%u\"], health: {path: /h?x, %s}}",
	    server.port,
	    health);
	server.answer = say_answer;
	return rig_upstream(&rig, yaml);
}

static enum board_state
state_of(struct upstream *upstream)
{
	return board_get(rig.board, upstream->peers[0]->key);
}

static bool
is_up(void *owner)
{
	return state_of(owner) == BOARD_UP;
}

static bool
is_down(void *owner)
{
	return state_of(owner) == BOARD_DOWN;
}

static unsigned wanted_requests;

static bool
has_requests(void *owner)
{
	return server.requests >= wanted_requests;
}

static void
wait_requests(unsigned more)
{
	wanted_requests = server.requests + more;
	assert_true(rig_run_until(&rig, has_requests, NULL, 3000));
	rig_run_for(&rig, 20);
}

static void
test_the_first_probe_decides(void **state)
{
	struct upstream *upstream;

	answer = OK;
	upstream = checked("interval: 10s");
	assert_true(rig_run_until(&rig, is_up, upstream, 1000));
	assert_non_null(strstr(server.last.bytes, "GET /h?x HTTP/1.1\r\nHost: 127.0.0.1:"));
}

static void
test_rise_and_fall(void **state)
{
	struct upstream *upstream;

	answer = BAD;
	upstream = checked("interval: 100ms, rise: 3, fall: 2");
	assert_true(rig_run_until(&rig, is_down, upstream, 1000));
	assert_int_equal(server.requests, 1);
	answer = OK;
	wait_requests(2);
	assert_int_equal(state_of(upstream), BOARD_DOWN);
	wait_requests(1);
	assert_int_equal(state_of(upstream), BOARD_UP);
	answer = BAD;
	wait_requests(1);
	assert_int_equal(state_of(upstream), BOARD_UP);
	answer = OK;
	wait_requests(1);
	answer = BAD;
	wait_requests(1);
	assert_int_equal(state_of(upstream), BOARD_UP);	/* they have to be in a row */
	wait_requests(1);
	assert_int_equal(state_of(upstream), BOARD_DOWN);
}

static void
test_status_is_configured(void **state)
{
	struct upstream *upstream;

	answer = BAD;
	upstream = checked("interval: 10s, status: [204, 500-502]");
	assert_true(rig_run_until(&rig, is_up, upstream, 1000));
}

static void
test_bad_answers(void **state)
{
	static const char *const bad[] = { "nonsense\r\n\r\n", "", "HTTP/1.1 2", NULL };
	static const char *const reasons[] = { "a malformed status line", "without an answer", "without an answer",
	    "no answer in time" };

	for (int i = 0; i < 4; i++) {
		struct text report = { 0 };
		struct upstream *upstream;

		answer = bad[i];
		upstream = checked("interval: 10s, timeout: 50ms");
		assert_true(rig_run_until(&rig, is_down, upstream, 1000));
		board_report(rig.board, &report);
		assert_non_null(strstr(report.bytes, reasons[i]));
		text_fini(&report);
		rig_unload(&rig);
		board_sweep(rig.board, UINT64_MAX);
	}
}

static void
test_nobody_there(void **state)
{
	struct upstream *upstream;

	fake_server_stop(&server);
	upstream = checked("interval: 10s");
	assert_true(rig_run_until(&rig, is_down, upstream, 1000));
}

static void
test_only_the_prober_probes(void **state)
{
	struct upstream *upstream;

	answer = OK;
	rig.slots->notice.prober = 7;
	upstream = checked("interval: 100ms");
	rig_run_for(&rig, 150);
	assert_int_equal(server.requests, 0);
	rig.slots->notice.prober = 0;	/* the other one died */
	assert_true(rig_run_until(&rig, is_up, upstream, 1000));
}

/* Rows for all upstreams, and none for those that a reload took away. */
static void
test_rows(void **state)
{
	struct text report = { 0 };
	struct rig before;

	rig_upstream(&rig, "  old: {servers: [\"http://127.0.0.1:1\"]}");
	rig_run_for(&rig, 20);
	board_report(rig.board, &report);
	assert_non_null(strstr(report.bytes, "{\"upstream\":\"old\",\"server\":\"127.0.0.1:1\",\"state\":\"unknown\","
	    "\"reason\":\"not probed\""));
	before = rig;
	rig_upstream(&rig, "  new: {servers: [\"unix:/nonexistent/a.sock\"]}");
	rig_unload(&before);
	rig_run_for(&rig, 20);
	text_clear(&report);
	board_report(rig.board, &report);
	assert_null(strstr(report.bytes, "\"old\""));
	assert_non_null(strstr(report.bytes, "{\"upstream\":\"new\",\"server\":\"unix:/nonexistent/a.sock\""));
	text_fini(&report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_probe_decides),
		TEST(test_rise_and_fall),
		TEST(test_status_is_configured),
		TEST(test_bad_answers),
		TEST(test_nobody_there),
		TEST(test_only_the_prober_probes),
		TEST(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
