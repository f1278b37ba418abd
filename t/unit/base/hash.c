/* rooms: base */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What an independent SipHash-1-3 (CPython's, key zero) says. */
static void
test_is_siphash_1_3(void **state)
{
	assert_true(hash_span(0, SPAN_OF("a")) == UINT64_C(0x407448d2b89b1813));
	assert_true(hash_span(0, SPAN_OF("reeve")) == UINT64_C(0xccd7433a9bbecae0));
	assert_true(hash_span(0, SPAN_OF("12345678")) == UINT64_C(0x3489982430560a87));
	assert_true(hash_span(0, SPAN_OF("GET /index.html HTTP/1.1")) == UINT64_C(0x529ed32a9e0af914));
}

static void
test_seed_length_and_bytes_count(void **state)
{
	const char zeroes[16] = { 0 };

	assert_true(hash_span(1, SPAN_OF("a")) != hash_span(2, SPAN_OF("a")));
	for (size_t len = 0; len < 16; len++)
		assert_true(hash_span(1, span_make(zeroes, len)) != hash_span(1, span_make(zeroes, len + 1)));
	assert_true(hash_span(1, span_make(NULL, 0)) == hash_span(1, SPAN_OF("")));
}

static void
test_alignment_does_not_matter(void **state)
{
	char room[32];
	uint64_t expected = hash_span(5, SPAN_OF("0123456789abcdef"));

	for (size_t offset = 0; offset < 8; offset++) {
		memcpy(room + offset, "0123456789abcdef", 16);
		assert_true(hash_span(5, span_make(room + offset, 16)) == expected);
	}
}

static void
test_mix_heeds_the_order(void **state)
{
	assert_true(hash_mix(1, 2) != hash_mix(2, 1));
	assert_true(hash_mix(0, 0) != hash_mix(0, 1));
	assert_true(hash_mix(0, 0) != hash_mix(1, 0));
	assert_true(hash_mix(3, 4) == hash_mix(3, 4));
}

static void
test_random_bytes(void **state)
{
	unsigned char a[1000] = { 0 }, b[1000] = { 0 };
	int zeroes = 0;

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zeroes += a[i] == 0;
	assert_true(zeroes < 40);
	random_bytes(a, 0);
}

/* Each of ten gets its tenth of 100000, within what chance allows once in a billion runs or so. */
static void
test_below_is_even(void **state)
{
	int counts[10] = { 0 };

	for (int i = 0; i < 100000; i++) {
		uint64_t number = random_below(10);

		assert_true(number < 10);
		counts[number]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(counts[i], 9400, 10600);
	assert_int_equal(random_below(1), 0);
	assert_true(random_number() != random_number());
}

static void
test_child_does_not_repeat_its_parent(void **state)
{
	int pipe_ends[2];
	uint64_t mine, of_child = 0;

	(void)random_number();
	assert_int_equal(pipe(pipe_ends), 0);
	if (fork() == 0) {
		of_child = random_number();
		_exit(write(pipe_ends[1], &of_child, sizeof(of_child)) != sizeof(of_child));
	}
	mine = random_number();
	assert_int_equal(read(pipe_ends[0], &of_child, sizeof(of_child)), sizeof(of_child));
	assert_true(mine != of_child);
	wait(NULL);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_siphash_1_3),
		cmocka_unit_test(test_seed_length_and_bytes_count),
		cmocka_unit_test(test_alignment_does_not_matter),
		cmocka_unit_test(test_mix_heeds_the_order),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_below_is_even),
		cmocka_unit_test(test_child_does_not_repeat_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
