/* rooms: base http codec */
#include "codec/h2_nv.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;
static struct fields fields;

static int
begin(void **state)
{
	arena_init(&arena, 512);
	fields_init(&fields, &arena, NULL, 0);
	return 0;
}

static int
end(void **state)
{
	arena_fini(&arena);
	return 0;
}

static void
check_pair(const nghttp2_nv *pair, const char *name, const char *value)
{
	assert_int_equal(pair->namelen, strlen(name));
	assert_int_equal(pair->valuelen, strlen(value));
	assert_memory_equal(pair->name, name, pair->namelen);
	if (pair->valuelen > 0)
		assert_memory_equal(pair->value, value, pair->valuelen);
	assert_int_equal(pair->flags, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

static void
test_every_known_name_has_its_lower_case(void **state)
{
	for (unsigned id = 1; id < FIELD_NAME_COUNT; id++) {
		const struct field field = { .id = (enum field_name)id, .name = SPAN("ignored") };
		struct span lower = h2_name_lower(&field, &arena);

		assert_true(span_equal_nocase(lower, field_name_text(field.id)));
		for (size_t i = 0; i < lower.len; i++)
			assert_int_equal(byte_lower(lower.at[i]), lower.at[i]);
	}
	assert_int_equal(arena.used, 0);
}

static void
test_fields_are_laid_down(void **state)
{
	nghttp2_nv pairs[16];

	fields_add_named(&fields, SPAN_OF("Content-Type"), SPAN_OF("text/plain"));
	fields_add_named(&fields, SPAN_OF("X-Own"), SPAN_OF("Kept As It Is"));
	fields_add_named(&fields, SPAN_OF("Connection"), SPAN_OF("close"));
	fields_add_named(&fields, SPAN_OF("Keep-Alive"), SPAN_OF("timeout=5"));
	fields_add_named(&fields, SPAN_OF("Proxy-Connection"), SPAN_OF("close"));
	fields_add_named(&fields, SPAN_OF("Transfer-Encoding"), SPAN_OF("chunked"));
	fields_add_named(&fields, SPAN_OF("Upgrade"), SPAN_OF("h2c"));
	fields_add_named(&fields, SPAN_OF("Host"), SPAN_OF("a"));
	fields_add_named(&fields, SPAN_OF("x-low"), SPAN_OF(""));
	assert_int_equal(h2_nv_lay(pairs, &fields, H2_BIT(HOST), &arena), 3);
	check_pair(&pairs[0], "content-type", "text/plain");
	check_pair(&pairs[1], "x-own", "Kept As It Is");
	check_pair(&pairs[2], "x-low", "");
}

/* Whatever a template of the configuration holds. */
static void
test_values_are_made_good(void **state)
{
	nghttp2_nv pairs[8];

	fields_add_named(&fields, SPAN_OF("A"), SPAN_OF("  around \t"));
	fields_add_named(&fields, SPAN_OF("B"), SPAN_OF("a\r\nb\x01\x7f" "c\td\x80"));
	fields_add_named(&fields, SPAN_OF("C"), SPAN_OF(" \t "));
	fields_add_named(&fields, SPAN_OF("D"), span_make(NULL, 0));
	fields_add_named(&fields, SPAN_OF("E"), SPAN_OF("\r\nx\n"));
	assert_int_equal(h2_nv_lay(pairs, &fields, 0, &arena), 5);
	check_pair(&pairs[0], "a", "around");
	check_pair(&pairs[1], "b", "a  b  c\td\x80");
	check_pair(&pairs[2], "c", "");
	check_pair(&pairs[3], "d", "");
	check_pair(&pairs[4], "e", "x");
}

static void
test_fields_that_come(void **state)
{
	char name[] = "x-own", value[] = "1";

	h2_field_take(&fields, span_text(name), span_text(value));
	h2_field_take(&fields, SPAN_OF("content-type"), SPAN_OF("t"));
	memset(name, '-', sizeof(name) - 1);
	value[0] = '-';
	assert_int_equal(fields.count, 2);
	assert_true(span_is(fields.items[0].name, "x-own"));
	assert_true(span_is(fields.items[0].value, "1"));
	assert_int_equal(fields.items[1].id, FIELD_CONTENT_TYPE);
	assert_true(span_is(fields.items[1].name, "Content-Type"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_known_name_has_its_lower_case, begin, end),
		cmocka_unit_test_setup_teardown(test_fields_are_laid_down, begin, end),
		cmocka_unit_test_setup_teardown(test_values_are_made_good, begin, end),
		cmocka_unit_test_setup_teardown(test_fields_that_come, begin, end),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
