/* rooms: base */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool
is_aligned(const void *at)
{
	return (uintptr_t)at % 16 == 0;
}

static void
test_pieces_are_aligned_and_apart(void **state)
{
	struct arena arena;
	char *pieces[200];

	arena_init(&arena, 256);
	for (size_t i = 0; i < 200; i++) {
		pieces[i] = arena_alloc(&arena, i);
		assert_true(is_aligned(pieces[i]));
		memset(pieces[i], (int)i, i);
		arena_copy(&arena, SPAN_OF("odd"));	/* the next must be aligned all the same */
	}
	for (size_t i = 0; i < 200; i++) {
		for (size_t j = 0; j < i; j++)
			assert_int_equal((unsigned char)pieces[i][j], i);
	}
	arena_fini(&arena);
}

static void
test_copies_are_packed(void **state)
{
	struct arena arena;
	struct span a, b;

	arena_init(&arena, 256);
	a = arena_copy(&arena, SPAN_OF("abc"));
	b = arena_copy(&arena, SPAN_OF("de"));
	assert_true(span_is(a, "abc"));
	assert_true(span_is(b, "de"));
	assert_ptr_equal(a.at + 3, b.at);
	assert_int_equal(arena.used, 5);
	arena_fini(&arena);
}

static void
test_zalloc_zeroes_what_was_used_before(void **state)
{
	struct arena arena;
	unsigned char *bytes;

	arena_init(&arena, 256);
	memset(arena_alloc(&arena, 128), 0xff, 128);
	arena_reset(&arena);
	bytes = arena_zalloc(&arena, 128);
	for (size_t i = 0; i < 128; i++)
		assert_int_equal(bytes[i], 0);
	arena_fini(&arena);
}

static void
test_reset_keeps_the_first_block(void **state)
{
	struct arena arena;
	char *first;

	arena_init(&arena, 256);
	first = arena_alloc(&arena, 16);
	for (int i = 0; i < 100; i++)
		(void)arena_alloc(&arena, 100);
	(void)arena_alloc(&arena, 100000);
	assert_int_equal(arena.used, 16 + 100 * 100 + 100000);
	arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	assert_ptr_equal(arena_alloc(&arena, 16), first);
	assert_ptr_equal(arena.end - arena.next, 256 - 16);
	arena_fini(&arena);
}

/* A big piece that comes first must not become the block that is kept. */
static void
test_reset_does_not_keep_a_big_block(void **state)
{
	struct arena arena;

	arena_init(&arena, 256);
	memset(arena_alloc(&arena, 1000000), 'x', 1000000);
	arena_reset(&arena);
	(void)arena_alloc(&arena, 16);
	assert_true(arena.end - arena.next < 256);
	arena_fini(&arena);
}

static void
test_big_piece_leaves_the_open_block_open(void **state)
{
	struct arena arena;
	char *before, *big, *after;

	arena_init(&arena, 1024);
	before = arena_alloc(&arena, 16);
	big = arena_alloc(&arena, 4096);
	after = arena_alloc(&arena, 16);
	memset(big, 'x', 4096);
	assert_true(is_aligned(big));
	assert_ptr_equal(after, before + 16);
	arena_fini(&arena);
}

static void
test_blocks_double(void **state)
{
	struct arena arena;

	arena_init(&arena, 128);
	for (int i = 0; i < 8; i++)
		(void)arena_alloc(&arena, 16);
	(void)arena_alloc(&arena, 16);
	assert_int_equal(arena.end - arena.next, 256 - 16);
	arena_fini(&arena);
}

static void
test_texts(void **state)
{
	struct arena *arena = arena_create(64);
	char long_text[301];
	struct span joined;

	memset(long_text, 'y', 300);
	long_text[300] = '\0';
	assert_string_equal(arena_text(arena, SPAN_OF("abc")), "abc");
	assert_string_equal(arena_text(arena, span_make(NULL, 0)), "");
	assert_string_equal(arena_format(arena, "%s-%d", "worker", 3), "worker-3");
	assert_string_equal(arena_format(arena, "%s", long_text), long_text);
	joined = arena_join(arena, SPAN_OF("ab"), SPAN_OF("cd"));
	assert_true(span_is(joined, "abcd"));
	assert_true(span_is(arena_join(arena, span_make(NULL, 0), SPAN_OF("cd")), "cd"));
	assert_non_null(arena_copy(arena, span_make(NULL, 0)).at);
	assert_true(span_is(arena_lower_case(arena, SPAN_OF("WWW.Example.COM")), "www.example.com"));
	assert_ptr_equal(arena_lower_case(arena, joined).at, joined.at);
	arena_free(arena);
	arena_free(NULL);
}

static void
test_fini_twice(void **state)
{
	struct arena arena;

	arena_init(&arena, 64);
	(void)arena_alloc(&arena, 10);
	arena_fini(&arena);
	arena_fini(&arena);
	memset(arena_alloc(&arena, 10), 'x', 10);	/* and it can be used again */
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_aligned_and_apart),
		cmocka_unit_test(test_copies_are_packed),
		cmocka_unit_test(test_zalloc_zeroes_what_was_used_before),
		cmocka_unit_test(test_reset_keeps_the_first_block),
		cmocka_unit_test(test_reset_does_not_keep_a_big_block),
		cmocka_unit_test(test_big_piece_leaves_the_open_block_open),
		cmocka_unit_test(test_blocks_double),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_fini_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
