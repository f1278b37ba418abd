/* rooms: base http */
#include "http/uri.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;

static int
setup(void **state)
{
	arena_init(&arena, 1024);
	return 0;
}

static int
teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

static void
test_targets(void **state)
{
	static const struct {
		const char	*target;
		enum uri_form	 form;
		const char	*scheme, *authority, *path, *query;	/* query NULL: none */
	} rows[] = {
		{ "/", URI_ORIGIN, "", "", "/", NULL },
		{ "/a/b?c=d?e", URI_ORIGIN, "", "", "/a/b", "c=d?e" },
		{ "/a?", URI_ORIGIN, "", "", "/a", "" },
		{ "//a/b", URI_ORIGIN, "", "", "//a/b", NULL },
		{ "/http://b", URI_ORIGIN, "", "", "/http://b", NULL },
		{ "/\xe4", URI_ORIGIN, "", "", "/\xe4", NULL },
		{ "http://a", URI_ABSOLUTE, "http", "a", "/", NULL },
		{ "http://a/", URI_ABSOLUTE, "http", "a", "/", NULL },
		{ "HTTPS://A.example:81/b/c?d", URI_ABSOLUTE, "HTTPS", "A.example:81", "/b/c", "d" },
		{ "http://a?b", URI_ABSOLUTE, "http", "a", "/", "b" },
		{ "http://[::1]:8080/x", URI_ABSOLUTE, "http", "[::1]:8080", "/x", NULL },
		{ "ws+unix.1-x://a", URI_ABSOLUTE, "ws+unix.1-x", "a", "/", NULL },
		{ "a:80", URI_AUTHORITY, "", "a:80", "", NULL },
		{ "[::1]:443", URI_AUTHORITY, "", "[::1]:443", "", NULL },
		{ "*", URI_ASTERISK, "", "", "*", NULL },
	};
	struct uri_target target;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!uri_target_parse(span_text(rows[i].target), &target))
			fail_msg("refused: %s", rows[i].target);
		assert_int_equal(target.form, rows[i].form);
		assert_true(span_is(target.scheme, rows[i].scheme));
		assert_true(span_is(target.authority, rows[i].authority));
		assert_true(span_is(target.path, rows[i].path));
		assert_int_equal(target.has_query, rows[i].query != NULL);
		assert_true(span_is(target.query, rows[i].query));
	}
}

static void
test_targets_refused(void **state)
{
	static const struct span rows[] = {
		SPAN(""), SPAN("a"), SPAN("a/b"), SPAN("?a"), SPAN("**"), SPAN("*/"), SPAN("a:"), SPAN(":80"),
		SPAN("a:80/"), SPAN("a:0"), SPAN("a:65536"), SPAN("/a#b"), SPAN("/#"), SPAN("http://a/#b"),
		SPAN("/a b"), SPAN("/a\tb"), SPAN("/a\0"), SPAN("/a\r\n"), SPAN("/\x7f"), SPAN("http:/a"),
		SPAN("http:a"), SPAN("http://"), SPAN("http:///a"), SPAN("http://?a"), SPAN("http://u@a/"),
		SPAN("http://u:p@a/"), SPAN("http://a:b/"), SPAN("http://a:80:80/"), SPAN("http://[::1/"),
		SPAN("http://a\\b/"), SPAN("://a"), SPAN("1http://a/"), SPAN("h@p://a/"), SPAN("http://%61/"),
		SPAN("javascript:alert(1)"),
	};
	struct uri_target target;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (uri_target_parse(rows[i], &target))
			fail_msg("taken: %.*s", (int)rows[i].len, rows[i].at);
	}
}

static void
test_authorities(void **state)
{
	static const struct {
		const char	*authority, *host;
		uint16_t	 port;
		bool		 has_port;
	} rows[] = {
		{ "a", "a", 0, false },
		{ "a:", "a", 0, false },
		{ "example.com:8080", "example.com", 8080, true },
		{ "a:1", "a", 1, true },
		{ "a:65535", "a", 65535, true },
		{ "a:00080", "a", 80, true },
		{ "127.0.0.1:80", "127.0.0.1", 80, true },
		{ "[::1]", "[::1]", 0, false },
		{ "[::]:80", "[::]", 80, true },
		{ "[2001:DB8::ffff:1.2.3.4]:443", "[2001:DB8::ffff:1.2.3.4]", 443, true },
		{ "a-b_c~d.e!$&'()*+,;=", "a-b_c~d.e!$&'()*+,;=", 0, false },
	};
	struct span host;
	uint16_t port;
	bool has_port;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(uri_authority_parse(span_text(rows[i].authority), &host, &port, &has_port));
		assert_true(span_is(host, rows[i].host));
		assert_int_equal(port, rows[i].port);
		assert_int_equal(has_port, rows[i].has_port);
	}
}

