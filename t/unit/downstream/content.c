/* rooms: base loop conf http net codec request downstream store */
/* Content of requests: wanted, paused, too much, not wanted at all; and that the next request is found behind it. */
#include "house.h"

#define POST "POST /p HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static void
echoes_what_comes(void **state)
{
	static const struct { const char *bytes; const char *content; } rows[] = {
		{ POST "Content-Length: 5\r\n\r\nhello", "hello" },
		{ POST "Content-Length: 0\r\n\r\n", "" },
		{ POST "\r\n", "" },
		{ CHUNKED "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world" },
		{ CHUNKED "0\r\n\r\n", "" },
		{ CHUNKED "3\r\nabc\r\n0\r\nX: y\r\n\r\n", "abc" },
	};
	struct house house;
	struct guest guest;

	house_open(&house, serve_echo);
	guest_open(&house, &guest);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		guest_say(&guest, rows[i].bytes);
		guest_expect(&guest, 200, rows[i].content);
		for (const char *at = rows[i].bytes; *at != '\0'; at++) {
			assert_true(guest_send(&guest, span_make(at, 1)));
			house_run(&house, 1);
		}
		guest_expect(&guest, 200, rows[i].content);
	}
	guest_is_in_step(&guest);
	assert_int_equal(house.slot->totals.bytes_in, 2 * (5 + 11 + 3));
	guest_leave(&guest);
	house_close(&house);
}

static void
visit_tell_trailers(struct visit *visit)
{
	const struct fields *trailers = &visit->request->trailers;

	visit_answer(visit, 200, arena_format(visit->request->arena, "%u %.*s", trailers->count,
	    (int)trailers->items[0].value.len, trailers->items[0].value.at));
}

static void
serve_trailers(struct visit *visit)
{
	visit->on_last = visit_tell_trailers;
	request_want_body(visit->request, true);
}

static void
keeps_trailers(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_trailers);
	guest_open(&house, &guest);
	guest_say(&guest, CHUNKED "3\r\nabc\r\n0\r\nX-Sum: 9");
	house_run(&house, 3);
	guest_say(&guest, "01\r\nContent-Length: 7\r\n\r\n");
	guest_expect(&guest, 200, "1 901");
	guest_leave(&guest);
	house_close(&house);
}

/* -- pulling ------------------------------------------------------------------------------------------------------- */

static void
visit_want_again(struct visit *visit)
{
	request_want_body(visit->request, true);
}

static void
visit_pause(struct visit *visit)
{
	if (visit->lasts > 0)
		return;
	request_want_body(visit->request, false);
	visit_wait(visit, 2, visit_want_again);
}

static void
serve_slowly(struct visit *visit)
{
	visit->on_piece = visit_pause;
	visit->on_last = visit_echo;
	visit_wait(visit, 2, visit_want_again);
}

static void
waits_for_a_slow_handler(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_slowly);
	guest_open(&house, &guest);
	guest_say(&guest, CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n" POST "Content-Length: 3\r\n\r\nxyz");
	guest_expect(&guest, 200, "abc");
	guest_expect(&guest, 200, "xyz");
	guest_is_in_step(&guest);
	assert_true(house.visits[0]->pieces >= 4);
	guest_leave(&guest);
	house_close(&house);
}

/* While the handler does not want it, content stays with the client. */
static void
serve_nothing_yet(struct visit *visit)
{
	visit->on_last = visit_echo;
}

static void
holds_back_the_client(void **state)
{
	struct house house;
	struct guest guest;
	struct text all = { 0 };
	size_t sent, size = 2000000;

	text_format(&all, POST "Content-Length: %zu\r\n\r\n", size);
	memset(text_reserve(&all, size), 'x', size);
	all.len += size;
	house_open(&house, serve_nothing_yet);
	house.buffer = 8192;
	guest_open(&house, &guest);
	sent = guest_push(&guest, text_span(&all), 100);
	assert_true(sent < 300000);
	assert_true(house_run(&house, 50) < 10);
	request_want_body(house.visits[0]->request, true);
	assert_true(guest_send(&guest, span_skip(text_span(&all), sent)));
	assert_true(guest_hear(&guest, HTTP_GET));
	assert_int_equal(guest.body.len, size);
	assert_int_equal(house.slot->totals.bytes_in, size);
	guest_is_in_step(&guest);
	guest_leave(&guest);
	text_fini(&all);
	house_close(&house);
}

/* `last` is said once, however often it is asked for. */
static void
visit_ask_twice(struct visit *visit)
{
	request_want_body(visit->request, false);
	request_want_body(visit->request, true);
	visit_wait(visit, 5, visit_echo);
}

static void
serve_asking_twice(struct visit *visit)
{
	visit->on_last = visit_ask_twice;
	request_want_body(visit->request, true);
}

