/* rooms: base http codec */
#include "codec/h2_head.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct h1_limits generous = { 32768, 128, 8192 };

struct judged {
	struct arena	arena;
	struct field	room[4];
	struct fields	fields;
	struct h2_head	head;
};

/* A copy without a byte to spare: a sanitizer sees any read past it. */
static enum h2_verdict
add(struct judged *judged, struct span name, struct span value)
{
	char *name_copy = memory_alloc(name.len + 1), *value_copy = memory_alloc(value.len > 0 ? value.len : 1);
	enum h2_verdict verdict;

	memcpy(name_copy, name.at, name.len);
	if (value.len > 0)
		memcpy(value_copy, value.at, value.len);
	verdict = h2_head_add(&judged->head, span_make(name_copy, name.len), span_make(value_copy, value.len));
	memset(name_copy, 'x', name.len);
	memset(value_copy, 'x', value.len);
	memory_free(name_copy);
	memory_free(value_copy);
	return verdict;
}

/* "name=value|name=value"; the name may begin with ':', and '=' ends it. */
static void
judge(struct judged *judged, const char *block, const struct h1_limits *limits, bool has_end)
{
	struct span rest = span_text(block), field;

	arena_init(&judged->arena, 512);
	fields_init(&judged->fields, &judged->arena, judged->room, 4);
	h2_head_init(&judged->head, &judged->fields, limits);
	while (span_cut(&rest, '|', &field)) {
		size_t equals = span_find(field, '=');

		add(judged, span_first(field, equals), span_skip(field, equals + 1));
	}
	h2_head_end(&judged->head, has_end);
}

static void
judged_free(struct judged *judged)
{
	arena_fini(&judged->arena);
}

#define GET ":method=GET|:scheme=https|:path=/|:authority=a"

static void
check(const char *block, bool has_end, enum h2_verdict verdict, unsigned status)
{
	struct judged judged;

	judge(&judged, block, &generous, has_end);
	if (judged.head.verdict != verdict || judged.head.status != status)
		fail_msg("%s: verdict %d, status %u (%s)", block, judged.head.verdict, judged.head.status,
		    judged.head.why ? judged.head.why : "");
	assert_true((judged.head.why == NULL) == (verdict == H2_GOOD));
	judged_free(&judged);
}

static void
check_span(struct span got, const char *wanted)
{
	if (!span_is(got, wanted))
		fail_msg("\"%.*s\", not \"%s\"", (int)got.len, got.at, wanted);
}

static void
test_good_heads(void **state)
{
	static const char *const blocks[] = {
		GET,
		":path=/|:authority=a:8443|:method=GET|:scheme=http",
		":method=GET|:scheme=https|:path=/|host=a",
		GET "|host=a",
		GET "|host=a:443",
		GET "|host=A",
		GET "|te=trailers",
		GET "|te=Trailers",
		GET "|x-empty=",
		GET "|x=tab\tinside, and spaces",
		GET "|x=\x80\xff",
		GET "|!#$%&'*+-.^_`~0=x",
		GET "|expect=100-Continue",
		":method=OPTIONS|:scheme=https|:path=*|:authority=a",
		":method=OPTIONS|:scheme=https|:path=/|:authority=a",
		":method=CONNECT|:authority=a:443",
		":method=FROB|:scheme=https|:path=/|:authority=a",
		":method=GET|:scheme=HTTPS|:path=/?a=b&c|:authority=[::1]:8",
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		check(blocks[i], true, H2_GOOD, 0);
}

/* RFC 9113 §8.2.1, §8.2.2. */
static void
test_malformed_fields(void **state)
{
	static const char *const fields[] = {
		"X-Upper=1", "x-uppeR=1", "Host=a", "Content-Length=0", "=empty name", "a b=1", "a:b=1", "x\x80=1", "x\r=1",
		"x= leading", "x=trailing ", "x=\tleading", "x=trailing\t", "x=a\nb", "x=a\rb", "x=a\x01" "b", "x=a\x7f" "b",
		"x=\r\ny: z", "connection=close", "connection=", "keep-alive=1", "proxy-connection=close",
		"transfer-encoding=chunked", "transfer-encoding=identity", "upgrade=h2c", "te=gzip", "te=trailers, gzip",
		"te=", "host=b@a", "host=", "host=a|host=a", "content-length=1|content-length=1", "content-length=",
		"content-length=-1", "content-length=+1", "content-length=1,1", "content-length=0x1", "content-length= 1",
		"content-length=12345678901234567890", ":path=/", ":method=GET", "x=1|:path=/", "::=1",
	};
	char block[256];

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		snprintf(block, sizeof(block), GET "|%s", fields[i]);
		check(block, false, H2_MALFORMED, 0);
	}
}