static void
test_authorities_refused(void **state)
{
	static const struct span rows[] = {
		SPAN(""), SPAN(":"), SPAN(":80"), SPAN("a:0"), SPAN("a:65536"), SPAN("a:000080"), SPAN("a:-1"),
		SPAN("a:+1"), SPAN("a:8 0"), SPAN("a:80:80"), SPAN("a:b"), SPAN("::1"), SPAN("[]"), SPAN("[:]"),
		SPAN("[::1"), SPAN("::1]"), SPAN("[::1]80"), SPAN("[::1]]"), SPAN("[[::1]]"), SPAN("[1.2.3.4]"),
		SPAN("[a]"), SPAN("[fe80::1%eth0]"), SPAN("[fe80::1%25eth0]"), SPAN("[v1.x]"), SPAN("[::1\0]"),
		SPAN("[1:2:3:4:5:6:7:8:9]"), SPAN("a b"), SPAN("a/b"), SPAN("a?b"), SPAN("a#b"), SPAN("a@b"),
		SPAN("a\\b"), SPAN("a\0b"), SPAN("a%41"), SPAN("a<b"), SPAN("\xc3\xa4"),
	};
	struct span host;
	uint16_t port;
	bool has_port;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (uri_authority_parse(rows[i], &host, &port, &has_port))
			fail_msg("taken: %.*s", (int)rows[i].len, rows[i].at);
	}
}

static void
test_a_host_name_has_an_end(void **state)
{
	char name[256];
	struct span host;
	uint16_t port;
	bool has_port;

	memset(name, 'a', sizeof(name));
	assert_true(uri_authority_parse(span_make(name, 255), &host, &port, &has_port));
	assert_false(uri_authority_parse(span_make(name, 256), &host, &port, &has_port));
}

static void
test_decode_path(void **state)
{
	struct span decoded, plain = SPAN_OF("/a+b");

	assert_true(uri_decode_path(SPAN_OF("/a%20b%c3%A4%25"), &arena, &decoded));
	assert_true(span_is(decoded, "/a b\xc3\xa4%"));
	assert_true(uri_decode_path(plain, &arena, &decoded));
	assert_ptr_equal(decoded.at, plain.at);
	assert_true(uri_decode_path((struct span){ NULL, 0 }, &arena, &decoded));
	assert_int_equal(decoded.len, 0);
	assert_true(uri_decode_path(SPAN_OF("%252f"), &arena, &decoded));
	assert_true(span_is(decoded, "%2f"));
	assert_false(uri_decode_path(SPAN_OF("/a%2fb"), &arena, &decoded));
	assert_false(uri_decode_path(SPAN_OF("/a%2Fb"), &arena, &decoded));
	assert_false(uri_decode_path(SPAN_OF("/a%00"), &arena, &decoded));
	assert_false(uri_decode_path(SPAN_OF("/a\0"), &arena, &decoded));
	assert_false(uri_decode_path(SPAN_OF("/a%"), &arena, &decoded));
	assert_false(uri_decode_path(SPAN_OF("/a%4"), &arena, &decoded));
	assert_false(uri_decode_path(SPAN_OF("/a%4g"), &arena, &decoded));
}

static void
test_query(void **state)
{
	static const struct span query = SPAN("a=1&b=x+y%26z&&a=2&c&d=&%65=e=f&g=%zz%4&=empty&h+i=%00");
	struct span value;

	assert_true(uri_query_find(query, SPAN_OF("a"), &arena, &value));
	assert_true(span_is(value, "1"));
	assert_true(uri_query_find(query, SPAN_OF("b"), &arena, &value));
	assert_true(span_is(value, "x y&z"));
	assert_true(uri_query_find(query, SPAN_OF("c"), &arena, &value));
	assert_int_equal(value.len, 0);
	assert_true(uri_query_find(query, SPAN_OF("d"), &arena, &value));
	assert_int_equal(value.len, 0);
	assert_true(uri_query_find(query, SPAN_OF("e"), &arena, &value));
	assert_true(span_is(value, "e=f"));
	assert_true(uri_query_find(query, SPAN_OF("g"), &arena, &value));
	assert_true(span_is(value, "%zz%4"));
	assert_true(uri_query_find(query, SPAN_OF(""), &arena, &value));
	assert_true(span_is(value, "empty"));
	assert_true(uri_query_find(query, SPAN_OF("h i"), &arena, &value));
	assert_true(span_equal(value, SPAN_OF("\0")));
	assert_false(uri_query_find(query, SPAN_OF("A"), &arena, &value));
	assert_false(uri_query_find(query, SPAN_OF("z"), &arena, &value));
	assert_false(uri_query_find((struct span){ NULL, 0 }, SPAN_OF("a"), &arena, &value));
	assert_false(uri_query_find(SPAN_OF("&&"), SPAN_OF(""), &arena, &value));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_targets_refused),
		cmocka_unit_test(test_authorities),
		cmocka_unit_test(test_authorities_refused),
		cmocka_unit_test(test_a_host_name_has_an_end),
		cmocka_unit_test(test_decode_path),
		cmocka_unit_test(test_query),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
