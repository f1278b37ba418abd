/* rooms: base loop conf http net codec request downstream store */
/* The counts of a table under any story of joining and leaving are those of a plain list. */
#include "downstream/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CLIENTS = 3000, STEPS = 60000 };

static struct address
v4_of(uint32_t number)
{
	struct address address = { .in4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + number) } };

	address.in4.sin_port = (in_port_t)number;	/* which does not count */
	return address;
}

static struct address
address_of(const char *text)
{
	struct address address;

	assert_true(address_parse_host(span_text(text), 1, &address));
	return address;
}

static void
counts_each_client(void **state)
{
	struct per_client *table = per_client_create();
	struct address a = v4_of(1), b = v4_of(2);

	assert_int_equal(per_client_add(table, &a), 1);
	assert_int_equal(per_client_add(table, &a), 2);
	assert_int_equal(per_client_add(table, &b), 1);
	per_client_remove(table, &a);
	assert_int_equal(per_client_add(table, &a), 2);
	per_client_remove(table, &b);
	per_client_remove(table, &b);	/* who is not there is not taken away */
	assert_int_equal(per_client_add(table, &b), 1);
	per_client_free(table);
	per_client_free(NULL);
}

/* A client owns a /64 of IPv6, so it counts as one. */
static void
counts_networks_of_ipv6(void **state)
{
	struct per_client *table = per_client_create();
	struct address a = address_of("2001:db8:1:2::1"), same = address_of("2001:db8:1:2:ffff::1");
	struct address other = address_of("2001:db8:1:3::1"), mapped = address_of("::ffff:10.0.0.1"), v4 = v4_of(1);

	assert_int_equal(per_client_add(table, &a), 1);
	assert_int_equal(per_client_add(table, &same), 2);
	assert_int_equal(per_client_add(table, &other), 1);
	assert_int_equal(per_client_add(table, &v4), 1);
	assert_int_equal(per_client_add(table, &mapped), 2);
	per_client_remove(table, &same);
	per_client_remove(table, &a);
	assert_int_equal(per_client_add(table, &a), 1);
	per_client_free(table);
}

static uint64_t
next_number(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* Far more clients than the first room, in clusters, coming and going: growth and gaps. */
static void
keeps_count_through_growth_and_gaps(void **state)
{
	static uint32_t counts[CLIENTS];
	struct per_client *table = per_client_create();
	uint64_t seed = 42;

	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t client = (uint32_t)(next_number(&seed) % CLIENTS);
		struct address address = v4_of(client);
		bool joins = step < STEPS / 2 ? next_number(&seed) % 3 > 0 : next_number(&seed) % 3 == 0;

		if (joins) {
			assert_int_equal(per_client_add(table, &address), ++counts[client]);
		} else if (counts[client] > 0) {
			per_client_remove(table, &address);
			counts[client]--;
		}
	}
	for (uint32_t client = 0; client < CLIENTS; client++) {
		struct address address = v4_of(client);

		assert_int_equal(per_client_add(table, &address), counts[client] + 1);
	}
	per_client_free(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_client),
		cmocka_unit_test(counts_networks_of_ipv6),
		cmocka_unit_test(keeps_count_through_growth_and_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
