/* rooms: base loop conf http net codec request downstream store */
/* Every time limit: what it ends, when, with which answer; and what it leaves alone. */
#include "house.h"

#define POST "POST /p HTTP/1.1\r\nHost: a\r\n"

enum { SHORT_MS = 60, LONG_MS = 60000 };

static void
house_open_patient(struct house *house, visit_fn *serve)
{
	house_open(house, serve);
	house->limits.header_timeout = house->limits.body_timeout = house->limits.send_timeout =
	    house->limits.keepalive_timeout = LONG_MS;
}

/* The other side ends after about SHORT_MS, not before. */
static void
guest_is_timed_out(struct guest *guest)
{
	uint64_t start_ms = clock_ms();

	assert_true(guest_is_ended(guest, 2000));
	assert_in_range(clock_ms() - start_ms, SHORT_MS * 3 / 4, 2000);
}

static void
ends_heads_that_do_not_come(void **state)
{
	struct house house;
	struct guest guest;

	house_open_patient(&house, serve_path);
	house.limits.header_timeout = SHORT_MS;
	house_configure(&house);

	/* Not a byte: nobody to answer. */
	guest_open(&house, &guest);
	guest_is_timed_out(&guest);
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.slot->totals.timeouts, 1);
	guest_leave(&guest);

	/* Half a head, of the first request and of the second. */
	for (unsigned i = 0; i < 2; i++) {
		guest_open(&house, &guest);
		if (i == 1) {
			guest_get(&guest, "/");
			guest_expect(&guest, 200, "/");
			house_run(&house, SHORT_MS * 2);	/* idle is not late */
		}
		guest_say(&guest, "GET / HTTP/1.1\r\nHo");
		guest_is_timed_out(&guest);
		guest_expect(&guest, 408, NULL);
		assert_string_equal(guest_field(&guest, "Connection"), "close");
		assert_int_equal(house.refused_status, 408);
		assert_int_equal(house.slot->totals.timeouts, 2 + i);
		guest_leave(&guest);
		assert_true(house_is_empty(&house, 1000));
	}
	house_close(&house);
}

/* The time counts from the first byte, so a byte now and then does not help. */
static void
is_not_fooled_by_drops(void **state)
{
	struct house house;
	struct guest guest;
	uint64_t start_ms;

	house_open_patient(&house, serve_path);
	house.limits.header_timeout = SHORT_MS * 2;
	house_configure(&house);
	guest_open(&house, &guest);
	guest_say(&guest, "GET / HTTP/1.1\r\nX: ");
	house_run(&house, 3);
	start_ms = clock_ms();
	while (house.refused == 0 && clock_ms() < start_ms + 2000)
		guest_push(&guest, SPAN_OF("x"), 10);
	assert_in_range(clock_ms() - start_ms, SHORT_MS, 1900);
	guest_expect(&guest, 408, NULL);
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_reading(struct visit *visit)
{
	serve_echo(visit);
}

static void
serve_reading_with_own_limit(struct visit *visit)
{
	visit->request->body_timeout_ms = SHORT_MS;
	serve_echo(visit);
}

static void
ends_content_that_does_not_come(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open_patient(&house, i == 0 ? serve_reading : serve_reading_with_own_limit);
		if (i == 0)
			house.limits.body_timeout = SHORT_MS;
		house_configure(&house);
		guest_open(&house, &guest);
		guest_say(&guest, POST "Content-Length: 5\r\n\r\nabc");
		guest_is_timed_out(&guest);
		guest_expect(&guest, 408, "error 408");
		assert_int_equal(house.visits[0]->gone, 1);
		assert_int_equal(house.slot->totals.timeouts, 1);
		guest_leave(&guest);
		assert_true(house_is_empty(&house, 1000));
		house_close(&house);
	}
}

