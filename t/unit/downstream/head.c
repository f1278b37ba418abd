/* rooms: base loop conf http net codec request downstream store */
/* Who asked, for what, by which scheme: from the head and from what trusted proxies tell. */
#include "downstream/h1.h"

#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct asked {
	struct request	 request;
	struct arena	 arena;
	struct client	 client;
	struct address	 peer;
	struct network	 networks[3];
	struct networks	 trusted;
	const char	*why;
};

/* peer: who connected. fields: "Name: value" each, NULL ends. */
static void
asked_init(struct asked *asked, const char *peer, const char *const *fields)
{
	memset(asked, 0, sizeof(*asked));
	arena_init(&asked->arena, 1024);
	assert_true(network_parse(SPAN_OF("10.0.0.0/8"), &asked->networks[0]));
	assert_true(network_parse(SPAN_OF("2001:db8::/32"), &asked->networks[1]));
	assert_true(network_parse(SPAN_OF("unix"), &asked->networks[2]));
	asked->trusted = (struct networks){ asked->networks, 3 };
	if (strcmp(peer, "unix") == 0)
		asked->peer.any.sa_family = AF_UNIX;
	else
		assert_true(address_parse_host(span_text(peer), 999, &asked->peer));
	asked->client = (struct client){ .peer = &asked->peer, .ip = span_text(peer),
		.is_trusted = networks_hold(&asked->trusted, &asked->peer) };
	request_init(&asked->request, &h1_transport, &asked->arena, &asked->client);
	asked->request.authority = SPAN_OF("Host.Example:81");
	for (; *fields; fields++) {
		struct span line = span_text(*fields), name;

		span_cut(&line, ':', &name);
		fields_add_named(&asked->request.fields, name, span_trim(line));
	}
}

static bool
asked_complete(struct asked *asked, const char *target)
{
	struct uri_target uri;

	asked->request.target = span_text(target);
	assert_true(uri_target_parse(asked->request.target, &uri));
	return head_complete(&asked->request, &uri, SPAN_OF("Host.Example"), &asked->trusted, &asked->why);
}

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_FIELDS ((const char *const[]){ NULL })

static void
client_check(const char *peer, const char *const *fields, const char *ip, const char *scheme, const char *host)
{
	struct asked asked;
	struct address address = { .any.sa_family = AF_UNIX };

	asked_init(&asked, peer, fields);
	assert_true(asked_complete(&asked, "/"));
	assert_string_equal(arena_text(&asked.arena, asked.request.client_ip), ip);
	assert_string_equal(arena_text(&asked.arena, asked.request.scheme), scheme);
	assert_string_equal(arena_text(&asked.arena, asked.request.forwarded_host), host);
	if (strcmp(ip, "unix") != 0)
		assert_true(address_parse_host(span_text(ip), 0, &address));
	assert_true(address_equal_host(&asked.request.client_address, &address));
	arena_fini(&asked.arena);
}

static const char own[] = "Host.Example:81";

static void
believes_nobody_by_itself(void **state)
{
	client_check("192.0.2.1", NO_FIELDS, "192.0.2.1", "http", own);
	client_check("192.0.2.1", FIELDS("X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https",
	    "X-Forwarded-Host: evil"), "192.0.2.1", "http", own);
	client_check("192.0.2.1", FIELDS("Forwarded: for=203.0.113.1;proto=https;host=evil"), "192.0.2.1", "http", own);
	client_check("2001:db9::1", FIELDS("X-Forwarded-For: 203.0.113.1"), "2001:db9::1", "http", own);
}

static void
believes_trusted_proxies(void **state)
{
	client_check("10.0.0.1", NO_FIELDS, "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https",
	    "X-Forwarded-Host: seen.example"), "203.0.113.1", "https", "seen.example");
	client_check("10.0.0.1", FIELDS("Forwarded: for=203.0.113.1;proto=HTTPS;host=seen.example"), "203.0.113.1",
	    "https", "seen.example");
	client_check("unix", FIELDS("X-Forwarded-For: 203.0.113.1"), "203.0.113.1", "http", own);
	client_check("2001:db8::7", FIELDS("Forwarded: for=\"[2001:DB9:0:0::1]:4711\""), "2001:db9::1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 2001:DB9:0::1"), "2001:db9::1", "http", own);
}

/* Most proxies write X-Forwarded-For and let a Forwarded of their client pass, which so could be anything. */
static void
prefers_what_proxies_write(void **state)
{
	client_check("10.0.0.1", FIELDS("Forwarded: for=203.0.113.2;proto=https", "X-Forwarded-For: 203.0.113.1"),
	    "203.0.113.1", "http", own);
}

