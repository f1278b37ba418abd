/* rooms: base http codec */
#include "codec/h2_memory.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_pieces_of_every_size(void **state)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 511, 512, 513, 16394, 100000 };
	nghttp2_mem *memory = h2_memory();
	char *pieces[10];

	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < 10; i++) {
			pieces[i] = memory->malloc(sizes[i], NULL);
			assert_non_null(pieces[i]);
			assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
			memset(pieces[i], (int)i, sizes[i]);
		}
		for (size_t i = 0; i < 10; i++) {
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(pieces[i][k], i);
			memory->free(pieces[i], NULL);
		}
	}
	memory->free(NULL, NULL);
}

static void
test_zeroed(void **state)
{
	nghttp2_mem *memory = h2_memory();
	char *piece = memory->malloc(100, NULL);

	memset(piece, 'x', 100);
	memory->free(piece, NULL);
	piece = memory->calloc(10, 10, NULL);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(piece[i], 0);
	memory->free(piece, NULL);
	piece = memory->calloc(0, 10, NULL);
	assert_non_null(piece);
	memory->free(piece, NULL);
}

static void
test_growing(void **state)
{
	nghttp2_mem *memory = h2_memory();
	char *piece = memory->realloc(NULL, 10, NULL);

	memset(piece, 'a', 10);
	for (size_t size = 11; size < 5000; size += 37) {
		piece = memory->realloc(piece, size, NULL);
		for (size_t i = 0; i < 10; i++)
			assert_int_equal(piece[i], 'a');
		piece[size - 1] = 'z';
	}
	piece = memory->realloc(piece, 5, NULL);
	assert_memory_equal(piece, "aaaaa", 5);
	memory->free(piece, NULL);
}

enum { BUFFER = 16394, MANY = 600 };

/* More buffers for frames than one slab has, given back in another order. */
static void
test_many_buffers(void **state)
{
	nghttp2_mem *memory = h2_memory();
	static char *buffers[MANY];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			buffers[i] = memory->realloc(NULL, BUFFER, NULL);
			memcpy(buffers[i], &i, sizeof(i));
			memcpy(buffers[i] + BUFFER - sizeof(i), &i, sizeof(i));
		}
		for (unsigned i = 0; i < MANY; i++) {
			assert_memory_equal(buffers[i], &i, sizeof(i));
			assert_memory_equal(buffers[i] + BUFFER - sizeof(i), &i, sizeof(i));
		}
		for (unsigned i = 0; i < MANY; i++)
			memory->free(buffers[(i * 7 + 3) % MANY], NULL);
	}
}

static void
test_a_buffer_that_grows(void **state)
{
	nghttp2_mem *memory = h2_memory();
	char *buffer = memory->malloc(BUFFER, NULL);

	memset(buffer, 'b', BUFFER);
	buffer = memory->realloc(buffer, 20480, NULL);
	buffer = memory->realloc(buffer, 40000, NULL);
	for (unsigned i = 0; i < BUFFER; i++)
		assert_int_equal(buffer[i], 'b');
	memory->free(buffer, NULL);
	buffer = memory->calloc(1, BUFFER, NULL);
	for (unsigned i = 0; i < BUFFER; i++)
		assert_int_equal(buffer[i], 0);
	memory->free(buffer, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_of_every_size),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_many_buffers),
		cmocka_unit_test(test_a_buffer_that_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
