/* rooms: base loop conf http net codec request store upstream */
#include "rig.h"

static struct rig rig;

static int
open_rig(void **state)
{
	rig_init(&rig);
	return 0;
}

static int
close_rig(void **state)
{
	rig_fini(&rig);
	return 0;
}

static bool
is_available(const struct peer *peer)
{
	return peer_is_available(peer, loop_now_ms(rig.loop));
}

static void
fail_times(struct peer *peer, int times)
{
	while (times-- > 0)
		peer_failed(peer, peer_begin(peer), "test");
}

static void
test_breaker(void **state)
{
	struct upstream *upstream = rig_upstream(&rig,
	    "  api: {servers: [\"http://127.0.0.1:1\"], eject: {failures: 3, within: 10s, for: 100ms}}");
	struct peer *peer = upstream->peers[0];
	bool is_trial;

	assert_string_equal(peer->name.at, "127.0.0.1:1");
	fail_times(peer, 2);
	assert_true(is_available(peer));
	fail_times(peer, 1);
	assert_int_equal(peer->breaker, BREAKER_OPEN);
	assert_false(is_available(peer));
	rig_run_for(&rig, 110);
	assert_true(is_available(peer));
	is_trial = peer_begin(peer);
	assert_true(is_trial);
	assert_false(is_available(peer));	/* one tries, the others go elsewhere */
	assert_false(peer_begin(peer));
	peer_failed(peer, is_trial, "test");
	assert_int_equal(peer->breaker, BREAKER_OPEN);
	assert_false(is_available(peer));
	rig_run_for(&rig, 110);
	is_trial = peer_begin(peer);
	peer_let_go(peer, is_trial);	/* the client went away: that says nothing */
	assert_true(is_available(peer));
	is_trial = peer_begin(peer);
	peer_succeeded(peer, is_trial);
	assert_int_equal(peer->breaker, BREAKER_CLOSED);
	assert_true(peer->ramp_from_ms != 0);
	fail_times(peer, 2);
	assert_true(is_available(peer));
}

/* Late answers of requests that were under way when it was ejected move nothing. */
static void
test_late_answers(void **state)
{
	struct upstream *upstream = rig_upstream(&rig,
	    "  api: {servers: [\"http://127.0.0.1:1\"], eject: {failures: 1, within: 10s, for: 100ms}}");
	struct peer *peer = upstream->peers[0];
	uint64_t until_ms;

	fail_times(peer, 1);
	until_ms = peer->open_until_ms;
	peer_failed(peer, false, "late");
	peer_succeeded(peer, false);
	assert_int_equal(peer->breaker, BREAKER_OPEN);
	assert_int_equal(peer->open_until_ms, until_ms);
}

static void
test_failures_within(void **state)
{
	struct upstream *upstream = rig_upstream(&rig,
	    "  api: {servers: [\"http://127.0.0.1:1\"], eject: {failures: 3, within: 100ms, for: 10s}}");
	struct peer *peer = upstream->peers[0];

	for (int i = 0; i < 4; i++) {
		fail_times(peer, 2);
		rig_run_for(&rig, 110);
	}
	assert_int_equal(peer->breaker, BREAKER_CLOSED);
	fail_times(peer, 3);
	assert_int_equal(peer->breaker, BREAKER_OPEN);
}

/* A few failures among many successes are no reason. */
static void
test_half_of_all(void **state)
{
	struct upstream *upstream = rig_upstream(&rig,
	    "  api: {servers: [\"http://127.0.0.1:1\"], eject: {failures: 3, within: 10s, for: 10s}}");
	struct peer *peer = upstream->peers[0];

	fail_times(peer, 1);
	for (int i = 0; i < 10; i++)
		peer_succeeded(peer, false);
	fail_times(peer, 8);
	assert_int_equal(peer->breaker, BREAKER_CLOSED);
	fail_times(peer, 1);
	assert_int_equal(peer->breaker, BREAKER_OPEN);
}

static void
test_the_last_one_stays(void **state)
{
	struct upstream *upstream = rig_upstream(&rig, "  api: {servers: [\"http://127.0.0.1:1\", "
	    "\"http://127.0.0.1:2\"]}");

	fail_times(upstream->peers[0], 100);
	assert_int_equal(upstream->peers[0]->breaker, BREAKER_OPEN);
	fail_times(upstream->peers[1], 100);
	assert_int_equal(upstream->peers[1]->breaker, BREAKER_CLOSED);
}

static void
test_never(void **state)
{
	struct upstream *upstream = rig_upstream(&rig,
	    "  api: {servers: [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"], eject: {failures: 0}}");

	fail_times(upstream->peers[0], 1000);
	assert_int_equal(upstream->peers[0]->breaker, BREAKER_CLOSED);
}

/* The board's word, and a reload that keeps what a peer went through. */
static void
test_board_and_reload(void **state)
{
	static const char yaml[] =
	    "  api: {servers: [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"], health: /h, eject: {failures: 2, for: "
	    "10s}}";
	static const struct tried nobody = { .count = 0 };
	struct upstream *upstream = rig_upstream(&rig, yaml);
	struct rig before;
	struct peer *peer;

	fail_times(upstream->peers[0], 2);
	before = rig;
	rig_load(&rig, yaml);
	assert_int_equal(upstreams_at(rig.upstreams, 0)->peers[0]->breaker, BREAKER_CLOSED);
	upstreams_start(rig.upstreams);
	rig_unload(&before);
	upstream = upstreams_at(rig.upstreams, 0);
	assert_int_equal(upstream->peers[0]->breaker, BREAKER_OPEN);
	assert_int_equal(upstream_choose(upstream, &nobody, 0, &peer), CHOOSE_PEER);
	assert_ptr_equal(peer, upstream->peers[1]);
	board_set(rig.board, upstream->peers[1]->key, SPAN_OF("api"), upstream->peers[1]->name, BOARD_DOWN,
	    SPAN_OF("x"), 1);
	assert_int_equal(upstream_choose(upstream, &nobody, 0, &peer), CHOOSE_NONE);
	assert_string_equal(upstream_why_none(upstream), "every server is down or ejected");
	assert_in_range(upstream_retry_after(upstream), 5, 10);
	board_set(rig.board, upstream->peers[1]->key, SPAN_OF("api"), upstream->peers[1]->name, BOARD_UP, SPAN_OF("x"),
	    1);
	assert_int_equal(upstream_choose(upstream, &nobody, 0, &peer), CHOOSE_PEER);
	assert_true(peer->ramp_from_ms != 0);
}

/* Without checks of its own an upstream does not listen to the board. */
static void
test_unchecked(void **state)
{
	struct upstream *upstream = rig_upstream(&rig, "  api: {servers: [\"http://127.0.0.1:1\"]}");
	static const struct tried nobody = { .count = 0 };
	struct peer *peer = upstream->peers[0];

	board_set(rig.board, peer->key, SPAN_OF("api"), peer->name, BOARD_DOWN, SPAN_OF("x"), 1);
	assert_int_equal(upstream_choose(upstream, &nobody, 0, &peer), CHOOSE_PEER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_breaker),
		TEST(test_late_answers),
		TEST(test_failures_within),
		TEST(test_half_of_all),
		TEST(test_the_last_one_stays),
		TEST(test_never),
		TEST(test_board_and_reload),
		TEST(test_unchecked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
