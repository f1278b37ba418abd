/* rooms: base loop ipc logger */
#include "logger/spool.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ROOM ((size_t)16 * SPOOL_NOTICE_ROOM)

static struct spool *spool;

static int
set_up(void **state)
{
	spool = spool_create(ROOM);
	return 0;
}

static int
tear_down(void **state)
{
	spool_free(spool);
	return 0;
}

static bool
put(const char *line)
{
	return spool_put(spool, span_text(line));
}

static void
assert_front(size_t max, const char *expected)
{
	struct span front = spool_peek(spool, max, UINT64_MAX);

	assert_int_equal(front.len, strlen(expected));
	assert_memory_equal(front.at, expected, front.len);
}

static void
test_in_order(void **state)
{
	assert_front(100, "");
	assert_true(put("one") && put("two"));
	assert_front(100, "one\ntwo\n");
	assert_false(spool_consume(spool, 4));
	assert_front(100, "two\n");
	spool_consume(spool, 2);
	assert_front(100, "o\n");
	spool_consume(spool, 2);
	assert_front(100, "");
	assert_int_equal(spool_put_total(spool), 8);
	assert_int_equal(spool_consumed_total(spool), 8);
}

static void
test_peek_ends_with_a_line(void **state)
{
	put("one");
	put("two");
	assert_front(7, "one\n");
	assert_front(4, "one\n");
	assert_front(3, "one");
	assert_front(8, "one\ntwo\n");
}

static void
test_peek_until(void **state)
{
	put("one");
	put("two");
	assert_int_equal(spool_peek(spool, 100, 4).len, 4);
	spool_consume(spool, 4);
	assert_int_equal(spool_peek(spool, 100, 4).len, 0);
	assert_int_equal(spool_peek(spool, 100, 8).len, 4);
}

/* Fills it with lines of 100 bytes; returns how many it took. */
static size_t
fill(void)
{
	char line[100];
	size_t count = 0;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	while (put(line))
		count++;
	return count;
}

static void
test_drops_whole_lines_and_counts(void **state)
{
	size_t count = fill();

	assert_true(count * 100 <= ROOM - SPOOL_NOTICE_ROOM && (count + 1) * 100 > ROOM - SPOOL_NOTICE_ROOM);
	assert_false(put("small"));
	assert_int_equal(spool_take_dropped(spool, false), 0);
	assert_false(spool_consume(spool, 100));
	assert_false(put("there is room, but not enough to begin again"));
	assert_true(spool_consume(spool, ROOM / 8 / 100 * 100 + 100));
	assert_int_equal(spool_take_dropped(spool, false), 3);
	assert_int_equal(spool_take_dropped(spool, false), 0);
	assert_true(put("small"));
}

static void
test_notice_has_room_of_its_own(void **state)
{
	char notice[SPOOL_NOTICE_ROOM];

	memset(notice, 'n', sizeof(notice));
	fill();
	assert_int_equal(spool_take_dropped(spool, true), 1);
	assert_true(spool_put_notice(spool, span_make(notice, sizeof(notice) - 1)));
	assert_false(spool_put_notice(spool, span_make(notice, sizeof(notice) - 1)));
}

static void
test_skip_line(void **state)
{
	put("one");
	put("two");
	spool_consume(spool, 1);
	spool_skip_line(spool);
	assert_front(100, "two\n");
	assert_int_equal(spool_take_dropped(spool, false), 1);
	spool_consume(spool, 4);
	assert_int_equal(spool_consumed_total(spool), 8);
}

/* Bytes come out as they went in, wherever the ring begins. */
static void
test_wraps(void **state)
{
	struct text in = { 0 }, out = { 0 };
	char line[64];

	put("kept so that it never is empty");
	text_add_text(&in, "kept so that it never is empty\n");
	for (unsigned i = 0; i < 5000; i++) {
		struct span front;

		snprintf(line, sizeof(line), "%u %.*s", i, (int)(i % 40), "........................................");
		assert_true(put(line));
		text_format(&in, "%s\n", line);
		front = spool_peek(spool, 60 + i % 37, UINT64_MAX);
		text_add(&out, front);
		spool_consume(spool, front.len);
	}
	for (struct span front; (front = spool_peek(spool, 1000, UINT64_MAX)).len > 0;) {
		text_add(&out, front);
		spool_consume(spool, front.len);
	}
	assert_int_equal(in.len, out.len);
	assert_string_equal(in.bytes, out.bytes);
	text_fini(&in);
	text_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peek_ends_with_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peek_until, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drops_whole_lines_and_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_notice_has_room_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_skip_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wraps, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
