/* rooms: base loop conf http net codec request store upstream */
#include "upstream/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#include <cmocka.h>

enum { PEERS = 6, NOW_MS = 100000 };

/* Peers without sockets: agents are numbers here. */
struct table {
	struct peer	 peers[PEERS];
	struct agent	 agents[PEERS];
	struct peer	*list[PEERS];
	size_t		 count;
	struct balance	 balance;
	struct tried	 tried;
	unsigned	 got[PEERS];
};

static void
table_init(struct table *table, enum balance_kind kind, size_t count)
{
	memset(table, 0, sizeof(*table));
	table->count = count;
	table->balance.kind = kind;
	for (size_t i = 0; i < count; i++) {
		char name[32];
		struct peer *peer = &table->peers[i];

		snprintf(name, sizeof(name), "10.0.0.%zu:80", i);
		peer->number = (uint32_t)i + 1;
		peer->hash = hash_span(0, span_text(name));
		peer->weight = 1;
		peer->agent = &table->agents[i];
		table->agents[i].limits.max_sockets = 1000;
		table->list[i] = peer;
	}
}

static void
set_busy(struct table *table, size_t index, unsigned busy)
{
	table->agents[index].count = busy;
}

/* The index, -1: full, -2: none. */
static int
choose(struct table *table, uint64_t hash)
{
	struct peer *peer;

	switch (balance_choose(&table->balance, table->list, table->count, &table->tried, hash, NOW_MS, &peer)) {
	case CHOOSE_PEER:
		return (int)(peer - table->peers);
	case CHOOSE_FULL:
		assert_null(peer);
		return -1;
	case CHOOSE_NONE:
		break;
	}
	assert_null(peer);
	return -2;
}

static void
choose_many(struct table *table, unsigned count)
{
	memset(table->got, 0, sizeof(table->got));
	for (unsigned i = 0; i < count; i++) {
		int index = choose(table, random_number());

		assert_true(index >= 0);
		table->got[index]++;
	}
}

static void
test_round_robin_is_smooth(void **state)
{
	static const int order[] = { 0, 0, 1, 0, 2, 0, 0 };
	struct table table;

	table_init(&table, BALANCE_ROUND_ROBIN, 3);
	table.peers[0].weight = 5;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
			assert_int_equal(choose(&table, 0), order[i]);
	}
}

static void
test_least_requests(void **state)
{
	struct table table;

	table_init(&table, BALANCE_LEAST_REQUESTS, 3);
	set_busy(&table, 0, 3);
	set_busy(&table, 1, 1);
	set_busy(&table, 2, 2);
	assert_int_equal(choose(&table, 0), 1);
	table.peers[0].weight = 10;	/* 4/10 is less than 2/1 */
	assert_int_equal(choose(&table, 0), 0);
}

static void
test_free_sockets_are_not_busy(void **state)
{
	struct table table;

	table_init(&table, BALANCE_LEAST_REQUESTS, 2);
	set_busy(&table, 0, 5);
	table.agents[0].free_count = 5;
	set_busy(&table, 1, 1);
	assert_int_equal(choose(&table, 0), 0);
}

static void
test_ties_go_round(void **state)
{
	struct table table;

	table_init(&table, BALANCE_LEAST_REQUESTS, 3);
	choose_many(&table, 9);
	for (int i = 0; i < 3; i++)
		assert_int_equal(table.got[i], 3);
}

/* One of two fails and every request is tried again on the other: the failing one still gets only every second. */
static void
test_a_retry_takes_no_turn(void **state)
{
	struct table table;
	unsigned first = 0;

	table_init(&table, BALANCE_LEAST_REQUESTS, 2);
	for (int i = 0; i < 10; i++) {
		table.tried.count = 0;
		if (choose(&table, 0) != 0)
			continue;
		first++;
		tried_add(&table.tried, &table.peers[0]);
		assert_int_equal(choose(&table, 0), 1);
	}
	assert_int_equal(first, 5);
}

static void
test_random_two(void **state)
{
	struct table table;

	table_init(&table, BALANCE_RANDOM_TWO, 4);
	choose_many(&table, 4000);
	for (int i = 0; i < 4; i++)
		assert_in_range(table.got[i], 700, 1300);
	set_busy(&table, 0, 100);
	choose_many(&table, 1000);
	assert_int_equal(table.got[0], 0);	/* whoever it is compared with is less busy */
	table_init(&table, BALANCE_RANDOM_TWO, 1);
	assert_int_equal(choose(&table, 0), 0);
}

static void
test_random_two_by_weight(void **state)
{
	struct table table;

	table_init(&table, BALANCE_RANDOM_TWO, 3);
	table.peers[0].weight = 8;
	choose_many(&table, 4000);
	assert_true(table.got[0] > 2500);
	assert_true(table.got[1] > 50);
}

static void
test_hash_is_by_weight(void **state)
{
	struct table table;

	table_init(&table, BALANCE_HASH, 4);
	table.peers[3].weight = 3;
	choose_many(&table, 6000);
	for (int i = 0; i < 3; i++)
		assert_in_range(table.got[i], 800, 1200);
	assert_in_range(table.got[3], 2700, 3300);
}