/* A client may begin the chain with what he likes; only what trusted ones added counts. */
static void
follows_the_chain_as_far_as_it_is_trusted(void **state)
{
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 198.51.100.9, 203.0.113.1"), "203.0.113.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 198.51.100.9, 203.0.113.1, 10.0.0.3, 2001:db8::2"),
	    "203.0.113.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 198.51.100.9", "X-Forwarded-For: 203.0.113.1"), "203.0.113.1",
	    "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 10.0.0.5, 10.0.0.4"), "10.0.0.5", "http", own);
	client_check("10.0.0.1", FIELDS("Forwarded: for=198.51.100.9;proto=http;host=evil, "
	    "for=203.0.113.1;proto=https;host=outer, for=10.0.0.2;proto=http;host=inner"), "203.0.113.1", "https",
	    "outer");
	/* Mapped addresses are what they map. */
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 203.0.113.1, ::ffff:10.0.0.9"), "203.0.113.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: ::ffff:203.0.113.1"), "203.0.113.1", "http", own);
}

static void
stops_at_what_is_no_address(void **state)
{
	client_check("10.0.0.1", FIELDS("Forwarded: for=203.0.113.1, for=unknown;proto=https"), "10.0.0.1", "https",
	    own);
	client_check("10.0.0.1", FIELDS("Forwarded: for=203.0.113.1, for=_hidden, for=10.0.0.2"), "10.0.0.2", "http",
	    own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 203.0.113.1, unknown"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: <script>"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 203.0.113.1, 1.2.3.4.5"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For:"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("Forwarded: for"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: gopher",
	    "X-Forwarded-Host: a b"), "203.0.113.1", "http", own);
}

/* A chain longer than is kept: its nearest part. */
static void
bounds_the_chain(void **state)
{
	struct text list = { 0 };
	const char *fields[2] = { NULL, NULL };

	text_add_text(&list, "X-Forwarded-For: 203.0.113.1");
	for (unsigned i = 0; i < 40; i++)
		text_format(&list, ", 10.1.0.%u", i);
	fields[0] = list.bytes;
	client_check("10.0.0.1", fields, "10.1.0.24", "http", own);
	text_fini(&list);
}

static void
believes_a_scheme_alone(void **state)
{
	client_check("10.0.0.1", FIELDS("X-Forwarded-Proto: https"), "10.0.0.1", "https", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-Proto: HTTP"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-Proto: ftp"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-Proto: https, http"), "10.0.0.1", "http", own);
	client_check("10.0.0.1", FIELDS("X-Forwarded-Proto: https", "X-Forwarded-Proto: http"), "10.0.0.1", "http", own);
	client_check("192.0.2.1", FIELDS("X-Forwarded-Proto: https"), "192.0.2.1", "http", own);
}

static void
knows_tls(void **state)
{
	struct asked asked;

	asked_init(&asked, "192.0.2.1", NO_FIELDS);
	asked.client.tls = &(struct client_tls){ .version = SPAN("TLSv1.3") };
	assert_true(asked_complete(&asked, "/"));
	assert_true(span_is(asked.request.scheme, "https"));
	arena_fini(&asked.arena);
}

static void
normalises_target_and_host(void **state)
{
	static const struct { const char *target, *path, *query; bool has_query; } rows[] = {
		{ "/", "/", "", false },
		{ "/a/./b/../c?x=/../y", "/a/c", "x=/../y", true },
		{ "/%41%2f%2e?", "/A%2F.", "", true },
		{ "http://other/p?q", "/p", "q", true },
		{ "*", "*", "", false },
	};
	struct asked asked;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		asked_init(&asked, "192.0.2.1", NO_FIELDS);
		assert_true(asked_complete(&asked, rows[i].target));
		assert_true(span_is(asked.request.path, rows[i].path));
		assert_true(span_is(asked.request.query, rows[i].query));
		assert_int_equal(asked.request.has_query, rows[i].has_query);
		assert_true(span_is(asked.request.host, "host.example"));
		assert_true(span_is(asked.request.authority, own));
		arena_fini(&asked.arena);
	}
}

static void
refuses_paths_without_a_normal_form(void **state)
{
	static const char *const targets[] = { "/..", "/a/../../b", "/%", "/%4", "/%zz", "/%00", "/%2e%2e/x" };
	struct asked asked;

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		asked_init(&asked, "192.0.2.1", NO_FIELDS);
		assert_false(asked_complete(&asked, targets[i]));
		assert_non_null(asked.why);
		arena_fini(&asked.arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(believes_nobody_by_itself),
		cmocka_unit_test(believes_trusted_proxies),
		cmocka_unit_test(prefers_what_proxies_write),
		cmocka_unit_test(follows_the_chain_as_far_as_it_is_trusted),
		cmocka_unit_test(stops_at_what_is_no_address),
		cmocka_unit_test(bounds_the_chain),
		cmocka_unit_test(believes_a_scheme_alone),
		cmocka_unit_test(knows_tls),
		cmocka_unit_test(normalises_target_and_host),
		cmocka_unit_test(refuses_paths_without_a_normal_form),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
