/* rooms: base http */
#include "http/conditional.h"
#include "base/clock.h"
#include "http/date.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DATE	"Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE	"Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER	"Sun, 06 Nov 1994 08:49:38 GMT"

enum { MODIFIED = 784111777, PROCEED = CONDITION_PROCEED, UNCHANGED = CONDITION_NOT_MODIFIED,
	FAILED = CONDITION_FAILED };

struct row {
	enum field_name	 id;
	const char	*value;
	enum field_name	 id_2;		/* or 0 */
	const char	*value_2;
	int		 get, put;	/* what becomes of a GET and of a PUT */
};

static void
fill(struct fields *fields, struct field room[4], const struct row *row)
{
	fields_init(fields, NULL, room, 4);
	fields_add(fields, row->id, span_text(row->value));
	if (row->id_2 != FIELD_OTHER)
		fields_add(fields, row->id_2, span_text(row->value_2));
}

static void
check_rows(const struct row *rows, size_t count, struct span etag, int64_t modified)
{
	struct field room[4];
	struct fields fields;

	for (size_t i = 0; i < count; i++) {
		fill(&fields, room, &rows[i]);
		if ((int)condition_check(HTTP_GET, &fields, etag, modified) != rows[i].get ||
		    (int)condition_check(HTTP_HEAD, &fields, etag, modified) != rows[i].get ||
		    (int)condition_check(HTTP_PUT, &fields, etag, modified) != rows[i].put)
			fail_msg("row %zu: %s", i, rows[i].value);
	}
}

#define CHECK_ROWS(rows, etag, modified) check_rows((rows), sizeof(rows) / sizeof((rows)[0]), (etag), (modified))

static void
test_if_none_match(void **state)
{
	static const struct row rows[] = {
		{ FIELD_IF_NONE_MATCH, "\"a\"", 0, NULL, UNCHANGED, FAILED },
		{ FIELD_IF_NONE_MATCH, "W/\"a\"", 0, NULL, UNCHANGED, FAILED },
		{ FIELD_IF_NONE_MATCH, "\"b\"", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"A\"", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"b\" , W/\"c\",\"a\"", 0, NULL, UNCHANGED, FAILED },
		{ FIELD_IF_NONE_MATCH, ",,\"b\",,\"a\"", 0, NULL, UNCHANGED, FAILED },
		{ FIELD_IF_NONE_MATCH, "\"b,\\\",\"a\"", 0, NULL, UNCHANGED, FAILED },	/* no escapes in a tag */
		{ FIELD_IF_NONE_MATCH, "*", 0, NULL, UNCHANGED, FAILED },
		{ FIELD_IF_NONE_MATCH, "a", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"a", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "w/\"a\"", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"a\"x", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"b\" \"a\"", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"b\"", FIELD_IF_NONE_MATCH, "\"a\"", UNCHANGED, FAILED },
		/* If-Modified-Since does not count beside it, whatever it says. */
		{ FIELD_IF_NONE_MATCH, "\"b\"", FIELD_IF_MODIFIED_SINCE, DATE, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"a\"", FIELD_IF_MODIFIED_SINCE, BEFORE, UNCHANGED, FAILED },
	};

	CHECK_ROWS(rows, SPAN_OF("\"a\""), MODIFIED);
}

static void
test_if_match(void **state)
{
	static const struct row rows[] = {
		{ FIELD_IF_MATCH, "\"a\"", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_MATCH, "\"b\", \"a\"", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_MATCH, "*", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_MATCH, "W/\"a\"", 0, NULL, FAILED, FAILED },
		{ FIELD_IF_MATCH, "\"b\"", 0, NULL, FAILED, FAILED },
		{ FIELD_IF_MATCH, "", 0, NULL, FAILED, FAILED },
		{ FIELD_IF_MATCH, "\"b\"", FIELD_IF_UNMODIFIED_SINCE, AFTER, FAILED, FAILED },
		{ FIELD_IF_MATCH, "\"a\"", FIELD_IF_UNMODIFIED_SINCE, BEFORE, PROCEED, PROCEED },
		{ FIELD_IF_MATCH, "\"a\"", FIELD_IF_NONE_MATCH, "\"a\"", UNCHANGED, FAILED },
		{ FIELD_IF_MATCH, "\"b\"", FIELD_IF_NONE_MATCH, "\"a\"", FAILED, FAILED },
	};

	CHECK_ROWS(rows, SPAN_OF("\"a\""), MODIFIED);
}

