/* rooms: base http */
#include "http/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROOM = 4 };

static struct arena arena;

static int
setup(void **state)
{
	arena_init(&arena, 1024);
	return 0;
}

static int
teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

/* All hops as "node proto host|…". */
static const char *
hops_of(const struct fields *fields, size_t room)
{
	static char text[512];
	struct forwarded_hop hops[ROOM + 1] = { [ROOM] = { .for_node = SPAN("untouched") } };
	size_t count = forwarded_parse(fields, &arena, hops, room), length = 0;

	assert_true(count <= room);
	assert_true(span_is(hops[ROOM].for_node, "untouched"));
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%.*s %.*s %.*s", i > 0 ? "|" : "",
		    (int)hops[i].for_node.len, hops[i].for_node.at, (int)hops[i].proto.len, hops[i].proto.at,
		    (int)hops[i].host.len, hops[i].host.at);
	return text;
}

struct row {
	const char	*value;
	const char	*hops;
};

static void
check_rows(const struct row *rows, size_t count, enum field_name id)
{
	struct field room[4];
	struct fields fields;
	const char *found;

	for (size_t i = 0; i < count; i++) {
		fields_init(&fields, NULL, room, 4);
		fields_add(&fields, id, span_text(rows[i].value));
		found = hops_of(&fields, ROOM);
		if (strcmp(found, rows[i].hops) != 0)
			fail_msg("%s gives %s", rows[i].value, found);
	}
}

#define CHECK_ROWS(rows, id) check_rows((rows), sizeof(rows) / sizeof((rows)[0]), (id))

static void
test_forwarded(void **state)
{
	static const struct row rows[] = {
		{ "for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60 http " },
		{ "For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17  " },
		{ "for=\"[2001:db8::1]\"", "2001:db8::1  " },
		{ "for=192.0.2.43, for=198.51.100.17", "192.0.2.43  |198.51.100.17  " },
		{ "for=\"192.0.2.43:47011\"", "192.0.2.43  " },
		{ "for=\"192.0.2.43:_p\"", "192.0.2.43  " },
		{ "for=_hidden, for=_SEVKISEK", "_hidden  |_SEVKISEK  " },
		{ "for=unknown", "unknown  " },
		{ "for=192.0.2.1;host=\"a.example:81\";PROTO=HTTPS", "192.0.2.1 https a.example:81" },
		{ "for=192.0.2.1;proto=gopher", "192.0.2.1  " },
		{ "proto=https;host=a", " https a" },
		{ "for=192.0.2.1;secret=\"a, b; \\\"c\\\"\"", "192.0.2.1  " },
		{ "for=\"192.0.2.\\1\"", "192.0.2.1  " },
		{ " for=192.0.2.1 ;\tproto=http , for=192.0.2.2 ", "192.0.2.1 http |192.0.2.2  " },
		{ ",, for=192.0.2.1,,", "192.0.2.1  " },
		{ "for=192.0.2.1;;proto=http;", "192.0.2.1 http " },
		{ "", "" },
	};

	CHECK_ROWS(rows, FIELD_FORWARDED);
}

static void
test_malformed_forwarded(void **state)
{
	static const struct row rows[] = {
		{ "for", "" },
		{ "for=", "" },
		{ "=192.0.2.1", "" },
		{ "for=192.0.2.1 proto=http", "" },
		{ "for =192.0.2.1", "" },
		{ "for= 192.0.2.1", "" },
		{ "for=[::1]", "" },			/* has to be quoted */
		{ "for=192.0.2.1:80", "" },
		{ "for=\"192.0.2.1", "" },
		{ "for=\"192.0.2.1\\", "" },
		{ "for=\"192.0.2.1\"x", "" },
		{ "for=\"[::1\"", "" },
		{ "for=\"[::1]x\"", "" },
		{ "for=\"[::1]:\"", "" },
		{ "for=\"[::1]:123456\"", "" },
		{ "for=\"[1.2.3.4]\"", "" },
		{ "for=\"192.0.2.1:x\"", "" },
		{ "for=\"\"", "" },
		{ "for=a", "" },
		{ "for=localhost", "" },
		{ "for=_", "" },
		{ "for=192.0.2.1;for=192.0.2.2", "" },
		{ "for=192.0.2.1;host=\"a b\"", "" },
		{ "for=192.0.2.1, for", "" },
		{ "for=192.0.2.1, for=<script>", "" },

		/* What a client made up does not hide what a proxy put behind it. */
		{ "nonsense!, for=192.0.2.1", "192.0.2.1  " },
		{ "for=192.0.2.9, \", for=192.0.2.1, for=192.0.2.2", "192.0.2.1  |192.0.2.2  " },
		{ "for=192.0.2.9;by=\"a, for=192.0.2.1", "192.0.2.1  " },
		{ "for=192.0.2.9;by=\"a, for=\"[2001:db8::1]:80\"", "2001:db8::1  " },
		{ "for=192.0.2.9;by=\"a\\, for=192.0.2.1;host=\"b\"", "192.0.2.1  b" },
	};

	CHECK_ROWS(rows, FIELD_FORWARDED);
}

