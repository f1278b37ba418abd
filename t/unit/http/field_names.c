/* rooms: base http */
#include "base/memory.h"
#include "http/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <ctype.h>

#include <cmocka.h>

/* From memory without a byte to spare on either side, so that a sanitizer sees any read past the name. */
static enum field_name
id_of(const char *name, size_t length)
{
	char *copy = memory_alloc(length > 0 ? length : 1);
	enum field_name id;

	memcpy(copy, name, length);
	id = field_name_of(span_make(copy, length));
	memory_free(copy);
	return id;
}

static void
test_every_name_is_found_in_any_case(void **state)
{
	char name[64];

	for (unsigned id = 1; id < FIELD_NAME_COUNT; id++) {
		struct span text = field_name_text((enum field_name)id);

		assert_true(text.len > 0 && text.len < sizeof(name));
		assert_int_equal(id_of(text.at, text.len), id);
		for (size_t i = 0; i < text.len; i++)
			name[i] = (char)tolower((unsigned char)text.at[i]);
		assert_int_equal(id_of(name, text.len), id);
		for (size_t i = 0; i < text.len; i++)
			name[i] = (char)(i % 2 ? toupper((unsigned char)text.at[i]) : name[i]);
		assert_int_equal(id_of(name, text.len), id);
	}
}

/* One byte changed to any other makes another name: also to one that differs in the bit that folds case. */
static void
test_no_neighbour_is_taken_for_a_name(void **state)
{
	char name[64];

	for (unsigned id = 1; id < FIELD_NAME_COUNT; id++) {
		struct span text = field_name_text((enum field_name)id);

		memcpy(name, text.at, text.len);
		for (size_t i = 0; i < text.len; i++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				if (byte_lower((char)byte) == byte_lower(text.at[i]))
					continue;
				name[i] = (char)byte;
				assert_int_not_equal(field_name_of(span_make(name, text.len)), id);
			}
			name[i] = text.at[i];
		}
		assert_int_not_equal(id_of(name, text.len - 1), id);
		name[text.len] = 'x';
		assert_int_not_equal(id_of(name, text.len + 1), id);
	}
}

static void
test_other_names(void **state)
{
	assert_int_equal(id_of("", 0), FIELD_OTHER);
	assert_int_equal(id_of("x", 1), FIELD_OTHER);
	assert_int_equal(id_of("X-Own-Field", 11), FIELD_OTHER);
	assert_int_equal(id_of("a-name-that-is-longer-than-every-row-of-the-table", 49), FIELD_OTHER);
	assert_int_equal(field_name_text(FIELD_OTHER).len, 0);
}

static void
test_init_twice_changes_nothing(void **state)
{
	field_names_init();
	assert_int_equal(field_name_of(SPAN_OF("host")), FIELD_HOST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_name_is_found_in_any_case),
		cmocka_unit_test(test_no_neighbour_is_taken_for_a_name),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_init_twice_changes_nothing),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
