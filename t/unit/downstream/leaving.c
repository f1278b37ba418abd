/* rooms: base loop conf http net codec request downstream store */
/* Clients who go: politely, half, with a reset, in the middle; and that nobody spins over what they leave behind. */
#include "house.h"

#define POST "POST /p HTTP/1.1\r\nHost: a\r\n"

static void
serve_never(struct visit *visit)
{
	(void)visit;
}

static void
forgets_who_closes_an_idle_connection(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	for (unsigned i = 0; i < 4; i++) {
		guest_open(&house, &guest);
		if (i > 0) {
			guest_get(&guest, "/");
			guest_expect(&guest, 200, "/");
		}
		if (i == 2)
			guest_say(&guest, "GET /half HTTP/1.1\r\nHo");
		house_run(&house, 3);
		if (i == 3)
			guest_reset(&guest);
		else
			guest_leave(&guest);
		assert_true(house_is_empty(&house, 1000));
	}
	assert_int_equal(house.slot->totals.timeouts, 0);
	assert_int_equal(house.slot->totals.aborted, 0);
	house_close(&house);
}

/* RFC 9112 §9.6: the end of what a client sends is not the end of his interest. */
static void
answers_who_has_ended_his_side(void **state)
{
	static visit_fn *const serves[] = { serve_path, serve_late };

	for (size_t i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serves[i]);
		guest_open(&house, &guest);
		guest_say(&guest, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
		shutdown(guest.fd, SHUT_WR);
		assert_true(house_run(&house, 10) < 10);
		guest_expect(&guest, 200, "/1");
		assert_true(guest_is_ended(&guest, 1000) && guest.ended);
		guest_leave(&guest);
		assert_true(house_is_empty(&house, 1000));
		house_close(&house);
	}
}

#define WITH_CONTENT POST "Content-Length: 2\r\n\r\n/p"
#define WITHOUT "GET /p HTTP/1.1\r\nHost: a\r\n\r\n"

static void
answers_all_that_was_asked_before_the_end(void **state)
{
	static const struct { visit_fn *serve; const char *bytes; } rows[] = {
		{ serve_path, WITHOUT WITHOUT WITHOUT "GET /half HT" },
		{ serve_late, WITHOUT WITHOUT WITHOUT "GET /half HT" },
		{ serve_late, WITHOUT WITHOUT WITHOUT },
		{ serve_late, WITH_CONTENT WITH_CONTENT WITHOUT },
		{ serve_echo, WITH_CONTENT WITH_CONTENT WITH_CONTENT "GET /half HT" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct house house;
		struct guest guest;

		house_open(&house, rows[i].serve);
		guest_open(&house, &guest);
		guest_say(&guest, rows[i].bytes);
		shutdown(guest.fd, SHUT_WR);
		for (unsigned j = 0; j < 3; j++)
			guest_expect(&guest, 200, "/p");
		assert_true(guest_is_ended(&guest, 1000) && guest.ended);
		assert_int_equal(house.visit_count, 3);
		guest_leave(&guest);
		assert_true(house_is_empty(&house, 1000));
		house_close(&house);
	}
}

/* Who has ended his side, and is known to have nothing more in store, is told that this is the end. */
static void
says_close_to_who_has_ended(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_late);
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	shutdown(guest.fd, SHUT_WR);
	guest_expect(&guest, 200, "/");
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_reading(struct visit *visit)
{
	request_want_body(visit->request, true);
}

static void
visit_want(struct visit *visit)
{
	request_want_body(visit->request, true);
}

static void
serve_reading_later(struct visit *visit)
{
	visit_wait(visit, 20, visit_want);
}

/* Content that ends too early: the handler hears that its client is gone, once, and of no `last`. */
static void
tells_who_waits_for_content(void **state)
{
	static visit_fn *const serves[] = { serve_reading, serve_reading_later };

	for (size_t i = 0; i < 4; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serves[i % 2]);
		guest_open(&house, &guest);
		guest_say(&guest, i < 2 ? POST "Content-Length: 5\r\n\r\nabc" :
		    POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
		house_run(&house, 3);
		shutdown(guest.fd, SHUT_WR);
		assert_true(house_run(&house, 40) < 12);
		assert_int_equal(house.visits[0]->gone, 1);
		assert_int_equal(house.visits[0]->lasts, 0);
		assert_int_equal(house.visits[0]->body.len, 3);
		assert_int_equal(house.slot->totals.aborted, 1);
		assert_int_equal(downstream_connections(house.downstream), 0);
		guest_leave(&guest);
		house_close(&house);
	}
}

/* The answer is given, its client is still to send content, and ends instead. */
static void
finishes_for_who_ends_in_the_middle_of_unwanted_content(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 100\r\n\r\nabc");
	shutdown(guest.fd, SHUT_WR);
	guest_expect(&guest, 200, "/p");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	guest_leave(&guest);
	house_close(&house);
}

static void
tells_who_waits_with_a_reset(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_never);
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	house_run(&house, 3);
	guest_reset(&guest);
	house_run(&house, 10);
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.visits[0]->end_state, REQUEST_ABORTED);
	assert_int_equal(downstream_connections(house.downstream), 0);
	house_close(&house);
}

