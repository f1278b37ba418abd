/* rooms: base conf http request route */
/* Patterns: what they are read as, what fits them and what they capture, and which of them hides another. */
#include "route/path_pattern.h"

#include "http/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

enum { NAMES = 4 };

struct parsed {
	struct arena		arena;
	struct span		names_room[NAMES];
	struct capture_names	names;
	struct path_pattern	pattern;
	struct err		err;
	struct span		captures[NAMES];
};

static bool
parsed_init(struct parsed *parsed, const char *text)
{
	memset(parsed, 0, sizeof(*parsed));
	arena_init(&parsed->arena, 512);
	parsed->names = (struct capture_names){ .items = parsed->names_room, .room = NAMES };
	return path_pattern_parse(span_text(text), &parsed->names, &parsed->arena, &parsed->pattern, &parsed->err);
}

static void
fits_what_it_says(void **state)
{
	static const struct { const char *pattern, *path; bool fits; } rows[] = {
		{ "/", "/", true },
		{ "/", "/a", false },
		{ "/a", "/a", true },
		{ "/a", "/a/", false },
		{ "/a", "/A", false },
		{ "*", "/", true },
		{ "*", "*", true },
		{ "/*", "/", true },
		{ "/*", "/a/b", true },
		{ "/*", "*", false },
		{ "/tree/*", "/tree/", true },
		{ "/tree/*", "/tree/a/b", true },
		{ "/tree/*", "/tree", false },
		{ "/img*", "/img", true },
		{ "/img*", "/images/x", false },
		{ "/img*", "/img2/x", true },
		{ "/users/{id}", "/users/7", true },
		{ "/users/{id}", "/users/", false },
		{ "/users/{id}", "/users/7/", false },
		{ "/users/{id}/", "/users/7/", true },
		{ "/users/{id}/posts/{post}", "/users/7/posts/8", true },
		{ "/users/{id}/posts/{post}", "/users/7/posts/8/9", false },
		{ "/users/{id}/posts/{post}", "/users//posts/8", false },
		{ "/users/{id}/*", "/users/7/", true },
		{ "/users/{id}/*", "/users/7/a/b", true },
		{ "/users/{id}/*", "/users/7", false },
		/* as the path is written, brought to one spelling */
		{ "/%61/./b/../c", "/a/c", true },
		{ "/a%2fb", "/a%2Fb", true },
		{ "/k\303\244se", "/k%C3%A4se", true },
		/* the beginning of a segment is not one that means another place */
		{ "/.*", "/.git/config", true },
		{ "/.*", "/index.html", false },
		{ "/..*", "/..x", true },
		{ "/..*", "/x", false },
		{ "/a/.*", "/a/.x", true },
		{ "/a/.*", "/a/x", false },
		{ "/a/./.*", "/a/.x", true },
		{ "/.well-known/*", "/.well-known/x", true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct parsed parsed;

		if (!parsed_init(&parsed, rows[i].pattern))
			fail_msg("%s: %s", rows[i].pattern, parsed.err.text);
		if (path_pattern_matches(&parsed.pattern, span_text(rows[i].path), parsed.captures) != rows[i].fits)
			fail_msg("%s and %s", rows[i].pattern, rows[i].path);
		arena_fini(&parsed.arena);
	}
}

static void
captures_segments(void **state)
{
	struct parsed parsed;
	struct path_pattern other;
	struct span captures[NAMES] = { 0 };

	assert_true(parsed_init(&parsed, "/{a}/x/{b}/*"));
	assert_true(path_pattern_matches(&parsed.pattern, SPAN_OF("/one%2F1/x/two/three"), captures));
	assert_true(span_is(captures[0], "one%2F1") && span_is(captures[1], "two"));

	/* Patterns of one route share the names. */
	assert_true(path_pattern_parse(SPAN_OF("/y/{b}/{c}"), &parsed.names, &parsed.arena, &other, &parsed.err));
	assert_int_equal(parsed.names.count, 3);
	assert_true(path_pattern_matches(&other, SPAN_OF("/y/2/3"), captures));
	assert_true(span_is(captures[1], "2") && span_is(captures[2], "3"));
	arena_fini(&parsed.arena);
}

static void
refuses(void **state)
{
	static const struct { const char *pattern, *why; } rows[] = {
		{ "", "begins with /" },
		{ "a", "begins with /" },
		{ "{id}", "begins with /" },
		{ "/{a}/x/{a}", "two captures of one name" },
		{ "**", "begins with /" },
		{ "/**", "at the end" },
		{ "/a b", "no valid path" },
		{ "/a*b", "at the end" },
		{ "/*/b", "at the end" },
		{ "/{id", "without its }" },
		{ "/{}", "no name" },
		{ "/{1st}", "no name" },
		{ "/{a-b}", "no name" },
		{ "/{abcdefghijklmnopqrstuvwxyzabcdefg}", "no name" },
		{ "/a{id}", "whole segment" },
		{ "/{id}b", "whole segment" },
		{ "/{id}*", "whole segment" },
		{ "/{a}{b}", "whole segment" },
		{ "/{a}/{b}/{c}/{d}/{e}", "more than 4" },
		{ "/..", "no valid path" },
		{ "/%zz", "no valid path" },
		{ "/%4*", "no valid path" },
		{ "/a#b", "no valid path" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct parsed parsed;

		assert_false(parsed_init(&parsed, rows[i].pattern));
		if (strstr(parsed.err.text, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].pattern, parsed.err.text);
		arena_fini(&parsed.arena);
	}
}

static void
refuses_endless_patterns(void **state)
{
	struct parsed parsed;
	char text[1024] = "";
	size_t len = 0;

	for (unsigned i = 0; i < 60; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "/{a%u}", i);
	assert_false(parsed_init(&parsed, text));
	assert_non_null(strstr(parsed.err.text, "captures in one route"));
	arena_fini(&parsed.arena);
}

static void
knows_what_it_hides(void **state)
{
	static const struct { const char *earlier, *later; bool covers; } rows[] = {
		{ "/a", "/a", true },
		{ "/a", "/b", false },
		{ "/*", "/a", true },
		{ "/*", "/a/*", true },
		{ "/*", "/{x}", true },
		{ "*", "/a*", true },
		{ "/*", "*", false },		/* which fits OPTIONS * too */
		{ "/a/*", "/a", false },
		{ "/a/*", "/a/b/c*", true },
		{ "/a*", "/a/*", true },
		{ "/a/*", "/a*", false },
		{ "/{x}", "/a", true },
		{ "/{x}", "/{y}", true },
		{ "/a", "/{x}", false },
		{ "/{x}", "/a/b", false },
		{ "/{x}", "/a*", false },
		{ "/{x}/*", "/a/*", true },
		{ "/{x}/*", "/{y}/b", true },
		{ "/a/{x}/*", "/a/*", false },	/* "/a/" fits the later one only */
		{ "/{x}/b", "/{y}/{z}", false },
		{ "/{x}/{y}", "/{z}/b", true },
		{ "/.*", "/.git", true },
		{ "/.*", "/git", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct parsed earlier, later;

		assert_true(parsed_init(&earlier, rows[i].earlier));
		assert_true(parsed_init(&later, rows[i].later));
		if (path_pattern_covers(&earlier.pattern, &later.pattern, &earlier.arena) != rows[i].covers)
			fail_msg("%s before %s", rows[i].earlier, rows[i].later);
		arena_fini(&earlier.arena);
		arena_fini(&later.arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fits_what_it_says),
		cmocka_unit_test(captures_segments),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_endless_patterns),
		cmocka_unit_test(knows_what_it_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