/* Only the keys of the one that goes away move, and they spread. */
static void
test_hash_is_consistent(void **state)
{
	struct table table;
	int before[1000];
	unsigned moved[PEERS] = { 0 };

	table_init(&table, BALANCE_HASH, 5);
	for (uint64_t i = 0; i < 1000; i++)
		before[i] = choose(&table, hash_span(0, span_make((const char *)&i, sizeof(i))));
	table.peers[2].health = BOARD_DOWN;
	for (uint64_t i = 0; i < 1000; i++) {
		int now = choose(&table, hash_span(0, span_make((const char *)&i, sizeof(i))));

		if (before[i] != 2)
			assert_int_equal(now, before[i]);
		else
			moved[now]++;
	}
	for (int i = 0; i < 5; i++)
		assert_true(i == 2 ? moved[i] == 0 : moved[i] > 20);
}

static void
test_down_and_ejected_get_nothing(void **state)
{
	struct table table;

	for (int kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_HASH; kind++) {
		table_init(&table, (enum balance_kind)kind, 4);
		table.peers[0].health = BOARD_DOWN;
		table.peers[1].breaker = BREAKER_OPEN;
		table.peers[1].open_until_ms = NOW_MS + 1;
		table.peers[3].breaker = BREAKER_TRYING;
		choose_many(&table, 50);
		assert_int_equal(table.got[2], 50);
		table.peers[2].health = BOARD_DOWN;
		assert_int_equal(choose(&table, 1), -2);
		table.peers[1].open_until_ms = NOW_MS;
		assert_int_equal(choose(&table, 1), 1);
	}
}

static void
test_full_is_waited_for(void **state)
{
	struct table table;

	table_init(&table, BALANCE_LEAST_REQUESTS, 3);
	table.peers[2].is_backup = true;
	set_busy(&table, 0, 1000);
	set_busy(&table, 1, 999);
	assert_int_equal(choose(&table, 0), 1);
	set_busy(&table, 1, 1000);
	assert_int_equal(choose(&table, 0), -1);	/* a backup is no overflow */
	table.agents[0].free_count = 1;
	assert_int_equal(choose(&table, 0), 0);
	table.agents[0].free_count = 0;
	tried_add(&table.tried, &table.peers[0]);
	assert_int_equal(choose(&table, 0), 2);	/* but a retry may take it */
}

static void
test_backups_come_last(void **state)
{
	struct table table;

	table_init(&table, BALANCE_ROUND_ROBIN, 3);
	table.peers[0].is_backup = true;
	choose_many(&table, 10);
	assert_int_equal(table.got[0], 0);
	table.peers[1].health = table.peers[2].health = BOARD_DOWN;
	assert_int_equal(choose(&table, 0), 0);
}

static void
test_tried_come_after_others(void **state)
{
	struct table table;

	table_init(&table, BALANCE_ROUND_ROBIN, 3);
	table.peers[2].is_backup = true;
	tried_add(&table.tried, &table.peers[0]);
	assert_int_equal(choose(&table, 0), 1);
	tried_add(&table.tried, &table.peers[1]);
	assert_int_equal(choose(&table, 0), 2);
	tried_add(&table.tried, &table.peers[2]);
	assert_true(choose(&table, 0) < 2);	/* all were tried: primaries again */
}

static void
test_tried_is_bounded(void **state)
{
	struct tried tried = { .count = 0 };
	struct peer peer = { .number = 1 };

	for (int i = 0; i < 100; i++, peer.number++)
		tried_add(&tried, &peer);
	assert_int_equal(tried.count, TRIED_MAX);
	peer.number = 5;
	assert_true(tried_holds(&tried, &peer));
	tried_add(&tried, &peer);
	assert_int_equal(tried.count, TRIED_MAX);
}

static void
test_slow_start(void **state)
{
	struct table table;

	table_init(&table, BALANCE_ROUND_ROBIN, 2);
	table.balance.slow_start_ms = 1000;
	table.peers[0].ramp_from_ms = NOW_MS - 250;
	choose_many(&table, 100);
	assert_int_equal(table.got[0], 20);	/* a quarter against a whole */
	table.peers[0].ramp_from_ms = NOW_MS - 1000;
	choose_many(&table, 100);
	assert_in_range(table.got[0], 49, 51);
	table.peers[0].ramp_from_ms = NOW_MS;
	assert_int_equal(peer_share(&table.peers[0], 1000, NOW_MS), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_robin_is_smooth),
		cmocka_unit_test(test_least_requests),
		cmocka_unit_test(test_free_sockets_are_not_busy),
		cmocka_unit_test(test_ties_go_round),
		cmocka_unit_test(test_a_retry_takes_no_turn),
		cmocka_unit_test(test_random_two),
		cmocka_unit_test(test_random_two_by_weight),
		cmocka_unit_test(test_hash_is_by_weight),
		cmocka_unit_test(test_hash_is_consistent),
		cmocka_unit_test(test_down_and_ejected_get_nothing),
		cmocka_unit_test(test_full_is_waited_for),
		cmocka_unit_test(test_backups_come_last),
		cmocka_unit_test(test_tried_come_after_others),
		cmocka_unit_test(test_tried_is_bounded),
		cmocka_unit_test(test_slow_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
