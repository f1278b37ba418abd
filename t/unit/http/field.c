/* rooms: base http */
#include "http/field.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct span nothing = { NULL, 0 };

static int
setup(void **state)
{
	static struct arena arena;

	arena_init(&arena, 1024);
	*state = &arena;
	return 0;
}

static int
teardown(void **state)
{
	arena_fini(*state);
	return 0;
}

/* The values in order, as "a|b|c". */
static void
check_values(const struct fields *fields, const char *expected)
{
	struct span rest = span_text(expected), value;
	uint32_t i = 0;

	while (span_cut(&rest, '|', &value)) {
		assert_true(i < fields->count);
		assert_true(span_equal(fields->items[i++].value, value));
	}
	assert_int_equal(i, fields->count);
}

static void
test_add_and_find(void **state)
{
	struct field room[2];
	struct fields fields;

	fields_init(&fields, *state, room, 2);
	fields_add(&fields, FIELD_HOST, SPAN_OF("a"));
	fields_add_named(&fields, SPAN_OF("x-own"), SPAN_OF("b"));
	fields_add_named(&fields, SPAN_OF("HOST"), SPAN_OF("c"));	/* more than the first room */
	fields_add_named(&fields, SPAN_OF("X-OWN"), SPAN_OF("d"));
	check_values(&fields, "a|b|c|d");
	assert_true(span_is(fields.items[0].name, "Host"));
	assert_true(span_is(fields.items[2].name, "HOST"));
	assert_int_equal(fields.items[2].id, FIELD_HOST);
	assert_true(fields_have(&fields, FIELD_HOST));
	assert_false(fields_have(&fields, FIELD_RANGE));
	assert_ptr_equal(fields_find(&fields, FIELD_HOST), &fields.items[0]);
	assert_null(fields_find(&fields, FIELD_RANGE));
	assert_ptr_equal(fields_find_named(&fields, SPAN_OF("hOsT")), &fields.items[0]);
	assert_ptr_equal(fields_find_named(&fields, SPAN_OF("X-Own")), &fields.items[1]);
	assert_null(fields_find_named(&fields, SPAN_OF("X-Owns")));
	assert_null(fields_find_named(&fields, SPAN_OF("Range")));
	assert_true(span_is(fields_value(&fields, FIELD_HOST), "a"));
	assert_int_equal(fields_value(&fields, FIELD_RANGE).len, 0);
}

static void
test_no_first_room(void **state)
{
	struct fields fields;

	fields_init(&fields, *state, NULL, 7);
	for (int i = 0; i < 100; i++)
		fields_add(&fields, FIELD_VIA, SPAN_OF("x"));
	assert_int_equal(fields.count, 100);
	assert_true(span_is(fields.items[99].value, "x"));
}

static void
test_set(void **state)
{
	struct field room[8];
	struct fields fields;

	fields_init(&fields, NULL, room, 8);
	fields_add(&fields, FIELD_VIA, SPAN_OF("a"));
	fields_add(&fields, FIELD_HOST, SPAN_OF("b"));
	fields_add_named(&fields, SPAN_OF("via"), SPAN_OF("c"));
	fields_add_named(&fields, SPAN_OF("x-own"), SPAN_OF("d"));
	fields_add_named(&fields, SPAN_OF("x-other"), SPAN_OF("e"));
	fields_add_named(&fields, SPAN_OF("X-OWN"), SPAN_OF("f"));
	fields_set(&fields, FIELD_VIA, SPAN_OF("1"));
	check_values(&fields, "1|b|d|e|f");
	fields_set_named(&fields, SPAN_OF("X-Own"), SPAN_OF("2"));
	check_values(&fields, "1|b|2|e");
	assert_true(span_is(fields.items[2].name, "X-Own"));
	fields_set_named(&fields, SPAN_OF("host"), SPAN_OF("3"));
	check_values(&fields, "1|3|2|e");
	fields_set(&fields, FIELD_ETAG, SPAN_OF("4"));
	fields_set_named(&fields, SPAN_OF("x-new"), SPAN_OF("5"));
	check_values(&fields, "1|3|2|e|4|5");
	assert_true(fields_have(&fields, FIELD_ETAG));
	assert_int_equal(fields.items[4].id, FIELD_ETAG);
}

static void
test_remove(void **state)
{
	struct field room[8];
	struct fields fields;

	fields_init(&fields, NULL, room, 8);
	fields_add(&fields, FIELD_VIA, SPAN_OF("a"));
	fields_add_named(&fields, SPAN_OF("x-own"), SPAN_OF("b"));
	fields_add(&fields, FIELD_VIA, SPAN_OF("c"));
	fields_add(&fields, FIELD_HOST, SPAN_OF("d"));
	fields_add_named(&fields, SPAN_OF("X-Own"), SPAN_OF("e"));
	fields_add_named(&fields, SPAN_OF("X-Other"), SPAN_OF("f"));
	fields_remove(&fields, FIELD_RANGE);
	check_values(&fields, "a|b|c|d|e|f");
	fields_remove_at(&fields, 0);
	check_values(&fields, "b|c|d|e|f");
	assert_true(fields_have(&fields, FIELD_VIA));
	fields_remove(&fields, FIELD_VIA);
	check_values(&fields, "b|d|e|f");
	assert_false(fields_have(&fields, FIELD_VIA));
	fields_remove_named(&fields, SPAN_OF("x-OWN"));
	check_values(&fields, "d|f");
	fields_remove_at(&fields, 0);
	check_values(&fields, "f");
	assert_false(fields_have(&fields, FIELD_HOST));
	assert_null(fields_find(&fields, FIELD_HOST));
	fields_remove_named(&fields, SPAN_OF("X-Other"));
	fields_remove_named(&fields, SPAN_OF("Via"));
	assert_int_equal(fields.count, 0);
}

