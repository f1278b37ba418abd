/* rooms: base conf http request route */
/* Conditions as configured: what they are refused for, which requests fit, why not, and which route hides which. */
#include "../stage_fixture.h"

#include "route/route.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static struct match *
match_build(struct stage_fixture *fixture, const char *yaml)
{
	return fixture_build(fixture, yaml, "match", &match_group, NULL);
}

/* request: "METHOD host target [field: value]". */
static bool
fits(struct match *match, const char *method, const char *host, const char *target, const char *name, const char *value)
{
	struct fake_exchange fake;
	struct request *request = fake_begin(&fake, method, target);
	struct text why = { 0 };
	bool fit;

	request->host = span_text(host);
	if (name)
		fake_field(&fake, name, value);
	fit = match_fits(match, request);
	/* The words agree with the deed. */
	assert_int_equal(match_why_not(match, request, &why), !fit);
	assert_int_equal(why.len > 0, !fit);
	text_fini(&why);
	fake_end(&fake);
	return fit;
}

static void
fits_by_each_condition(void **state)
{
	static const struct {
		const char	*yaml, *method, *host, *target, *name, *value;
		bool		 fits;
	} rows[] = {
		{ "match: {}", "BREW", "", "/x", NULL, NULL, true },
		{ "match: {host: api.example.com}", "GET", "api.example.com", "/", NULL, NULL, true },
		{ "match: {host: API.Example.COM.}", "GET", "api.example.com", "/", NULL, NULL, true },
		{ "match: {host: api.example.com}", "GET", "api.example.com.", "/", NULL, NULL, true },
		{ "match: {host: api.example.com}", "GET", "example.com", "/", NULL, NULL, false },
		{ "match: {host: api.example.com}", "GET", "", "/", NULL, NULL, false },
		{ "match: {host: [a, b]}", "GET", "b", "/", NULL, NULL, true },
		{ "match: {host: \"*.example.com\"}", "GET", "a.b.example.com", "/", NULL, NULL, true },
		{ "match: {host: \"*.example.com\"}", "GET", "example.com", "/", NULL, NULL, false },
		{ "match: {host: \"*.example.com\"}", "GET", ".example.com", "/", NULL, NULL, false },
		{ "match: {host: \"*.example.com\"}", "GET", "badexample.com", "/", NULL, NULL, false },
		{ "match: {host: \"[::1]\"}", "GET", "[::1]", "/", NULL, NULL, true },
		{ "match: {path: [/a, /b/*]}", "GET", "h", "/b/c", NULL, NULL, true },
		{ "match: {path: [/a, /b/*]}", "GET", "h", "/c", NULL, NULL, false },
		{ "match: {method: GET}", "GET", "h", "/", NULL, NULL, true },
		{ "match: {method: GET}", "HEAD", "h", "/", NULL, NULL, true },
		{ "match: {method: HEAD}", "GET", "h", "/", NULL, NULL, false },
		{ "match: {method: [POST, PURGE]}", "PURGE", "h", "/", NULL, NULL, true },
		{ "match: {method: [POST, PURGE]}", "BREW", "h", "/", NULL, NULL, false },
		{ "match: {method: [POST, PURGE]}", "GET", "h", "/", NULL, NULL, false },
		{ "match: {header: {X-Kind: a}}", "GET", "h", "/", "x-kind", "a", true },
		{ "match: {header: {X-Kind: a}}", "GET", "h", "/", "x-kind", "A", false },
		{ "match: {header: {X-Kind: \"*\"}}", "GET", "h", "/", "X-KIND", "", true },
		{ "match: {header: {X-Kind: \"*\"}}", "GET", "h", "/", "X-Kin", "a", false },
		{ "match: {header: {accept: text/html}}", "GET", "h", "/", "Accept", "text/html", true },
		{ "match: {header: {accept: text/html}}", "GET", "h", "/", NULL, NULL, false },
		{ "match: {query: {a: b}}", "GET", "h", "/?x&a=b", NULL, NULL, true },
		{ "match: {query: {a: b}}", "GET", "h", "/?a=%62", NULL, NULL, true },
		{ "match: {query: {a: b}}", "GET", "h", "/?a=c&a=b", NULL, NULL, false },
		{ "match: {query: {a: \"*\"}}", "GET", "h", "/?a", NULL, NULL, true },
		{ "match: {query: {a: \"*\"}}", "GET", "h", "/?b", NULL, NULL, false },
		{ "match: {query: {a: \"*\"}}", "GET", "h", "/", NULL, NULL, false },
		{ "match: {client: 192.0.2.0/24}", "GET", "h", "/", NULL, NULL, true },
		{ "match: {client: [10.0.0.0/8, unix]}", "GET", "h", "/", NULL, NULL, false },
		{ "match: {client: []}", "GET", "h", "/", NULL, NULL, false },
		{ "match: {scheme: http}", "GET", "h", "/", NULL, NULL, true },
		{ "match: {scheme: https}", "GET", "h", "/", NULL, NULL, false },
		{ "match: {path: /a, method: POST}", "GET", "h", "/a", NULL, NULL, false },
	};
	struct stage_fixture fixture;

	fixture_init(&fixture);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct match *match = match_build(&fixture, rows[i].yaml);

		if (match == NULL)
			fail_msg("%s", fixture.text.bytes);
		if (fits(match, rows[i].method, rows[i].host, rows[i].target, rows[i].name, rows[i].value) !=
		    rows[i].fits)
			fail_msg("%s: %s %s %s", rows[i].yaml, rows[i].method, rows[i].host, rows[i].target);
	}
	fixture_fini(&fixture);
}

