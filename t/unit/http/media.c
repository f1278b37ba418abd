/* rooms: base http */
#include "http/media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;

static int
setup(void **state)
{
	arena_init(&arena, 4096);
	return 0;
}

static int
teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

static bool
type_is(const struct media_types *types, const char *file_name, const char *type)
{
	return span_is(media_type_of(types, span_text(file_name)), type);
}

static void
test_built_in(void **state)
{
	const struct media_types *types = media_types_create(&arena, (struct span){ NULL, 0 });

	assert_true(type_is(types, "index.html", "text/html; charset=utf-8"));
	assert_true(type_is(types, "a.js", "text/javascript; charset=utf-8"));
	assert_true(type_is(types, "a.json", "application/json"));
	assert_true(type_is(types, "a.svg", "image/svg+xml"));
	assert_true(type_is(types, "a.wasm", "application/wasm"));
	assert_true(type_is(types, "a.woff2", "font/woff2"));
	assert_true(type_is(types, "a.webmanifest", "application/manifest+json"));
	assert_true(type_is(types, "a.JPEG", "image/jpeg"));
}

static void
test_the_last_extension_counts(void **state)
{
	const struct media_types *types = media_types_create(&arena, (struct span){ NULL, 0 });

	assert_true(type_is(types, "a.html.png", "image/png"));
	assert_true(type_is(types, "/dir.html/a.png", "image/png"));
	assert_true(type_is(types, "a.tar.gz", "application/gzip"));
	assert_true(type_is(types, ".html", "text/html; charset=utf-8"));
}

static void
test_unknown(void **state)
{
	static const char *const names[] = {
		"", "a", "a.", "a.unknown", "/dir.html/a", "html", "a.html/", "a.html ",
		"a.an-extension-longer-than-any-that-is-known", "a.h", "a.htmlx",
	};
	const struct media_types *types = media_types_create(&arena, (struct span){ NULL, 0 });

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(type_is(types, names[i], "application/octet-stream"));
}

static void
test_the_lines_of_the_system_go_first(void **state)
{
	static const struct span mime_types =
	    SPAN("# a comment html\n"
	         "application/x-own\town OWN2 # not this\r\n"
	         "text/x-markdown   md\n"
	         "application/javascript js mjs\n"
	         "\n"
	         "application/no-extension\n"
	         "nonsense png\n"
	         "/x gif\n"
	         "a/b/c gif\n"
	         "text/<x> css\n"
	         "image/x-last last");
	const struct media_types *types = media_types_create(&arena, mime_types);

	assert_true(type_is(types, "a.own", "application/x-own"));
	assert_true(type_is(types, "a.own2", "application/x-own"));
	assert_true(type_is(types, "a.not", "application/octet-stream"));
	assert_true(type_is(types, "a.md", "text/x-markdown; charset=utf-8"));
	assert_true(type_is(types, "a.js", "application/javascript"));
	assert_true(type_is(types, "a.last", "image/x-last"));
	assert_true(type_is(types, "a.png", "image/png"));
	assert_true(type_is(types, "a.gif", "image/gif"));
	assert_true(type_is(types, "a.css", "text/css; charset=utf-8"));
	assert_true(type_is(types, "a.html", "text/html; charset=utf-8"));
}

static void
test_many_lines_find_room(void **state)
{
	static char lines[64 * 1024];
	size_t length = 0;
	char name[32], type[32];
	const struct media_types *types;

	for (int i = 0; i < 2000; i++)
		length += (size_t)snprintf(lines + length, sizeof(lines) - length, "image/x-%d e%d\n", i, i);
	types = media_types_create(&arena, span_make(lines, length));
	memset(lines, 'x', sizeof(lines));	/* the table keeps nothing of the file's bytes */
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "a.e%d", i);
		snprintf(type, sizeof(type), "image/x-%d", i);
		assert_true(type_is(types, name, type));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_built_in),
		cmocka_unit_test(test_the_last_extension_counts),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_the_lines_of_the_system_go_first),
		cmocka_unit_test(test_many_lines_find_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