static void
says_last_once(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_asking_twice);
	guest_open(&house, &guest);
	guest_say(&guest, POST "\r\n" POST "Content-Length: 2\r\n\r\nab" CHUNKED "0\r\n\r\n");
	guest_expect(&guest, 200, "");
	guest_expect(&guest, 200, "ab");
	guest_expect(&guest, 200, "");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(house.visits[i]->lasts, 1);
	guest_leave(&guest);
	house_close(&house);
}

/* A handler that asks from a timer, when all content waits already, hears it after its own call has returned. */
static void
visit_want_then_look(struct visit *visit)
{
	request_want_body(visit->request, true);
	assert_non_null(visit->request);
	assert_int_equal(visit->lasts, 0);
	assert_int_equal(visit->request->state, REQUEST_HANDLED);
}

static void
serve_looking(struct visit *visit)
{
	visit->on_last = visit_echo;
	visit_wait(visit, 5, visit_want_then_look);
}

static void
never_ends_a_request_inside_want_body(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_looking);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 3\r\nConnection: close\r\n\r\nabc");
	guest_expect(&guest, 200, "abc");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	guest_leave(&guest);
	house_close(&house);
}

/* -- answers before the content has come --------------------------------------------------------------------------- */

static void
visit_answer_at_first(struct visit *visit)
{
	if (visit->pieces == 1)
		visit_answer(visit, 200, "enough");
}

static void
serve_until_first(struct visit *visit)
{
	visit->on_piece = visit_answer_at_first;
	request_want_body(visit->request, true);
}

static void
visit_abort(struct visit *visit)
{
	response_abort(visit->request, "the test wants it");
}

static void
serve_abort_in_body(struct visit *visit)
{
	visit->on_piece = visit_abort;
	request_want_body(visit->request, true);
}

static void
reads_past_what_nobody_wants(void **state)
{
	static visit_fn *const serves[] = { serve_path, serve_late, serve_until_first };

	for (size_t i = 0; i < sizeof(serves) / sizeof(serves[0]); i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serves[i]);
		guest_open(&house, &guest);
		guest_say(&guest, CHUNKED "1\r\na\r\n");
		guest_expect(&guest, 200, NULL);
		assert_true(guest.keep_alive);
		guest_say(&guest, "1\r\nb\r\n0\r\n\r\n");
		guest_is_in_step(&guest);

		guest_say(&guest, POST "Content-Length: 100000\r\n\r\n");
		house_run(&house, 5);
		for (unsigned sent = 0; sent < 100000; sent += 100) {
			char bytes[100];

			memset(bytes, 'x', sizeof(bytes));
			assert_true(guest_send(&guest, span_make(bytes, sizeof(bytes))));
			if (sent % 10000 == 0)
				house_run(&house, 1);
		}
		guest_expect(&guest, 200, NULL);
		guest_is_in_step(&guest);
		guest_leave(&guest);
		house_close(&house);
	}
}

static void
aborts_from_inside_the_content(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_abort_in_body);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(guest_is_ended(&guest, 1000));
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.visit_count, 1);
	assert_int_equal(house.visits[0]->gone, 0);
	assert_int_equal(house.slot->totals.aborted, 1);
	guest_leave(&guest);
	house_close(&house);
}

/* More than is worth reading: the answer says that this is the end, and arrives although we do not read it all. */
static void
refuses_to_read_too_much(void **state)
{
	struct house house;
	struct guest guest;
	struct text bytes = { 0 };

	memset(text_reserve(&bytes, 1000000), 'x', 1000000);
	bytes.len = 1000000;
	house_open(&house, serve_path);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 100000000\r\n\r\n");
	guest_push(&guest, text_span(&bytes), 50);
	guest_expect(&guest, 200, "/p");
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_int_equal(house.slot->totals.bytes_in, 0);
	guest_leave(&guest);
	assert_true(house_is_empty(&house, 1000));
	text_fini(&bytes);
	house_close(&house);
}

/* Of unknown length: read for a while, then no longer. */
static void
gives_up_on_endless_content(void **state)
{
	struct house house;
	struct guest guest;
	struct text chunk = { 0 };

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	text_add_text(&chunk, "10000\r\n");
	memset(text_reserve(&chunk, 65536), 'x', 65536);
	chunk.len += 65536;
	text_add_text(&chunk, "\r\n");
	guest_say(&guest, CHUNKED);
	guest_expect(&guest, 200, "/p");
	for (unsigned i = 0; i < 20 && !guest.ended; i++) {
		guest_push(&guest, text_span(&chunk), 100);
		guest_read(&guest);
	}
	assert_true(guest.ended);
	guest_leave(&guest);
	text_fini(&chunk);
	house_close(&house);
}

/* -- Expect: 100-continue ------------------------------------------------------------------------------------------ */

static void
says_continue_when_it_is_wanted(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_slowly);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	guest_expect(&guest, 100, "");
	guest_is_left_alone(&guest);
	guest_say(&guest, "abc");
	guest_expect(&guest, 200, "abc");
	assert_true(guest.keep_alive);
	guest_say(&guest, POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
	guest_expect(&guest, 200, "");
	guest_say(&guest, "POST / HTTP/1.0\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n"
	    "Content-Length: 1\r\n\r\nz");
	guest_expect(&guest, 200, "z");
	guest_is_in_step(&guest);
	guest_leave(&guest);
	house_close(&house);
}

