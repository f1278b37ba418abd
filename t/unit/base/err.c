/* rooms: base */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_sentences(void **state)
{
	struct err err;

	assert_false(err_set(&err, "cannot bind %s:%d", "0.0.0.0", 80));
	assert_string_equal(err.text, "cannot bind 0.0.0.0:80");
	errno = EACCES;
	assert_false(err_set_errno(&err, "cannot open %s", "x"));
	assert_string_equal(err.text, "cannot open x: Permission denied");
	assert_int_equal(errno, EACCES);
	assert_false(err_prefix(&err, "%s:%d", "reeve.yaml", 3));
	assert_string_equal(err.text, "reeve.yaml:3: cannot open x: Permission denied");
}

static void
test_own_sentence_as_argument(void **state)
{
	struct err err;

	err_set(&err, "inner");
	err_set(&err, "outer (%s)", err.text);
	assert_string_equal(err.text, "outer (inner)");
	errno = ENOENT;
	err_set_errno(&err, "<%s>", err.text);
	assert_string_equal(err.text, "<outer (inner)>: No such file or directory");
}

static void
test_too_long_is_cut(void **state)
{
	struct err err;
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	errno = ENOENT;
	err_set_errno(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void
test_nobody_listens(void **state)
{
	assert_false(err_set(NULL, "x"));
	assert_false(err_set_errno(NULL, "x"));
	assert_false(err_prefix(NULL, "x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_own_sentence_as_argument),
		cmocka_unit_test(test_too_long_is_cut),
		cmocka_unit_test(test_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