static void
test_joined(void **state)
{
	struct fields fields;

	fields_init(&fields, *state, NULL, 0);
	assert_int_equal(fields_joined(&fields, FIELD_ACCEPT, *state).len, 0);
	fields_add(&fields, FIELD_ACCEPT, SPAN_OF("a"));
	assert_ptr_equal(fields_joined(&fields, FIELD_ACCEPT, *state).at, fields.items[0].value.at);
	fields_add(&fields, FIELD_HOST, SPAN_OF("x"));
	fields_add(&fields, FIELD_ACCEPT, nothing);
	fields_add(&fields, FIELD_ACCEPT, SPAN_OF("b, c"));
	assert_true(span_is(fields_joined(&fields, FIELD_ACCEPT, *state), "a, , b, c"));
	fields_add(&fields, FIELD_COOKIE, SPAN_OF("a=1"));
	fields_add(&fields, FIELD_COOKIE, SPAN_OF("b=2"));
	assert_true(span_is(fields_joined(&fields, FIELD_COOKIE, *state), "a=1; b=2"));
}

static void
test_tokens(void **state)
{
	struct fields fields;

	fields_init(&fields, *state, NULL, 0);
	assert_false(fields_have_token(&fields, FIELD_CONNECTION, SPAN_OF("close")));
	fields_add(&fields, FIELD_CONNECTION, SPAN_OF("Keep-Alive ,\t,x-own"));
	fields_add(&fields, FIELD_HOST, SPAN_OF("close"));
	assert_true(fields_have_token(&fields, FIELD_CONNECTION, SPAN_OF("keep-alive")));
	assert_true(fields_have_token(&fields, FIELD_CONNECTION, SPAN_OF("X-OWN")));
	assert_false(fields_have_token(&fields, FIELD_CONNECTION, SPAN_OF("keep")));
	assert_false(fields_have_token(&fields, FIELD_CONNECTION, SPAN_OF("close")));
	fields_add(&fields, FIELD_CONNECTION, SPAN_OF("CLOSE"));
	assert_true(fields_have_token(&fields, FIELD_CONNECTION, SPAN_OF("close")));
}

static void
test_valid(void **state)
{
	assert_true(field_name_is_valid(SPAN_OF("X-Own_1")));
	assert_false(field_name_is_valid(nothing));
	assert_false(field_name_is_valid(SPAN_OF("X Own")));
	assert_false(field_name_is_valid(SPAN_OF("X:")));
	assert_false(field_name_is_valid(SPAN_OF("X\xe4")));
	assert_true(field_value_is_valid(nothing));
	assert_true(field_value_is_valid(SPAN_OF("a \t\xe4\"")));
	assert_false(field_value_is_valid(SPAN_OF("a\r\nb")));
	assert_false(field_value_is_valid(SPAN_OF("a\0b")));
	assert_false(field_value_is_valid(SPAN_OF("\x7f")));
}

static bool
is_hop_by_hop(const char *name, const char *connection)
{
	struct field field = { field_name_of(span_text(name)), span_text(name), SPAN_OF("x") };

	return field_is_hop_by_hop(&field, span_text(connection));
}

static void
test_hop_by_hop(void **state)
{
	static const char *const always[] = {
		"Connection", "keep-alive", "Proxy-Connection", "TE", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authorization", "HTTP2-Settings",
	};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		assert_true(is_hop_by_hop(always[i], NULL));
	assert_false(is_hop_by_hop("X-Own", NULL));
	assert_false(is_hop_by_hop("X-Own", "close, x-owns"));
	assert_true(is_hop_by_hop("X-Own", "close , x-own"));
	assert_false(is_hop_by_hop("Trailer", NULL));
}

/* What routes, authenticates or tells who asked stays in the request whatever its sender calls hop-by-hop. */
static void
test_connection_cannot_take_away_what_matters(void **state)
{
	static const char *const stay[] = {
		"Host", "Content-Length", "Content-Type", "Cookie", "Authorization", "X-Forwarded-For",
		"X-Forwarded-Proto", "x-forwarded-prefix", "X-Real-IP", "Forwarded", "Via", "X-Request-Id",
		"Origin", "Range", "Set-Cookie",
	};

	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
		assert_false(is_hop_by_hop(stay[i], stay[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add_and_find, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_first_room, setup, teardown),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_remove),
		cmocka_unit_test_setup_teardown(test_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tokens, setup, teardown),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_hop_by_hop),
		cmocka_unit_test(test_connection_cannot_take_away_what_matters),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