static void
captures_decoded_segments(void **state)
{
	struct stage_fixture fixture;
	struct fake_exchange fake;
	struct request *request;
	struct match *match;

	fixture_init(&fixture);
	match = match_build(&fixture, "match: {path: [\"/a/{x}/end\", \"/a/{y}\", \"/b/{x}\"]}");
	assert_non_null(match);
	request = fake_begin(&fake, "GET", "/a/1%20%C3%A4");
	assert_true(match_fits(match, request));
	assert_null(request->captures[0].at);	/* of the pattern that did not fit in the end */
	assert_true(span_is(request->captures[1], "1 \303\244"));
	fake_end(&fake);

	/* An escaped slash stays escaped: it is no end of a segment. */
	request = fake_begin(&fake, "GET", "/b/1%2F2");
	assert_true(match_fits(match, request));
	assert_true(span_is(request->captures[0], "1%2F2"));
	assert_null(request->captures[1].at);
	fake_end(&fake);

	/* What did not fit leaves nothing. */
	request = fake_begin(&fake, "GET", "/a/1/other");
	assert_false(match_fits(match, request));
	assert_null(request->captures[0].at);
	fake_end(&fake);
	fixture_fini(&fixture);
}

static void
refuses_with_the_place(void **state)
{
	static const struct { const char *yaml, *sentence; } rows[] = {
		{ "match: {path: a}", "1:15: match.path: a path begins with /" },
		{ "match: {path: [/a, \"/{b\"]}", "1:20: match.path[1]: " },
		{ "match: {host: \"a:80\"}", "1:15: match.host: \"a:80\" is no host" },
		{ "match: {host: [a, \"b*\"]}", "1:19: match.host[1]: \"b*\" is no host" },
		{ "match: {host: \"*.\"}", "is no host" },
		{ "match: {host: \"\"}", "is no host" },
		{ "match: {host: \"*\"}", "is no host" },
		{ "match: {host: \"a.*.b\"}", "is no host" },
		{ "match: {method: get}", "did you mean GET?" },
		{ "match: {method: [POST, Put]}", "1:24: match.method[1]: \"Put\" is no method: did you mean PUT?" },
		{ "match: {method: \"*\"}", "is no method" },
		{ "match: {method: \"A B\"}", "is no method" },
		{ "match: {header: {\"a b\": x}}", "is no field name" },
		{ "match: {client: 10.0.0.0/33}", "match.client: expected a network" },
		{ "match: {client: [10.0.0.0/8, x]}", "match.client[1]: expected a network" },
		{ "match: {scheme: ftp}", "match.scheme" },
		{ "match: {paht: /a}", "path" },
		{ "match: [a]", "match" },
	};
	struct stage_fixture fixture;

	fixture_init(&fixture);
	for (size_t i = 0; i < COUNT(rows); i++)
		fixture_refuses(&fixture, match_build(&fixture, rows[i].yaml), rows[i].sentence);

	/* All of them in one go. */
	assert_null(match_build(&fixture, "match: {path: [x, y], host: \"a b\", method: [get, put], "
	    "header: {\"b c\": d}}"));
	assert_int_equal(fixture.problems.errors, 6);
	fixture_fini(&fixture);
}