/* Whether the client then sends its content cannot be known, so the connection ends. */
static void
ends_when_the_expected_is_not_wanted(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	guest_expect(&guest, 200, "/p");
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	guest_say(&guest, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_int_equal(house.visit_count, 1);
	guest_leave(&guest);
	house_close(&house);
}

/* -- refused ------------------------------------------------------------------------------------------------------- */

static void
serve_little(struct visit *visit)
{
	visit->request->body_max = 10;
	serve_echo(visit);
}

static void
refuses_content_that_is_too_long(void **state)
{
	static const char *const ways[] = {
		POST "Content-Length: 11\r\n\r\nhello world",
		CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serve_little);
		guest_open(&house, &guest);
		guest_say(&guest, POST "Content-Length: 10\r\n\r\n0123456789");
		guest_expect(&guest, 200, "0123456789");
		guest_say(&guest, ways[i]);
		guest_expect(&guest, 413, "error 413");
		assert_string_equal(guest_field(&guest, "Connection"), "close");
		assert_true(guest_is_ended(&guest, 1000) && guest.ended);
		assert_int_equal(house.visits[1]->gone, 1);
		assert_int_equal(house.visits[1]->end_state, REQUEST_FINISHED);
		guest_leave(&guest);
		house_close(&house);
	}
}

static void
refuses_chunks_that_are_none(void **state)
{
	static visit_fn *const serves[] = { serve_echo, serve_path, serve_late };
	static const unsigned statuses[] = { 400, 200, 200 };

	for (size_t i = 0; i < 3; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serves[i]);
		guest_open(&house, &guest);
		guest_say(&guest, CHUNKED "3\r\nabcd\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
		guest_expect(&guest, statuses[i], NULL);
		assert_true(guest_is_ended(&guest, 1000) && guest.ended);
		assert_int_equal(guest.in.len, 0);
		assert_int_equal(house.visit_count, 1);
		assert_int_equal(house.visits[0]->gone, statuses[i] == 400);
		guest_leave(&guest);
		assert_true(house_is_empty(&house, 1000));
		house_close(&house);
	}
}

/* The response has begun: all that can be done is to cut it off, so that it does not look complete. */
static void
serve_start_then_read(struct visit *visit)
{
	visit_start(visit, 200, -1);
	visit_write_text(visit, "begun");
	request_want_body(visit->request, true);
}

static void
cuts_off_when_content_goes_wrong_too_late(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_start_then_read);
	guest_open(&house, &guest);
	guest_say(&guest, CHUNKED "3\r\nabc\r\n");
	house_run(&house, 10);
	guest_say(&guest, "zz\r\n");
	assert_true(guest_is_ended(&guest, 1000));
	assert_false(guest_hear(&guest, HTTP_GET));
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.visits[0]->end_state, REQUEST_ABORTED);
	guest_leave(&guest);
	house_close(&house);
}

/* The answer is complete but waits for a client who first wants to send all of his content. */
static void
serve_much(struct visit *visit)
{
	static char much[600000];

	memset(much, 'y', sizeof(much));
	response_send(visit->request, 200, SPAN_OF("text/plain"), span_make(much, sizeof(much)));
}

static void
reads_while_the_answer_waits(void **state)
{
	struct house house;
	struct guest guest;
	struct text bytes = { 0 };

	memset(text_reserve(&bytes, 200000), 'x', 200000);
	bytes.len = 200000;
	house_open(&house, serve_much);
	house.buffer = 4096;
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 200000\r\n\r\n");
	house_run(&house, 5);
	assert_true(guest_send(&guest, text_span(&bytes)));
	assert_true(guest_hear(&guest, HTTP_GET));
	assert_int_equal(guest.body.len, 600000);
	guest_is_in_step(&guest);
	guest_leave(&guest);
	text_fini(&bytes);
	house_close(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes_what_comes),
		cmocka_unit_test(keeps_trailers),
		cmocka_unit_test(waits_for_a_slow_handler),
		cmocka_unit_test(holds_back_the_client),
		cmocka_unit_test(says_last_once),
		cmocka_unit_test(never_ends_a_request_inside_want_body),
		cmocka_unit_test(reads_past_what_nobody_wants),
		cmocka_unit_test(aborts_from_inside_the_content),
		cmocka_unit_test(refuses_to_read_too_much),
		cmocka_unit_test(gives_up_on_endless_content),
		cmocka_unit_test(says_continue_when_it_is_wanted),
		cmocka_unit_test(ends_when_the_expected_is_not_wanted),
		cmocka_unit_test(refuses_content_that_is_too_long),
		cmocka_unit_test(refuses_chunks_that_are_none),
		cmocka_unit_test(cuts_off_when_content_goes_wrong_too_late),
		cmocka_unit_test(reads_while_the_answer_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