static void
test_x_forwarded_for(void **state)
{
	static const struct row rows[] = {
		{ "192.0.2.1", "192.0.2.1  " },
		{ "192.0.2.1, 192.0.2.2,192.0.2.3", "192.0.2.1  |192.0.2.2  |192.0.2.3  " },
		{ "192.0.2.1:8080", "192.0.2.1  " },
		{ "2001:db8::1", "2001:db8::1  " },
		{ "[2001:db8::1]", "2001:db8::1  " },
		{ "[2001:db8::1]:80, ::1", "2001:db8::1  |::1  " },
		{ "unknown, 192.0.2.1", "unknown  |192.0.2.1  " },
		{ ", ,192.0.2.1,", "192.0.2.1  " },
		{ "", "" },
		{ "a", "" },
		{ "192.0.2.1, evil.example", "" },
		{ "evil.example, 192.0.2.1", "192.0.2.1  " },
		{ "192.0.2.9, <script>, 192.0.2.1, 192.0.2.2", "192.0.2.1  |192.0.2.2  " },
		{ "192.0.2.1 192.0.2.2", "" },
		{ "192.0.2.1; x", "" },
		{ "'192.0.2.1'", "" },
		{ "[::1", "" },
		{ "::1]", "" },
	};

	CHECK_ROWS(rows, FIELD_X_FORWARDED_FOR);
}

static void
test_the_nearest_hops_are_kept(void **state)
{
	struct field room[4];
	struct fields fields;

	fields_init(&fields, NULL, room, 4);
	fields_add(&fields, FIELD_X_FORWARDED_FOR, SPAN_OF("192.0.2.1, 192.0.2.2, 192.0.2.3"));
	fields_add(&fields, FIELD_X_FORWARDED_FOR, SPAN_OF("192.0.2.4, 192.0.2.5, 192.0.2.6"));
	assert_string_equal(hops_of(&fields, 4), "192.0.2.3  |192.0.2.4  |192.0.2.5  |192.0.2.6  ");
	assert_string_equal(hops_of(&fields, 1), "192.0.2.6  ");
	assert_string_equal(hops_of(&fields, 0), "");
	fields_add(&fields, FIELD_X_FORWARDED_FOR, SPAN_OF("nonsense!"));
	assert_string_equal(hops_of(&fields, 4), "");
}

static void
test_proto_and_host_belong_to_the_last_hop(void **state)
{
	struct field room[8];
	struct fields fields;

	fields_init(&fields, NULL, room, 8);
	fields_add(&fields, FIELD_X_FORWARDED_FOR, SPAN_OF("192.0.2.1, 192.0.2.2"));
	fields_add(&fields, FIELD_X_FORWARDED_PROTO, SPAN_OF("http, HTTPS"));
	fields_add(&fields, FIELD_X_FORWARDED_HOST, SPAN_OF("a"));
	fields_add(&fields, FIELD_X_FORWARDED_HOST, SPAN_OF("b.example:81"));
	assert_string_equal(hops_of(&fields, ROOM), "192.0.2.1  |192.0.2.2 https b.example:81");
	fields_set(&fields, FIELD_X_FORWARDED_PROTO, SPAN_OF("javascript"));
	fields_set(&fields, FIELD_X_FORWARDED_HOST, SPAN_OF("a/../b"));
	assert_string_equal(hops_of(&fields, ROOM), "192.0.2.1  |192.0.2.2  ");
}

static void
test_x_forwarded_for_goes_before_forwarded(void **state)
{
	struct field room[4];
	struct fields fields;

	fields_init(&fields, NULL, room, 4);
	assert_string_equal(hops_of(&fields, ROOM), "");
	fields_add(&fields, FIELD_FORWARDED, SPAN_OF("for=192.0.2.2"));
	assert_string_equal(hops_of(&fields, ROOM), "192.0.2.2  ");
	fields_add(&fields, FIELD_X_FORWARDED_FOR, SPAN_OF("192.0.2.1"));
	fields_add(&fields, FIELD_X_FORWARDED_PROTO, SPAN_OF("https"));
	assert_string_equal(hops_of(&fields, ROOM), "192.0.2.1 https ");
	fields_set(&fields, FIELD_FORWARDED, SPAN_OF("for=malformed"));
	assert_string_equal(hops_of(&fields, ROOM), "192.0.2.1 https ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_malformed_forwarded),
		cmocka_unit_test(test_x_forwarded_for),
		cmocka_unit_test(test_the_nearest_hops_are_kept),
		cmocka_unit_test(test_proto_and_host_belong_to_the_last_hop),
		cmocka_unit_test(test_x_forwarded_for_goes_before_forwarded),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, setup, teardown);
}
