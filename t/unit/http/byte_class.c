/* rooms: base http */
#include "http/byte_class.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The classes said again as lists of bytes, straight from the RFCs. */
#define ALPHA	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

static void
check_ascii(unsigned class, const char *members)
{
	for (int byte = 0; byte < 128; byte++)
		assert_int_equal(byte_is((char)byte, class), byte != 0 && strchr(members, byte) != NULL);
}

static void
test_token(void **state)
{
	check_ascii(BYTE_TOKEN, ALPHA DIGITS "!#$%&'*+-.^_`|~");
}

static void
test_uri_classes(void **state)
{
	check_ascii(BYTE_UNRESERVED, ALPHA DIGITS "-._~");
	check_ascii(BYTE_REG_NAME, ALPHA DIGITS "-._~!$&'()*+,;=");
	check_ascii(BYTE_PATH, ALPHA DIGITS "-._~!$&'()*+,;=:@/");
	check_ascii(BYTE_HEX, DIGITS "abcdefABCDEF");
	check_ascii(BYTE_DIGIT, DIGITS);
}

static void
test_text_classes(void **state)
{
	for (int byte = 0; byte < 256; byte++) {
		assert_int_equal(byte_is((char)byte, BYTE_TARGET), byte > 32 && byte != 127);
		assert_int_equal(byte_is((char)byte, BYTE_VALUE), byte == 9 || (byte >= 32 && byte != 127));
	}
}

static void
test_obs_text_is_only_text(void **state)
{
	for (int byte = 128; byte < 256; byte++)
		assert_false(byte_is((char)byte, BYTE_TOKEN | BYTE_UNRESERVED | BYTE_REG_NAME | BYTE_PATH | BYTE_HEX));
}

static void
test_while(void **state)
{
	assert_int_equal(bytes_while(SPAN_OF("abc:def"), BYTE_TOKEN), 3);
	assert_int_equal(bytes_while(SPAN_OF("abc"), BYTE_TOKEN), 3);
	assert_int_equal(bytes_while(SPAN_OF(":"), BYTE_TOKEN), 0);
	assert_int_equal(bytes_while((struct span){ NULL, 0 }, BYTE_TOKEN), 0);
}

static void
test_hex(void **state)
{
	assert_int_equal(hex_value('0'), 0);
	assert_int_equal(hex_value('9'), 9);
	assert_int_equal(hex_value('a'), 10);
	assert_int_equal(hex_value('F'), 15);
}

static void
test_percent_codes(void **state)
{
	(void)state;
	assert_true(percent_code_leads(SPAN_OF("%2f")));
	assert_true(percent_code_leads(SPAN_OF("%2Fx")));
	assert_false(percent_code_leads(SPAN_OF("%2")));
	assert_false(percent_code_leads(SPAN_OF("%2g")));
	assert_false(percent_code_leads(SPAN_OF("2f%")));
	assert_false(percent_code_leads(span_make(NULL, 0)));
	assert_int_equal(percent_code_value("%2F"), '/');
	assert_int_equal((unsigned char)percent_code_value("%fe"), 0xfe);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_uri_classes),
		cmocka_unit_test(test_text_classes),
		cmocka_unit_test(test_obs_text_is_only_text),
		cmocka_unit_test(test_while),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_percent_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