/* Slowly, but it comes: the time counts between two reads. */
static void
waits_for_slow_content(void **state)
{
	struct house house;
	struct guest guest;

	house_open_patient(&house, serve_reading);
	house.limits.body_timeout = SHORT_MS * 4;
	house_configure(&house);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 5\r\n\r\n");
	for (unsigned i = 0; i < 5; i++) {
		house_run(&house, SHORT_MS);
		guest_say(&guest, "x");
	}
	guest_expect(&guest, 200, "xxxxx");
	assert_int_equal(house.slot->totals.timeouts, 0);
	guest_leave(&guest);
	house_close(&house);
}

/* A handler that takes its time, with content that it does not want yet, is not the client's fault. */
static void
visit_want(struct visit *visit)
{
	request_want_body(visit->request, true);
}

static void
serve_reading_late(struct visit *visit)
{
	visit->on_last = visit_echo;
	visit_wait(visit, SHORT_MS * 3, visit_want);
}

static void
leaves_who_is_not_asked_alone(void **state)
{
	struct house house;
	struct guest guest;

	house_open_patient(&house, serve_reading_late);
	house.limits.body_timeout = house.limits.header_timeout = house.limits.keepalive_timeout = SHORT_MS;
	house_configure(&house);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 3\r\n\r\nabcGET /half HTT");
	house_run(&house, SHORT_MS * 2);
	assert_int_equal(house.visits[0]->gone, 0);
	guest_expect(&guest, 200, "abc");
	assert_int_equal(house.slot->totals.timeouts, 0);

	/* What came of the second head has its time from now on. */
	guest_is_timed_out(&guest);
	guest_expect(&guest, 408, NULL);
	guest_leave(&guest);
	house_close(&house);
}

/* The response has begun: too late for a 408. */
static void
serve_begun(struct visit *visit)
{
	visit_start(visit, 200, -1);
	visit_write_text(visit, "begun");
	request_want_body(visit->request, true);
}

static void
cuts_off_begun_answers(void **state)
{
	struct house house;
	struct guest guest;

	house_open_patient(&house, serve_begun);
	house.limits.body_timeout = SHORT_MS;
	house_configure(&house);
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 5\r\n\r\nabc");
	guest_is_timed_out(&guest);
	assert_false(guest_hear(&guest, HTTP_GET));
	assert_int_equal(house.visits[0]->gone, 1);
	guest_leave(&guest);
	house_close(&house);
}

/* An answer that waits for its client is not lost because his content, which nobody wants, does not come. */
static char much[600000];

static void
serve_much(struct visit *visit)
{
	memset(much, 'm', sizeof(much));
	response_send(visit->request, 200, SPAN_OF("text/plain"), span_make(much, sizeof(much)));
}

static void
keeps_the_answer_of_who_sends_too_slowly(void **state)
{
	struct house house;
	struct guest guest;

	house_open_patient(&house, serve_much);
	house.limits.body_timeout = SHORT_MS;
	house_configure(&house);
	house.buffer = 4096;
	guest_open(&house, &guest);
	guest_say(&guest, POST "Content-Length: 5\r\n\r\nabc");
	house_run(&house, SHORT_MS * 2);
	assert_true(guest_hear(&guest, HTTP_GET));
	assert_int_equal(guest.body.len, sizeof(much));
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	guest_leave(&guest);
	house_close(&house);
}

/* -- sending ------------------------------------------------------------------------------------------------------- */

static void
serve_much_streamed(struct visit *visit)
{
	visit_start(visit, 200, -1);
	visit_write(visit, span_make(much, sizeof(much)));
}

static void
cuts_off_who_does_not_read(void **state)
{
	static visit_fn *const serves[] = { serve_much, serve_much_streamed };

	for (size_t i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open_patient(&house, serves[i]);
		house.limits.send_timeout = SHORT_MS;
		house_configure(&house);
		house.buffer = 4096;
		guest_open(&house, &guest);
		guest_get(&guest, "/");
		house_run(&house, SHORT_MS * 4);
		assert_int_equal(house.visits[0]->ended, 1);
		assert_int_equal(house.visits[0]->gone, i);
		assert_int_equal(house.visits[0]->end_state, REQUEST_ABORTED);
		assert_int_equal(house.slot->totals.timeouts, 1);
		assert_int_equal(downstream_connections(house.downstream), 0);
		assert_false(guest_hear(&guest, HTTP_GET));
		assert_true(guest.reset);	/* what the kernel still held is let go, too */
		guest_leave(&guest);
		house_close(&house);
	}
}

