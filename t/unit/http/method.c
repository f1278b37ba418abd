/* rooms: base http */
#include "http/method.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_names_are_case_sensitive(void **state)
{
	assert_int_equal(http_method_of(SPAN_OF("GET")), HTTP_GET);
	assert_int_equal(http_method_of(SPAN_OF("get")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_of(SPAN_OF("GETS")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_of(SPAN_OF("GE")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_of(SPAN_OF("PROPFIND")), HTTP_METHOD_OTHER);
	assert_int_equal(http_method_of((struct span){ NULL, 0 }), HTTP_METHOD_OTHER);
}

static void
test_every_name_comes_back(void **state)
{
	for (unsigned method = 0; method < HTTP_METHOD_OTHER; method++)
		assert_int_equal(http_method_of(span_text(http_method_name((enum http_method)method))), method);
	assert_string_equal(http_method_name(HTTP_DELETE), "DELETE");
	assert_string_equal(http_method_name(HTTP_METHOD_OTHER), "");
}

/* RFC 9110 §9.2.1, §9.2.2 */
static void
test_promises(void **state)
{
	static const enum http_method safe[] = { HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_TRACE };
	static const enum http_method neither[] = { HTTP_POST, HTTP_PATCH, HTTP_CONNECT, HTTP_METHOD_OTHER };

	for (size_t i = 0; i < 4; i++) {
		assert_true(http_method_is_safe(safe[i]));
		assert_true(http_method_is_idempotent(safe[i]));
		assert_false(http_method_is_safe(neither[i]));
		assert_false(http_method_is_idempotent(neither[i]));
	}
	assert_false(http_method_is_safe(HTTP_PUT));
	assert_true(http_method_is_idempotent(HTTP_PUT));
	assert_false(http_method_is_safe(HTTP_DELETE));
	assert_true(http_method_is_idempotent(HTTP_DELETE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_case_sensitive),
		cmocka_unit_test(test_every_name_comes_back),
		cmocka_unit_test(test_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
