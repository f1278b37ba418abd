/* rooms: base ipc loop */
#include "ipc/pack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_back_and_forth(void **state)
{
	struct text text = { 0 };
	struct unpack unpack;

	pack_number(&text, UINT64_MAX);
	pack_flag(&text, true);
	pack_span(&text, SPAN_OF("a\0b"));
	pack_flag(&text, false);
	pack_span(&text, (struct span){ 0 });
	unpack = unpack_begin(text_span(&text));
	assert_true(unpack_number(&unpack) == UINT64_MAX);
	assert_true(unpack_flag(&unpack));
	assert_true(span_equal(unpack_span(&unpack), SPAN_OF("a\0b")));
	assert_false(unpack_flag(&unpack));
	assert_false(unpack_end(&unpack));
	assert_int_equal(unpack_span(&unpack).len, 0);
	assert_true(unpack_end(&unpack));
	text_fini(&text);
}

/* Every shorter piece of a good packing is refused without reading past its end. */
static void
test_cut_short(void **state)
{
	struct text text = { 0 };

	pack_number(&text, 7);
	pack_span(&text, SPAN_OF("0123456789"));
	pack_flag(&text, true);
	for (size_t len = 0; len < text.len; len++) {
		struct unpack unpack = unpack_begin(span_make(text.bytes, len));

		unpack_number(&unpack);
		assert_true(unpack_span(&unpack).len == 10 || unpack.is_broken);
		assert_false(unpack_flag(&unpack));
		assert_false(unpack_end(&unpack));
	}
	text_fini(&text);
}

static void
test_broken_stays_broken(void **state)
{
	struct text text = { 0 };
	struct unpack unpack;

	pack_number(&text, UINT64_MAX - 3);	/* a length that would wrap */
	pack_number(&text, 5);
	unpack = unpack_begin(text_span(&text));
	assert_int_equal(unpack_span(&unpack).len, 0);
	assert_true(unpack_number(&unpack) == 0);
	assert_false(unpack_end(&unpack));
	text_clear(&text);
	text_add(&text, SPAN_OF("\2"));
	unpack = unpack_begin(text_span(&text));
	assert_false(unpack_flag(&unpack));
	assert_false(unpack_end(&unpack));
	text_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_and_forth),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_broken_stays_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
