/* rooms: base */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define assert_span(span, text) assert_true(span_is((span), (text)))

static const struct span nothing = { NULL, 0 };

static void
test_equal(void **state)
{
	assert_true(span_equal(SPAN_OF("abc"), SPAN_OF("abc")));
	assert_false(span_equal(SPAN_OF("abc"), SPAN_OF("ab")));
	assert_false(span_equal(SPAN_OF("abc"), SPAN_OF("abC")));
	assert_true(span_equal(nothing, SPAN_OF("")));
	assert_true(span_is(SPAN_OF("x"), "x"));
	assert_true(span_is(nothing, NULL));
	assert_false(span_is(SPAN_OF("a\0b"), "a"));
}

static void
test_case_is_ascii_only(void **state)
{
	assert_true(span_equal_nocase(SPAN_OF("Content-LENGTH"), SPAN_OF("content-length")));
	assert_false(span_equal_nocase(SPAN_OF("Content-Length"), SPAN_OF("Content-Lengt")));
	/* These pairs differ in bit 5 only, as letters do, and are no letters. */
	assert_false(span_equal_nocase(SPAN_OF("["), SPAN_OF("{")));
	assert_false(span_equal_nocase(SPAN_OF("@"), SPAN_OF("`")));
	assert_false(span_equal_nocase(SPAN_OF("\xc4"), SPAN_OF("\xe4")));
}

static void
test_starts_and_ends(void **state)
{
	assert_true(span_starts_with(SPAN_OF("/files/a"), SPAN_OF("/files/")));
	assert_false(span_starts_with(SPAN_OF("/file"), SPAN_OF("/files/")));
	assert_true(span_starts_with(nothing, nothing));
	assert_true(span_ends_with(SPAN_OF("a.example.com"), SPAN_OF(".example.com")));
	assert_false(span_ends_with(SPAN_OF("example.com"), SPAN_OF(".example.com")));
	assert_true(span_ends_with(SPAN_OF("a"), nothing));
}

static void
test_compare_puts_the_prefix_first(void **state)
{
	assert_int_equal(span_compare(SPAN_OF("a"), SPAN_OF("a")), 0);
	assert_true(span_compare(SPAN_OF("a"), SPAN_OF("ab")) < 0);
	assert_true(span_compare(SPAN_OF("b"), SPAN_OF("ab")) > 0);
	assert_true(span_compare(nothing, SPAN_OF("a")) < 0);
	assert_true(span_compare(SPAN_OF("\xff"), SPAN_OF("a")) > 0);
}

static void
test_find(void **state)
{
	assert_int_equal(span_find(SPAN_OF("a=b=c"), '='), 1);
	assert_int_equal(span_find_last(SPAN_OF("a=b=c"), '='), 3);
	assert_int_equal(span_find(SPAN_OF("abc"), '='), 3);
	assert_int_equal(span_find_last(SPAN_OF("abc"), '='), 3);
	assert_int_equal(span_find(nothing, '='), 0);
	assert_int_equal(span_find_last(nothing, '='), 0);
	assert_int_equal(span_find(SPAN_OF("a\0b"), 'b'), 2);
}

static void
test_parts_never_leave_the_span(void **state)
{
	assert_span(span_skip(SPAN_OF("abc"), 1), "bc");
	assert_int_equal(span_skip(SPAN_OF("abc"), 4).len, 0);
	assert_span(span_first(SPAN_OF("abc"), 2), "ab");
	assert_span(span_first(SPAN_OF("abc"), 9), "abc");
	assert_int_equal(span_skip(nothing, 1).len, 0);
}

static void
test_trim_takes_only_space_and_tab(void **state)
{
	assert_span(span_trim(SPAN_OF(" \t a b\t ")), "a b");
	assert_span(span_trim(SPAN_OF(" \t ")), "");
	assert_span(span_trim(SPAN_OF("\ra\n")), "\ra\n");
	assert_int_equal(span_trim(nothing).len, 0);
}

static void
test_cut(void **state)
{
	struct span rest = SPAN("a,,bc");
	struct span part;

	assert_true(span_cut(&rest, ',', &part));
	assert_span(part, "a");
	assert_true(span_cut(&rest, ',', &part));
	assert_span(part, "");
	assert_true(span_cut(&rest, ',', &part));
	assert_span(part, "bc");
	assert_false(span_cut(&rest, ',', &part));
	rest = nothing;
	assert_false(span_cut(&rest, ',', &part));
}

static void
test_number(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1a", "0x1", "18446744073709551616",
		"99999999999999999999999" };
	uint64_t number = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(span_to_number(span_text(bad[i]), UINT64_MAX, &number));
	assert_false(span_to_number(SPAN_OF("1\0"), UINT64_MAX, &number));
	assert_int_equal(number, 7);
	assert_true(span_to_number(SPAN_OF("18446744073709551615"), UINT64_MAX, &number));
	assert_true(number == UINT64_MAX);
	assert_true(span_to_number(SPAN_OF("0065535"), 65535, &number));
	assert_int_equal(number, 65535);
	assert_false(span_to_number(SPAN_OF("65536"), 65535, &number));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_case_is_ascii_only),
		cmocka_unit_test(test_starts_and_ends),
		cmocka_unit_test(test_compare_puts_the_prefix_first),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_parts_never_leave_the_span),
		cmocka_unit_test(test_trim_takes_only_space_and_tab),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