/* The zero byte ends no C string of the table above. */
static void
test_nul_in_names_and_values(void **state)
{
	struct judged judged;

	judge(&judged, GET, &generous, true);
	assert_int_equal(add(&judged, SPAN_OF("x"), SPAN_OF("a\0b")), H2_MALFORMED);
	judged_free(&judged);
	judge(&judged, GET, &generous, true);
	assert_int_equal(add(&judged, SPAN_OF("x\0"), SPAN_OF("a")), H2_MALFORMED);
	judged_free(&judged);
}

/* RFC 9113 §8.3. */
static void
test_malformed_pseudo_fields(void **state)
{
	static const char *const blocks[] = {
		"",
		":scheme=https|:path=/|:authority=a",
		":method=GET|:path=/|:authority=a",
		":method=GET|:scheme=https|:authority=a",
		":method=GET|:scheme=https|:path=/",
		":method=|:scheme=https|:path=/|:authority=a",
		":method=G T|:scheme=https|:path=/|:authority=a",
		":method=GET|:scheme=|:path=/|:authority=a",
		":method=GET|:scheme=https|:path=|:authority=a",
		":method=GET|:scheme=https|:path=/|:authority=",
		":method=GET|:scheme=https|:path=a|:authority=a",
		":method=GET|:scheme=https|:path=*|:authority=a",
		":method=GET|:scheme=https|:path=https://a/|:authority=a",
		":method=GET|:scheme=https|:path=/#f|:authority=a",
		":method=GET|:scheme=https|:path=/a b|:authority=a",
		":method=GET|:scheme=https|:path=/a\tb|:authority=a",
		":method=GET|:scheme=https|:path=/\r\nX: y|:authority=a",
		":method=GET|:scheme=https|:path=/\x7f|:authority=a",
		":method=GET|:scheme=https|:path=/|:authority=u:p@a",
		":method=GET|:scheme=https|:path=/|:authority=a/b",
		":method=GET|:scheme=https|:path=/|:authority=a b",
		":method=GET|:scheme=https|:path=/|:authority=a:x",
		":method=GET|:scheme=https|:path=/|:authority=a:0",
		GET "|:authority=a",
		GET "|:protocol=websocket",
		GET "|:status=200",
		GET "|:Method=GET",
		GET "|:=x",
		":method=CONNECT|:scheme=https|:path=/|:authority=a:443",
		":method=CONNECT|:authority=a:443|:path=/",
		":method=CONNECT",
		":method=CONNECT|host=a:443",
		":method=OPTIONS|:scheme=https|:path=*x|:authority=a",
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		check(blocks[i], true, H2_MALFORMED, 0);
}

static void
test_refused_heads(void **state)
{
	check(GET "|host=b", true, H2_REFUSED, 400);
	check(GET "|host=a:80", true, H2_REFUSED, 400);
	check(":method=GET|:scheme=ftp|:path=/|:authority=a", true, H2_REFUSED, 400);
	check(GET "|expect=200-maybe", true, H2_REFUSED, 417);
	check(":method=ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG|:scheme=https|:path=/|:authority=a", true, H2_REFUSED, 501);
}

/* RFC 9113 §8.1.1: what ends at once has no content. */
static void
test_content_length(void **state)
{
	struct judged judged;

	check(GET "|content-length=5", true, H2_MALFORMED, 0);
	check(GET "|content-length=0", true, H2_GOOD, 0);
	judge(&judged, GET "|content-length=0050", &generous, false);
	assert_int_equal(judged.head.verdict, H2_GOOD);
	assert_true(judged.head.has_length);
	assert_int_equal(judged.head.content_length, 50);
	check_span(fields_value(&judged.fields, FIELD_CONTENT_LENGTH), "50");
	judged_free(&judged);
}

static void
test_what_a_head_becomes(void **state)
{
	struct judged judged;

	judge(&judged, ":method=POST|:scheme=https|:path=/a/b?c=d|:authority=Example.com:8443|x-own=1|user-agent=u|"
	    "expect=100-continue", &generous, false);
	assert_int_equal(judged.head.verdict, H2_GOOD);
	assert_int_equal(judged.head.method, HTTP_POST);
	check_span(judged.head.method_name, "POST");
	check_span(judged.head.target, "/a/b?c=d");
	check_span(judged.head.uri.path, "/a/b");
	check_span(judged.head.uri.query, "c=d");
	assert_true(judged.head.uri.has_query);
	check_span(judged.head.authority, "Example.com:8443");
	check_span(judged.head.host, "Example.com");
	assert_true(judged.head.expects_continue);
	check_span(fields_find_named(&judged.fields, SPAN_OF("X-Own"))->name, "x-own");
	check_span(fields_find(&judged.fields, FIELD_USER_AGENT)->name, "User-Agent");
	judged_free(&judged);
	judge(&judged, ":method=FROB|:scheme=http|:path=/|host=h:1", &generous, false);
	check_span(judged.head.method_name, "FROB");
	assert_int_equal(judged.head.method, HTTP_METHOD_OTHER);
	check_span(judged.head.authority, "h:1");
	check_span(judged.head.host, "h");
	judged_free(&judged);
}

/* RFC 9113 §8.2.3. */
static void
test_crumbs_become_one_cookie(void **state)
{
	const struct h1_limits few = { 32768, 3, 8192 };
	struct judged judged;

	judge(&judged, GET "|cookie=a=1|x=y|cookie=b=2|cookie=c=3|z=", &few, true);
	assert_int_equal(judged.head.verdict, H2_GOOD);
	assert_int_equal(judged.fields.count, 3);
	check_span(fields_value(&judged.fields, FIELD_COOKIE), "a=1; b=2; c=3");
	judged_free(&judged);
	judge(&judged, GET "|cookie=|cookie=a=1|cookie=|x=y|cookie=b=2|cookie=", &few, true);
	assert_int_equal(judged.head.verdict, H2_GOOD);
	assert_int_equal(judged.fields.count, 2);
	check_span(fields_value(&judged.fields, FIELD_COOKIE), "a=1; b=2");
	judged_free(&judged);
}

static void
test_limits_at_their_edge(void **state)
{
	/* 4 pseudo-fields: 10+11+6+11 bytes and 32 each; x=1: 2 and 32. */
	const uint64_t size = 7 + 3 + 7 + 5 + 5 + 1 + 10 + 1 + 4 * 32 + 2 + 32;
	struct h1_limits limits = { size, 1, 1 };
	struct judged judged;

	judge(&judged, GET "|x=1", &limits, true);
	assert_int_equal(judged.head.verdict, H2_GOOD);
	judged_free(&judged);
	limits.header_size--;
	judge(&judged, GET "|x=1", &limits, true);
	assert_int_equal(judged.head.verdict, H2_REFUSED);
	assert_int_equal(judged.head.status, 431);
	judged_free(&judged);
	limits.header_size = 1000;
	judge(&judged, GET "|x=1|y=1", &limits, true);
	assert_int_equal(judged.head.status, 431);
	judged_free(&judged);
	judge(&judged, ":method=GET|:scheme=https|:path=/1|:authority=a", &limits, true);
	assert_int_equal(judged.head.status, 414);
	judged_free(&judged);
}

/* What could be read in two ways is never merely refused. */
static void
test_malformed_is_worse_than_refused_when_it_comes_first(void **state)
{
	check(GET "|X=1|expect=x", true, H2_MALFORMED, 0);
	check("x=1|:path=/", true, H2_MALFORMED, 0);
}

/* What HPACK says in a byte is in memory once. */
static void
test_a_value_that_comes_again_is_kept_once(void **state)
{
	struct judged judged;
	char value[3000];

	memset(value, 'x', sizeof(value));
	judge(&judged, GET, &generous, true);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(add(&judged, SPAN_OF("x"), span_make(value, sizeof(value))), H2_GOOD);
	assert_true(judged.arena.used < 2 * sizeof(value));
	value[2999] = 'y';
	assert_int_equal(add(&judged, SPAN_OF("x"), span_make(value, sizeof(value) - 1)), H2_REFUSED);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(judged.fields.items[i].value.at[2999], 'x');
	judged_free(&judged);
}

static void
test_a_bomb_is_one(void **state)
{
	const struct h1_limits limits = { 4096, 128, 1024 };
	struct judged judged;
	static char value[4000];
	unsigned fields = 0;
	size_t used;

	memset(value, 'x', sizeof(value));
	judge(&judged, GET, &limits, true);
	while (add(&judged, SPAN_OF("x"), span_make(value, sizeof(value))) != H2_BOMB && fields < 1000)
		fields++;
	assert_in_range(fields, 10, 100);
	assert_non_null(judged.head.why);
	used = judged.arena.used;
	assert_int_equal(add(&judged, SPAN_OF("x"), span_make(value, sizeof(value))), H2_BOMB);
	assert_int_equal(judged.arena.used, used);
	assert_true(used < 3 * limits.header_size);
	judged_free(&judged);
}

static enum h2_verdict
judge_trailers(struct judged *judged, const char *name, const char *value, bool has_end)
{
	arena_init(&judged->arena, 512);
	fields_init(&judged->fields, &judged->arena, NULL, 0);
	h2_trailers_init(&judged->head, &judged->fields, &generous);
	add(judged, span_text(name), span_text(value));
	return h2_head_end(&judged->head, has_end);
}

static void
test_trailers(void **state)
{
	static const struct { const char *name, *value; bool has_end; enum h2_verdict verdict; uint32_t kept; } rows[] = {
		{ "x-sum", "1", true, H2_GOOD, 1 },
		{ "x-sum", "1", false, H2_MALFORMED, 1 },
		{ ":path", "/", true, H2_MALFORMED, 0 },
		{ ":status", "200", true, H2_MALFORMED, 0 },
		{ "X-Sum", "1", true, H2_MALFORMED, 0 },
		{ "x-sum", "1\r\n", true, H2_MALFORMED, 0 },
		{ "connection", "close", true, H2_MALFORMED, 0 },
		{ "transfer-encoding", "chunked", true, H2_MALFORMED, 0 },
		{ "content-length", "7", true, H2_GOOD, 0 },
		{ "host", "b", true, H2_GOOD, 0 },
		{ "authorization", "b", true, H2_GOOD, 0 },
		{ "expect", "b", true, H2_GOOD, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct judged judged;

		if (judge_trailers(&judged, rows[i].name, rows[i].value, rows[i].has_end) != rows[i].verdict)
			fail_msg("%s: %s", rows[i].name, judged.head.why ? judged.head.why : "good");
		assert_int_equal(judged.fields.count, rows[i].kept);
		judged_free(&judged);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_heads),
		cmocka_unit_test(test_malformed_fields),
		cmocka_unit_test(test_nul_in_names_and_values),
		cmocka_unit_test(test_malformed_pseudo_fields),
		cmocka_unit_test(test_refused_heads),
		cmocka_unit_test(test_content_length),
		cmocka_unit_test(test_what_a_head_becomes),
		cmocka_unit_test(test_crumbs_become_one_cookie),
		cmocka_unit_test(test_limits_at_their_edge),
		cmocka_unit_test(test_malformed_is_worse_than_refused_when_it_comes_first),
		cmocka_unit_test(test_a_value_that_comes_again_is_kept_once),
		cmocka_unit_test(test_a_bomb_is_one),
		cmocka_unit_test(test_trailers),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