static void
knows_what_it_hides(void **state)
{
	static const struct { const char *earlier, *later; bool covers; } rows[] = {
		{ "{}", "{}", true },
		{ "{}", "{path: /a, host: b, method: GET, scheme: https, header: {a: b}}", true },
		{ "{path: /a}", "{}", false },
		{ "{path: /a}", "{path: /a, query: {x: y}}", true },
		{ "{path: /*}", "{path: [/a, \"/b/{c}\"]}", true },
		{ "{path: [/a, /b]}", "{path: [/b, /a]}", true },
		{ "{path: [/a, /b]}", "{path: [/b, /c]}", false },
		{ "{host: a}", "{}", false },
		{ "{host: a}", "{host: [a, b]}", false },
		{ "{host: [a, b]}", "{host: A}", true },
		{ "{host: \"*.a\"}", "{host: [b.a, \"*.c.a\"]}", true },
		{ "{host: \"*.a\"}", "{host: a}", false },
		{ "{host: \"b.a\"}", "{host: \"*.a\"}", false },
		{ "{method: GET}", "{method: HEAD}", true },
		{ "{method: HEAD}", "{method: GET}", false },
		{ "{method: [GET, POST]}", "{method: POST}", true },
		{ "{method: GET}", "{}", false },
		{ "{method: PURGE}", "{method: PURGE}", false },	/* could be told, but is never told wrongly */
		{ "{scheme: http}", "{scheme: http, path: /a}", true },
		{ "{scheme: http}", "{scheme: https}", false },
		{ "{scheme: http}", "{}", false },
		{ "{client: 10.0.0.0/8}", "{client: 10.0.0.0/8}", false },
		{ "{header: {a: b}}", "{header: {a: b}}", false },
		{ "{query: {a: b}}", "{query: {a: b}}", false },
	};
	struct stage_fixture a, b;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct match *earlier, *later;
		struct text one = { 0 }, two = { 0 };

		fixture_init(&a);
		fixture_init(&b);
		text_format(&one, "match: %s", rows[i].earlier);
		text_format(&two, "match: %s", rows[i].later);
		earlier = match_build(&a, one.bytes);
		later = match_build(&b, two.bytes);
		assert_true(earlier && later);
		if (match_covers(earlier, later, &a.arena) != rows[i].covers)
			fail_msg("%s before %s", rows[i].earlier, rows[i].later);
		text_fini(&one);
		text_fini(&two);
		fixture_fini(&a);
		fixture_fini(&b);
	}
}

static void
says_why_not(void **state)
{
	static const struct { const char *yaml, *why; } rows[] = {
		{ "match: {path: [/a, /b]}", "path /x does not fit /a, /b" },
		{ "match: {host: A.example}", "host example.com does not fit a.example" },
		{ "match: {method: [POST, PUT]}", "method GET does not fit POST, PUT" },
		{ "match: {scheme: https}", "scheme http does not fit" },
		{ "match: {client: 10.0.0.0/8}", "client 192.0.2.1 is in none of its networks" },
		{ "match: {header: {X-A: b}}", "header X-A does not fit" },
		{ "match: {query: {q: b}}", "query q does not fit" },
	};
	struct stage_fixture fixture;

	fixture_init(&fixture);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct fake_exchange fake;
		struct text why = { 0 };
		struct match *match = match_build(&fixture, rows[i].yaml);

		assert_non_null(match);
		assert_true(match_why_not(match, fake_begin(&fake, "GET", "/x"), &why));
		assert_string_equal(why.bytes, rows[i].why);
		text_fini(&why);
		fake_end(&fake);
	}
	fixture_fini(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fits_by_each_condition),
		cmocka_unit_test(captures_decoded_segments),
		cmocka_unit_test(refuses_with_the_place),
		cmocka_unit_test(knows_what_it_hides),
		cmocka_unit_test(says_why_not),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