static void
visit_drip(struct visit *visit)
{
	visit_write_text(visit, "drip");
	assert_int_equal(visit->gone, 0);	/* never from inside our own call */
	assert_non_null(visit->request);
	visit_wait(visit, 2, visit_drip);
}

static void
serve_drip(struct visit *visit)
{
	visit_start(visit, 200, -1);
	visit_drip(visit);
}

/* He closes while a response is on its way: the first write that fails tells, and not from inside itself. */
static void
tells_who_writes(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_drip);
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	house_run(&house, 10);
	guest_leave(&guest);
	assert_true(house_is_empty(&house, 1000));
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.slot->totals.aborted, 1);
	house_close(&house);
}

/* The same when it is the last write, or the one of a request that is answered where it came. */
static void
visit_answer_the_dead(struct visit *visit)
{
	visit_write_text(visit, "one");
	visit_write_text(visit, "two");
	visit_finish(visit);
}

static void
serve_the_dead(struct visit *visit)
{
	visit_start(visit, 200, -1);
	visit_wait(visit, 10, visit_answer_the_dead);
}

static void
survives_answers_to_nobody(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_the_dead);
	for (unsigned i = 0; i < 3; i++) {
		guest_open(&house, &guest);
		guest_say(&guest, POST "Content-Length: 5\r\n\r\nabc");
		house_run(&house, 3);
		guest_reset(&guest);
		house_run(&house, 30);
		assert_true(house_is_empty(&house, 1000));
		assert_int_equal(house.visits[i]->end_state, REQUEST_ABORTED);
	}
	house_close(&house);
}

/* Requests without end and nobody who reads the answers: it stops somewhere, and does not spin there. */
static void
stops_for_who_never_reads(void **state)
{
	struct house house;
	struct guest guest;
	struct text requests = { 0 };

	for (unsigned i = 0; i < 400; i++)
		text_add_text(&requests, "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n");
	house_open(&house, serve_path);
	house.buffer = 4096;
	guest_open(&house, &guest);
	guest_push(&guest, text_span(&requests), 200);
	assert_true(house_run(&house, 50) < 10);
	guest_leave(&guest);
	assert_true(house_is_empty(&house, 1000));
	text_fini(&requests);
	house_close(&house);
}

/* Everything at once, and gone: what was read is answered into the void. */
static void
survives_who_asks_and_runs(void **state)
{
	struct house house;
	struct guest guest;
	struct text requests = { 0 };

	for (unsigned i = 0; i < 200; i++)
		text_add_text(&requests, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	for (unsigned i = 0; i < 2; i++) {
		house_open(&house, i == 0 ? serve_path : serve_late);
		guest_open(&house, &guest);
		assert_int_equal(send(guest.fd, requests.bytes, requests.len, MSG_NOSIGNAL), requests.len);
		guest_reset(&guest);
		assert_true(house_is_empty(&house, 1000));
		house_close(&house);
	}
	text_fini(&requests);
}

/* Unread input at our end must not destroy the answer: the client, who goes on sending, gets all of it and an end. */
static void
lingers_for_who_still_sends(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	guest_say(&guest, "GET / HTTP/1.1\r\n\r\n");
	for (unsigned i = 0; i < 5; i++) {
		house_run(&house, 5);
		guest_push(&guest, SPAN_OF("more that nobody reads"), 5);
	}
	guest_expect(&guest, 400, NULL);
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_int_equal(downstream_connections(house.downstream), 1);
	assert_true(house_run(&house, 20) < 10);
	guest_leave(&guest);
	assert_true(house_is_empty(&house, 1000));
	house_close(&house);
}

/* A handler that takes no content stops the reading; the client's reset ends what is done for him all the same. */
static void
notices_a_reset_while_nobody_reads(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_never);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 1000000\r\n\r\nabc");
	assert_true(house_run(&house, 20) < 10);
	assert_int_equal(house.slot->requests_active, 1);
	guest_push(&guest, SPAN_OF("more that nobody reads"), 5);
	assert_true(house_run(&house, 20) < 10);
	guest_reset(&guest);
	assert_true(house_is_empty(&house, 1000));
	assert_int_equal(house.slot->totals.aborted, 1);
	house_close(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forgets_who_closes_an_idle_connection),
		cmocka_unit_test(answers_who_has_ended_his_side),
		cmocka_unit_test(answers_all_that_was_asked_before_the_end),
		cmocka_unit_test(says_close_to_who_has_ended),
		cmocka_unit_test(tells_who_waits_for_content),
		cmocka_unit_test(finishes_for_who_ends_in_the_middle_of_unwanted_content),
		cmocka_unit_test(tells_who_waits_with_a_reset),
		cmocka_unit_test(tells_who_writes),
		cmocka_unit_test(survives_answers_to_nobody),
		cmocka_unit_test(stops_for_who_never_reads),
		cmocka_unit_test(survives_who_asks_and_runs),
		cmocka_unit_test(lingers_for_who_still_sends),
		cmocka_unit_test(notices_a_reset_while_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