static void
test_a_weak_tag_of_ours(void **state)
{
	static const struct row rows[] = {
		{ FIELD_IF_MATCH, "W/\"a\"", 0, NULL, FAILED, FAILED },
		{ FIELD_IF_MATCH, "\"a\"", 0, NULL, FAILED, FAILED },
		{ FIELD_IF_NONE_MATCH, "\"a\"", 0, NULL, UNCHANGED, FAILED },
		{ FIELD_IF_NONE_MATCH, "W/\"a\"", 0, NULL, UNCHANGED, FAILED },
	};

	CHECK_ROWS(rows, SPAN_OF("W/\"a\""), MODIFIED);
}

static void
test_dates(void **state)
{
	static const struct row rows[] = {
		{ FIELD_IF_MODIFIED_SINCE, DATE, 0, NULL, UNCHANGED, PROCEED },
		{ FIELD_IF_MODIFIED_SINCE, AFTER, 0, NULL, UNCHANGED, PROCEED },
		{ FIELD_IF_MODIFIED_SINCE, BEFORE, 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_MODIFIED_SINCE, "yesterday", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_MODIFIED_SINCE, AFTER, FIELD_IF_MODIFIED_SINCE, AFTER, PROCEED, PROCEED },
		{ FIELD_IF_UNMODIFIED_SINCE, DATE, 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_UNMODIFIED_SINCE, AFTER, 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_UNMODIFIED_SINCE, BEFORE, 0, NULL, FAILED, FAILED },
		{ FIELD_IF_UNMODIFIED_SINCE, "yesterday", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_UNMODIFIED_SINCE, BEFORE, FIELD_IF_UNMODIFIED_SINCE, BEFORE, PROCEED, PROCEED },
		{ FIELD_IF_UNMODIFIED_SINCE, AFTER, FIELD_IF_MODIFIED_SINCE, AFTER, UNCHANGED, PROCEED },
		{ FIELD_ACCEPT, "*/*", 0, NULL, PROCEED, PROCEED },
	};

	CHECK_ROWS(rows, SPAN_OF("\"a\""), MODIFIED);
}

static void
test_nothing_is_known_of_ours(void **state)
{
	static const struct row rows[] = {
		{ FIELD_IF_MODIFIED_SINCE, AFTER, 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_UNMODIFIED_SINCE, BEFORE, 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "\"\"", 0, NULL, PROCEED, PROCEED },
		{ FIELD_IF_NONE_MATCH, "*", 0, NULL, UNCHANGED, FAILED },
		{ FIELD_IF_MATCH, "\"a\"", 0, NULL, FAILED, FAILED },
		{ FIELD_IF_MATCH, "*", 0, NULL, PROCEED, PROCEED },
	};

	CHECK_ROWS(rows, SPAN_OF(""), -1);
}

static bool
range_allowed(const char *if_range, struct span etag, int64_t modified)
{
	struct field room[4];
	struct fields fields;

	fields_init(&fields, NULL, room, 4);
	fields_add(&fields, FIELD_RANGE, SPAN_OF("bytes=0-1"));
	if (if_range != NULL)
		fields_add(&fields, FIELD_IF_RANGE, span_text(if_range));
	return condition_allows_range(&fields, etag, modified);
}

static void
test_if_range(void **state)
{
	const struct span etag = SPAN_OF("\"a\""), weak = SPAN_OF("W/\"a\"");

	assert_true(range_allowed(NULL, etag, MODIFIED));
	assert_true(range_allowed("\"a\"", etag, MODIFIED));
	assert_false(range_allowed("\"b\"", etag, MODIFIED));
	assert_false(range_allowed("W/\"a\"", etag, MODIFIED));
	assert_false(range_allowed("W/\"a\"", weak, MODIFIED));
	assert_false(range_allowed("\"a\"", weak, MODIFIED));
	assert_false(range_allowed("\"a\", \"b\"", etag, MODIFIED));
	assert_false(range_allowed("*", etag, MODIFIED));
	assert_false(range_allowed("", etag, MODIFIED));
	assert_true(range_allowed(DATE, etag, MODIFIED));
	assert_false(range_allowed(AFTER, etag, MODIFIED));
	assert_false(range_allowed(BEFORE, etag, MODIFIED));
	assert_false(range_allowed(DATE, etag, -1));
}

/* What was modified within this second may be modified again within it. */
static void
test_if_range_with_a_date_too_fresh(void **state)
{
	char date[HTTP_DATE_LENGTH + 1] = "";
	int64_t now = (int64_t)(clock_wall_ms() / 1000);

	http_date_format(date, now);
	assert_false(range_allowed(date, SPAN_OF(""), now));
	http_date_format(date, now - 10);
	assert_true(range_allowed(date, SPAN_OF(""), now - 10));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_if_none_match),
		cmocka_unit_test(test_if_match),
		cmocka_unit_test(test_a_weak_tag_of_ours),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_nothing_is_known_of_ours),
		cmocka_unit_test(test_if_range),
		cmocka_unit_test(test_if_range_with_a_date_too_fresh),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