static void
waits_for_who_reads_slowly(void **state)
{
	struct house house;
	struct guest guest;
	char bytes[4096];
	uint64_t until_ms = clock_ms() + PATIENCE_MS;

	house_open_patient(&house, serve_much);
	house.limits.send_timeout = SHORT_MS * 6;
	house_configure(&house);
	house.buffer = 4096;
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	house_run(&house, 5);
	while (clock_ms() < until_ms && house.visits[0]->ended == 0) {
		ssize_t count = recv(guest.fd, bytes, sizeof(bytes), 0);

		text_add(&guest.in, span_make(bytes, count > 0 ? (size_t)count : 0));
		house_run(&house, 5);
	}
	assert_int_equal(house.visits[0]->gone, 0);
	guest_expect(&guest, 200, NULL);
	assert_int_equal(guest.body.len, sizeof(much));
	assert_int_equal(house.slot->totals.timeouts, 0);
	guest_leave(&guest);
	house_close(&house);
}

/* -- idle ---------------------------------------------------------------------------------------------------------- */

static void
ends_idle_connections(void **state)
{
	struct house house;
	struct guest guest;

	house_open_patient(&house, serve_late);
	house.limits.keepalive_timeout = SHORT_MS;
	house_configure(&house);
	guest_open(&house, &guest);
	house_run(&house, SHORT_MS * 2);	/* before the first request it is the head that is waited for */
	guest_get(&guest, "/");
	guest_expect(&guest, 200, "/");
	guest_is_timed_out(&guest);
	assert_true(guest.ended);
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.slot->totals.timeouts, 0);	/* nobody was late */
	guest_leave(&guest);
	house_close(&house);
}

static void
lingers_for_a_while_only(void **state)
{
	struct house house;
	struct guest guest;
	uint64_t start_ms = clock_ms();

	house_open_patient(&house, serve_path);
	guest_open(&house, &guest);
	guest_say(&guest, "nonsense\r\n\r\n");
	guest_expect(&guest, 400, NULL);
	while (downstream_connections(house.downstream) > 0 && clock_ms() < start_ms + 10000)
		guest_push(&guest, SPAN_OF("x"), 50);	/* and does not listen */
	assert_in_range(clock_ms() - start_ms, 4000, 7000);
	guest_leave(&guest);
	house_close(&house);
}

static void
ends_proxy_headers_that_do_not_come(void **state)
{
	struct house house;
	struct guest guest;

	house_open_patient(&house, serve_path);
	house.limits.header_timeout = SHORT_MS;
	house.listener.proxy_protocol = true;
	house_trust(&house, "192.0.2.0/24");
	guest_open(&house, &guest);
	guest_say(&guest, "PROXY TCP4 203.0.");
	guest_is_timed_out(&guest);
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.slot->totals.timeouts, 1);
	guest_leave(&guest);
	house_close(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_heads_that_do_not_come),
		cmocka_unit_test(is_not_fooled_by_drops),
		cmocka_unit_test(ends_content_that_does_not_come),
		cmocka_unit_test(waits_for_slow_content),
		cmocka_unit_test(leaves_who_is_not_asked_alone),
		cmocka_unit_test(cuts_off_begun_answers),
		cmocka_unit_test(keeps_the_answer_of_who_sends_too_slowly),
		cmocka_unit_test(cuts_off_who_does_not_read),
		cmocka_unit_test(waits_for_who_reads_slowly),
		cmocka_unit_test(ends_idle_connections),
		cmocka_unit_test(lingers_for_a_while_only),
		cmocka_unit_test(ends_proxy_headers_that_do_not_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
