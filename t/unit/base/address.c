/* rooms: base */
/* Addresses and networks as text and back, and who is in which. */
#include "base/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void
parses_and_formats(void **state)
{
	static const struct { const char *text; uint16_t port; const char *host, *whole; } rows[] = {
		{ "127.0.0.1", 80, "127.0.0.1", "127.0.0.1:80" },
		{ "0.0.0.0", 0, "0.0.0.0", "0.0.0.0:0" },
		{ "255.10.9.100", 65535, "255.10.9.100", "255.10.9.100:65535" },
		{ "::1", 80, "::1", "[::1]:80" },
		{ "[::1]", 443, "::1", "[::1]:443" },
		{ "2001:DB8:0:0:0:0:0:1", 1, "2001:db8::1", "[2001:db8::1]:1" },
		{ "::ffff:10.1.2.3", 7, "10.1.2.3", "10.1.2.3:7" },
		{ "[::FFFF:0a01:0203]", 7, "10.1.2.3", "10.1.2.3:7" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 65535, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535" },
	};
	char text[ADDRESS_TEXT_MAX];
	struct address address;

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(address_parse_host(span_text(rows[i].text), rows[i].port, &address));
		assert_true(address_is_set(&address));
		assert_int_equal(address_port(&address), rows[i].port);
		assert_int_equal(address_format_host(&address, text), strlen(rows[i].host));
		assert_string_equal(text, rows[i].host);
		assert_int_equal(address_format(&address, text), strlen(rows[i].whole));
		assert_string_equal(text, rows[i].whole);
		assert_int_equal(address_length(&address), address.any.sa_family == AF_INET ?
		    sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	}
}

static void
refuses_what_is_no_address(void **state)
{
	static const struct span rows[] = {
		SPAN(""), SPAN("1"), SPAN("1.2.3"), SPAN("1.2.3.4.5"), SPAN("1.2.3.256"), SPAN("01.2.3.4"),
		SPAN("1.2.3.4 "), SPAN(" 1.2.3.4"),
		SPAN("1.2.3.4:80"), SPAN("[1.2.3.4]"), SPAN("["), SPAN("]"), SPAN("[]"), SPAN("[::1"),
		SPAN("::1]"), SPAN("[[::1]]"), SPAN(":::"), SPAN("1::2::3"), SPAN("fe80::1%lo"), SPAN("localhost"),
		SPAN("unix"), SPAN("1.2.3.4\0"), SPAN("::1\0"), SPAN("0x7f.1"),
		SPAN("1111:2222:3333:4444:5555:6666:7777:8888:9999"),
		SPAN("1111:2222:3333:4444:5555:6666:123.123.123.123.1"),
		SPAN("11111111111111111111111111111111111111111111111111111111111111111111111111111111111"),
	};
	struct address address;

	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(&address, 0xff, sizeof(address));
		assert_false(address_parse_host(rows[i], 80, &address));
		assert_false(address_is_set(&address));
	}
}

static void
takes_what_sockets_say(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(99) };
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(98) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/tmp/x" };
	struct address address, same;
	char text[ADDRESS_TEXT_MAX];

	inet_pton(AF_INET, "10.1.2.3", &in4.sin_addr);
	address_from_sockaddr(&address, (struct sockaddr *)&in4);
	assert_int_equal(address_port(&address), 98);
	inet_pton(AF_INET6, "::ffff:10.1.2.3", &in6.sin6_addr);
	address_from_sockaddr(&same, (struct sockaddr *)&in6);
	assert_int_equal(same.any.sa_family, AF_INET);
	assert_true(address_equal_host(&address, &same));
	assert_false(address_equal(&address, &same));
	in4.sin_port = in6.sin6_port;
	address_from_sockaddr(&address, (struct sockaddr *)&in4);
	assert_true(address_equal(&address, &same));

	address_from_sockaddr(&address, (struct sockaddr *)&un);
	assert_true(address_is_set(&address));
	assert_int_equal(address_port(&address), 0);
	assert_int_equal(address_format(&address, text), 4);
	assert_string_equal(text, "unix");
	assert_false(address_equal(&address, &same));
	assert_true(address_equal(&address, &address));
}

static void
tells_scopes_apart(void **state)
{
	struct address a, b;

	assert_true(address_parse_host(SPAN_OF("fe80::1"), 1, &a));
	b = a;
	assert_true(address_equal(&a, &b));
	b.in6.sin6_scope_id = 2;
	assert_false(address_equal_host(&a, &b));
}

/* -- networks ------------------------------------------------------------------------------------------------------ */

static void
knows_who_is_in(void **state)
{
	static const struct { const char *cidr, *address; bool holds; } rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.1.2.3/8", "10.9.9.9", true },		/* bits behind the prefix do not count */
		{ "10.1.2.3", "10.1.2.3", true },
		{ "10.1.2.3", "10.1.2.2", false },
		{ "10.1.2.3/32", "10.1.2.3", true },
		{ "192.168.128.0/17", "192.168.128.1", true },
		{ "192.168.128.0/17", "192.168.127.255", false },
		{ "192.168.0.0/31", "192.168.0.1", true },
		{ "192.168.0.0/31", "192.168.0.2", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "10.0.0.1", false },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8::8000/113", "2001:db8::ffff", true },
		{ "2001:db8::8000/113", "2001:db8::7fff", false },
		{ "[::1]", "::1", true },
		{ "::1/128", "::2", false },
		{ "10.0.0.0/8", "::ffff:10.1.1.1", true },
		{ "::ffff:10.0.0.0/104", "10.1.1.1", true },
		{ "::ffff:10.0.0.0/104", "11.1.1.1", false },
		{ "::ffff:0.0.0.0/96", "11.1.1.1", true },
		{ "::ffff:10.0.0.1", "10.0.0.1", true },
		{ "::ffff:10.0.0.1", "10.0.0.2", false },
		{ "unix", "10.0.0.2", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct network network;
		struct address address;

		assert_true(network_parse(span_text(rows[i].cidr), &network));
		assert_true(address_parse_host(span_text(rows[i].address), 0, &address));
		assert_int_equal(network_holds(&network, &address), rows[i].holds);
	}
}

static void
knows_unix_peers(void **state)
{
	struct address peer = { .any.sa_family = AF_UNIX }, nobody = { .any.sa_family = AF_UNSPEC };
	struct network items[2];
	struct networks networks = { items, 2 };

	assert_true(network_parse(SPAN_OF("0.0.0.0/0"), &items[0]));
	assert_true(network_parse(SPAN_OF("unix"), &items[1]));
	assert_true(networks_hold(&networks, &peer));
	assert_false(networks_hold(&networks, &nobody));
	networks.count = 1;
	assert_false(networks_hold(&networks, &peer));
	networks.count = 0;
	assert_false(networks_hold(&networks, &peer));
}

static void
refuses_what_is_no_network(void **state)
{
	static const char *const rows[] = {
		"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/8/8",
		"10.0.0.0/255.0.0.0", "10/8", "::/129", "2001:db8::/x", "::ffff:10.0.0.0/95", "::ffff:10.0.0.0/129",
		"unix/1", "UNIX", "example.com", "*", "10.0.0.0/99999999999999999999",
	};
	struct network network;

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_false(network_parse(span_text(rows[i]), &network));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_formats),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(takes_what_sockets_say),
		cmocka_unit_test(tells_scopes_apart),
		cmocka_unit_test(knows_who_is_in),
		cmocka_unit_test(knows_unix_peers),
		cmocka_unit_test(refuses_what_is_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
