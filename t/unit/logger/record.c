/* rooms: base loop ipc logger */
#include "logger/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define MOMENT_MS UINT64_C(1795103641123)	/* 2026-11-19T15:54:01.123Z */
#define HEAD "{\"level\":\"info\",\"time\":\"2026-11-20T15:54:01.123Z\",\"pid\":7,\"msg\":"

static struct text out;

static int
set_up(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	text_clear(&out);
	return 0;
}

static int
tear_down(void **state)
{
	text_fini(&out);
	return 0;
}

static const char *
json(const char *line)
{
	text_clear(&out);
	record_to_json(span_text(line), "worker 2", MOMENT_MS, &out);
	return out.bytes;
}

static const char *
pretty(const char *line)
{
	text_clear(&out);
	record_to_pretty(span_text(line), "worker 2", MOMENT_MS, false, &out);
	return out.bytes;
}

static void
test_json_passes(void **state)
{
	static const char *const lines[] = {
		HEAD "\"started\"}",
		"{\"level\":30,\"time\":1,\"msg\":\"pino's\"}",
		"{ }",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_string_equal(json(lines[i]), lines[i]);
}

#define WRAPPED "{\"level\":\"info\",\"time\":\"2026-11-19T15:54:01.123Z\",\"source\":\"worker 2\",\"msg\":"

static void
test_json_wraps_the_rest(void **state)
{
	assert_string_equal(json("Segmentation fault"), WRAPPED "\"Segmentation fault\"}");
	assert_string_equal(json("[1]"), WRAPPED "\"[1]\"}");
	assert_string_equal(json("{\"a\":1"), WRAPPED "\"{\\\"a\\\":1\"}");
	assert_string_equal(json("{\"a\":1} x"), WRAPPED "\"{\\\"a\\\":1} x\"}");
	assert_string_equal(json("a\033[31m\xff"), WRAPPED "\"a\\u001b[31m\xef\xbf\xbd\"}");
}

static void
test_pretty_record(void **state)
{
	assert_string_equal(pretty(HEAD "\"started\",\"worker\":3,\"who\":\"me\"}"),
	    "15:54:01.123 INFO  worker 2  started worker=3 who=me");
	assert_string_equal(pretty("{\"level\":\"error\",\"time\":\"2026-11-20T15:54:01.123Z\",\"msg\":\"worker died\"}"),
	    "15:54:01.123 ERROR worker 2  worker died");
}

static void
test_pretty_request(void **state)
{
	assert_string_equal(pretty(HEAD "\"request\",\"request_id\":\"01\",\"client_ip\":\"::1\",\"method\":\"GET\","
					"\"host\":\"h\",\"path\":\"/x\",\"status\":200,\"duration_ms\":1.2,\"tls\":null}"),
	    "15:54:01.123 INFO  worker 2  request GET h /x 200 1.2ms request_id=01 client_ip=::1 tls=null");
	assert_string_equal(pretty(HEAD "\"request\"}"), "15:54:01.123 INFO  worker 2  request");
}

static void
test_pretty_local_time(void **state)
{
	setenv("TZ", "XXX-5:30", 1);
	tzset();
	assert_string_equal(pretty(HEAD "\"x\"}"), "21:24:01.123 INFO  worker 2  x");
}

static void
test_pretty_values_are_readable(void **state)
{
	assert_string_equal(pretty(HEAD "\"x\",\"a\":\"two words\",\"b\":\"\",\"c\":\"k=v\",\"d\":[1, 2],\"e\":\"q\\\"q\"}"),
	    "15:54:01.123 INFO  worker 2  x a=\"two words\" b=\"\" c=\"k=v\" d=[1, 2] e=\"q\\\"q\"");
}

/* Whatever a client made us log, no byte of it commands the terminal. */
static void
test_pretty_is_harmless(void **state)
{
	assert_string_equal(pretty(HEAD "\"x\\u001b[2J\",\"p\":\"a\xc2\x9b" "31mb\\u009bc\",\"\\u001bk\":1}"),
	    "15:54:01.123 INFO  worker 2  x\\u001b[2J p=\"a\\u009b31mb\\u009bc\" \\u001bk=1");
	assert_string_equal(pretty("plain\033]0;title\007 text\x7f"),
	    "15:54:01.123 INFO  worker 2  plain\\u001b]0;title\\u0007 text\\u007f");
	for (int byte = 1; byte < 256; byte++) {
		char line[] = { 'a', (char)byte, 'b', '\0' };

		for (const char *at = pretty(line); *at; at++)
			assert_true((unsigned char)*at >= 0x20 || *at == '\t');
	}
}

static void
test_pretty_strange_records(void **state)
{
	assert_string_equal(pretty("{}"), "  worker 2  ");
	assert_string_equal(pretty("{\"level\":30,\"time\":1,\"msg\":{}}"), "  worker 2  ");
	assert_string_equal(pretty("{\"level\":\"loud\",\"time\":\"soon\\u0007\",\"msg\":\"m\"}"),
	    "soon\\u0007 loud worker 2  m");
	assert_string_equal(pretty("{\"msg\":\"request\",\"status\":\"-\"}"), "  worker 2  request -");
}

static void
test_pretty_colours(void **state)
{
	text_clear(&out);
	record_to_pretty(SPAN_OF(HEAD "\"request\",\"status\":502}"), "logger", MOMENT_MS, true, &out);
	assert_non_null(strstr(out.bytes, "\033[32mINFO "));
	assert_non_null(strstr(out.bytes, "\033[31m502\033[0m"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_json_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_json_wraps_the_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pretty_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pretty_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pretty_local_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pretty_values_are_readable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pretty_is_harmless, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pretty_strange_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pretty_colours, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
