/* rooms: base http */
#include "http/uri.h"
#include "base/memory.h"

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

struct row {
	const char	*path;
	const char	*normal;
};

static void
check_rows(const struct row *rows, size_t count)
{
	struct span normal, again;
	char *copy;

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(rows[i].path);

		copy = memory_alloc(length);	/* without a byte to spare */
		memcpy(copy, rows[i].path, length);
		if (!uri_path_normalise(span_make(copy, length), &arena, &normal) || !span_is(normal, rows[i].normal))
			fail_msg("%s becomes %.*s", rows[i].path, (int)normal.len, normal.at);
		if (strcmp(rows[i].path, rows[i].normal) == 0)
			assert_ptr_equal(normal.at, copy);
		assert_true(uri_path_normalise(normal, &arena, &again));
		assert_ptr_equal(again.at, normal.at);
		memory_free(copy);
	}
}

#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof((rows)[0]))

static void
test_normal_already(void **state)
{
	static const struct row rows[] = {
		{ "/", "/" },
		{ "/a/b.c/d-e_f~g", "/a/b.c/d-e_f~g" },
		{ "/!$&'()*+,;=:@", "/!$&'()*+,;=:@" },
		{ "/.a/..b/c./d../...", "/.a/..b/c./d../..." },
		{ "/%20/%2F/%25", "/%20/%2F/%25" },
		{ "/%C3%A4", "/%C3%A4" },
		{ "/%0A%7F", "/%0A%7F" },
	};

	CHECK_ROWS(rows);
}

static void
test_one_spelling(void **state)
{
	static const struct row rows[] = {
		{ "/%41%7a%30%2d%2E%5f%7E", "/Az0-._~" },
		{ "/%c3%a4", "/%C3%A4" },
		{ "/\xc3\xa4\xff", "/%C3%A4%FF" },
		{ "/\"<>\\^`{|}[]", "/%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D" },
		{ "/a%2fb", "/a%2Fb" },
		{ "/a%5cb", "/a%5Cb" },
		{ "/%2541", "/%2541" },
		{ "/a?b", "/a%3Fb" },
		{ "/%21%2a", "/%21%2A" },	/* sub-delims have a meaning when they are not encoded */
	};

	CHECK_ROWS(rows);
}

static void
test_dot_segments(void **state)
{
	static const struct row rows[] = {
		{ "/.", "/" },
		{ "/./", "/" },
		{ "/a/.", "/a/" },
		{ "/a/./b", "/a/b" },
		{ "/a/..", "/" },
		{ "/a/../", "/" },
		{ "/a/../b", "/b" },
		{ "/a/b/../../c/./d/..", "/c/" },
		{ "/a/b/c/../../../d", "/d" },
		{ "//", "/" },
		{ "///", "/" },
		{ "/a//b///", "/a/b/" },
		{ "//a", "/a" },
		{ "/%2f/a", "/%2F/a" },
		{ "/./" "/a", "/a" },
		{ "/a//../b", "/b" },
		{ "/a//..//b", "/b" },
		{ "/a/%2e%2e/b", "/b" },
		{ "/a/.%2E/b", "/b" },
		{ "/a/%2e/b", "/a/b" },
		{ "/a/..%2fb", "/a/..%2Fb" },	/* one segment, whose name happens to hold a slash */
		{ "/a/%2e%2e%2f..", "/a/..%2F.." },
		{ "/a/..\\..\\b", "/a/..%5C..%5Cb" },
		{ "/a/...", "/a/..." },
		{ "/a/..;/b", "/a/..;/b" },
	};

	CHECK_ROWS(rows);
}

static void
test_refused(void **state)
{
	static const struct span rows[] = {
		SPAN(""), SPAN("a"), SPAN("*"), SPAN("."), SPAN("../a"), SPAN("%2fa"), SPAN("/.."),
		SPAN("/../"), SPAN("/../a"), SPAN("/a/../.."), SPAN("/a/../../b"), SPAN("/./.."),
		SPAN("/%2e%2e"), SPAN("/%2e./a"), SPAN("/.%2e/a"), SPAN("//../.."), SPAN("//.."), SPAN("//../a"), SPAN("/a/b/../../../c/d"),
		SPAN("/%"), SPAN("/%4"), SPAN("/%4g"), SPAN("/%g4"), SPAN("/a%%41"), SPAN("/%00"),
		SPAN("/a%00b"), SPAN("/\0"), SPAN("/a\r\n"), SPAN("/a\tb"), SPAN("/a b"), SPAN("/\x7f"),
		SPAN("/\x1f"), SPAN("/a#b"), SPAN("/%u0041"),
	};
	struct span normal;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (uri_path_normalise(rows[i], &arena, &normal))
			fail_msg("taken: %.*s", (int)rows[i].len, rows[i].at);
	}
}

/* Every path of a few hard bytes: normal once is normal for ever, below the root, and without dot segments. */
static void
test_all_short_paths(void **state)
{
	static const char *const parts[] = { "/", ".", "a", "%2e", "%2F", "%" };
	struct text { char bytes[32]; size_t length; } path;
	struct span normal, again, rest, segment;

	for (unsigned number = 0; number < 6 * 6 * 6 * 6 * 6 * 6; number++) {
		path.length = 1;
		path.bytes[0] = '/';
		for (unsigned i = 0, left = number; i < 6; i++, left /= 6) {
			memcpy(path.bytes + path.length, parts[left % 6], strlen(parts[left % 6]));
			path.length += strlen(parts[left % 6]);
		}
		if (!uri_path_normalise(span_make(path.bytes, path.length), &arena, &normal))
			continue;
		assert_true(uri_path_normalise(normal, &arena, &again));
		assert_ptr_equal(again.at, normal.at);
		assert_int_equal(normal.at[0], '/');
		rest = normal;
		while (span_cut(&rest, '/', &segment))
			assert_false(span_is(segment, ".") || span_is(segment, ".."));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal_already),
		cmocka_unit_test(test_one_spelling),
		cmocka_unit_test(test_dot_segments),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_all_short_paths),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
