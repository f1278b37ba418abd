/* rooms: base loop conf http net codec request downstream store */
/* All connections together: limits of their number, new settings, the PROXY header, draining, cutting, freeing. */
#include "house.h"

/* -- numbers ------------------------------------------------------------------------------------------------------- */

static void
says_full_and_room_once(void **state)
{
	struct house house;
	struct guest guests[20];

	house_open(&house, serve_path);
	house.limits.connections = 20;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(house.full, 0);
		guest_open(&house, &guests[i]);
	}
	assert_int_equal(house.full, 1);
	house_run(&house, 5);
	guest_leave(&guests[0]);
	house_run(&house, 5);
	assert_int_equal(house.room, 0);	/* 95 % and more are still full */
	guest_leave(&guests[1]);
	house_run(&house, 5);
	assert_int_equal(house.room, 1);
	guest_open(&house, &guests[0]);
	guest_open(&house, &guests[1]);
	assert_int_equal(house.full, 2);
	for (unsigned i = 0; i < 20; i++)
		guest_leave(&guests[i]);
	assert_true(house_is_empty(&house, 1000));
	assert_int_equal(house.room, 2);
	house_close(&house);
}

static void
takes_new_limits_at_once(void **state)
{
	struct house house;
	struct guest guests[4];

	house_open(&house, serve_path);
	house.limits.connections = 2;
	house_configure(&house);
	guest_open(&house, &guests[0]);
	guest_open(&house, &guests[1]);
	assert_int_equal(house.full, 1);
	house.limits.connections = 100;
	house_configure(&house);
	assert_int_equal(house.room, 1);
	house.limits.connections = 1;
	house_configure(&house);
	assert_int_equal(house.full, 2);
	for (unsigned i = 0; i < 2; i++) {
		guest_is_in_step(&guests[i]);
		guest_leave(&guests[i]);
	}
	assert_true(house_is_empty(&house, 1000));
	assert_int_equal(house.room, 2);
	house_close(&house);
}

static void
limits_each_client(void **state)
{
	struct house house;
	struct guest guests[5], other;

	house_open(&house, serve_path);
	house.limits.connections_per_client = 3;
	for (unsigned i = 0; i < 3; i++)
		guest_open_from(&house, &guests[i], "2001:db8::1");
	guest_open_from(&house, &guests[3], "2001:db8::2:3");	/* the same /64 */
	assert_true(guest_is_ended(&guests[3], 1000));
	guest_open_from(&house, &other, "2001:db8:0:1::1");
	guest_is_in_step(&other);
	assert_int_equal(house.slot->totals.connections_refused, 1);
	guest_leave(&guests[0]);
	house_run(&house, 10);
	guest_open_from(&house, &guests[4], "2001:db8::9");
	guest_is_in_step(&guests[4]);
	guest_is_in_step(&guests[1]);
	for (unsigned i = 1; i < 5; i++)
		guest_leave(&guests[i]);
	guest_leave(&other);
	assert_true(house_is_empty(&house, 1000));
	house_close(&house);
}

/* The limit came after, or went before: who was not counted is not taken off. */
static void
counts_only_whom_it_counted(void **state)
{
	struct house house;
	struct guest guests[4];

	house_open(&house, serve_path);
	guest_open(&house, &guests[0]);
	house.limits.connections_per_client = 1;
	guest_open(&house, &guests[1]);
	guest_is_in_step(&guests[1]);
	guest_leave(&guests[0]);
	house_run(&house, 5);
	guest_open(&house, &guests[2]);
	assert_true(guest_is_ended(&guests[2], 1000));
	house.limits.connections_per_client = 0;
	guest_open(&house, &guests[3]);
	guest_is_in_step(&guests[3]);
	for (unsigned i = 1; i < 4; i++)
		guest_leave(&guests[i]);
	assert_true(house_is_empty(&house, 1000));
	house_close(&house);
}

/* -- who asks ------------------------------------------------------------------------------------------------------ */

static void
serve_client(struct visit *visit)
{
	const struct request *request = visit->request;

	visit_answer(visit, 200, arena_format(request->arena, "%.*s %u %s %.*s", (int)request->client_ip.len,
	    request->client_ip.at, request->client->port, request->client->is_trusted ? "trusted" : "stranger",
	    (int)request->scheme.len, request->scheme.at));
}

#define FROM(address) "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " address "\r\nX-Forwarded-Proto: https\r\n\r\n"

/* A reload makes a port of HTTP/2 alone of it: that is for who connects next. */
static void
keeps_what_a_connection_speaks(void **state)
{
	struct house house;
	struct guest guest, next;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	guest_is_in_step(&guest);
	house.listener.http1 = false;
	house.listener.h2c = true;
	guest_is_in_step(&guest);
	guest_open(&house, &next);
	guest_get(&next, "/");
	assert_true(guest_is_ended(&next, PATIENCE_MS));
	assert_int_equal(house.slot->totals.connections_refused, 1);
	guest_leave(&next);
	guest_leave(&guest);
	house_close(&house);
}

static void
believes_who_is_trusted_now(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_client);
	guest_open(&house, &guest);
	guest_say(&guest, FROM("203.0.113.7"));
	guest_expect(&guest, 200, "192.0.2.1 40000 stranger http");
	house_trust(&house, "192.0.2.0/24");	/* a reload: connections that are open feel it */
	guest_say(&guest, FROM("203.0.113.7"));
	guest_expect(&guest, 200, "203.0.113.7 40000 trusted https");
	house.trusted.count = 0;
	house_configure(&house);
	guest_say(&guest, FROM("203.0.113.7"));
	guest_expect(&guest, 200, "192.0.2.1 40000 stranger http");
	guest_leave(&guest);
	house_close(&house);
}

static void
house_open_behind_proxy(struct house *house)
{
	house_open(house, serve_client);
	house->listener.proxy_protocol = true;
	house_trust(house, "192.0.2.0/24");
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_V4 SIGNATURE "\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\x04\xd2\0\x50"
#define V2_LOCAL SIGNATURE "\x20\0\0\0"
#define SPAN_OF_ROW(literal) { literal, sizeof(literal) - 1 }

static void
takes_the_proxy_header(void **state)
{
	static const struct { struct span bytes; const char *seen; } rows[] = {
		{ SPAN_OF_ROW("PROXY TCP4 203.0.113.9 10.0.0.1 1234 80\r\n" GET), "203.0.113.9 1234 stranger http" },
		{ SPAN_OF_ROW("PROXY TCP6 2001:db8::9 ::1 1234 80\r\n" GET), "2001:db8::9 1234 stranger http" },
		{ SPAN_OF_ROW("PROXY UNKNOWN\r\n" GET), "192.0.2.1 40000 trusted http" },
		{ SPAN_OF_ROW(V2_V4 GET), "203.0.113.9 1234 stranger http" },
		{ SPAN_OF_ROW(V2_LOCAL GET), "192.0.2.1 40000 trusted http" },
	};
	struct house house;
	struct guest guest;

	house_open_behind_proxy(&house);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut < 3; cut++) {
			guest_open(&house, &guest);
			for (size_t at = 0; cut == 2 && at + 1 < rows[i].bytes.len; at++) {
				assert_true(guest_send(&guest, span_make(rows[i].bytes.at + at, 1)));
				house_run(&house, 1);
			}
			if (cut == 1) {
				assert_true(guest_send(&guest, span_first(rows[i].bytes, 14)));
				house_run(&house, 2);
			}
			assert_true(guest_send(&guest, span_skip(rows[i].bytes, cut == 0 ? 0 : cut == 1 ? 14 :
			    rows[i].bytes.len - 1)));
			guest_expect(&guest, 200, rows[i].seen);
			guest_say(&guest, GET);	/* the header comes once */
			guest_expect(&guest, 200, rows[i].seen);
			guest_leave(&guest);
		}
	}
	house_close(&house);
}

static void
refuses_proxy_headers(void **state)
{
	static const char *const rows[] = {
		GET, "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n" GET, "PROXY SCTP\r\n", "\r\n\r\nx",
	};
	struct house house;
	struct guest guest;

	house_open_behind_proxy(&house);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		guest_open(&house, &guest);
		guest_say(&guest, rows[i]);
		assert_true(guest_is_ended(&guest, 1000));
		assert_int_equal(guest.in.len, 0);
		assert_int_equal(house.slot->totals.connections_refused, i + 1);
		guest_leave(&guest);
	}
	/* Who is not trusted may not even try. */
	guest_open_from(&house, &guest, "198.51.100.1");
	assert_true(guest_is_ended(&guest, 1000));
	assert_int_equal(house.slot->totals.connections_refused, sizeof(rows) / sizeof(rows[0]) + 1);
	assert_int_equal(house.visit_count, 0);
	guest_leave(&guest);
	house_close(&house);
}

/* The limit of each client is that of whom the header names. */
static void
limits_clients_behind_a_proxy(void **state)
{
	struct house house;
	struct guest guests[3];

	house_open_behind_proxy(&house);
	house.limits.connections_per_client = 1;
	for (unsigned i = 0; i < 3; i++) {
		guest_open(&house, &guests[i]);
		guest_say(&guests[i], i < 2 ? "PROXY TCP4 203.0.113.9 10.0.0.1 1234 80\r\n" :
		    "PROXY TCP4 203.0.113.10 10.0.0.1 1234 80\r\n");
		house_run(&house, 5);
	}
	guest_is_in_step(&guests[0]);
	assert_true(guest_is_ended(&guests[1], 1000));
	guest_is_in_step(&guests[2]);
	for (unsigned i = 0; i < 3; i++)
		guest_leave(&guests[i]);
	assert_true(house_is_empty(&house, 1000));
	house_close(&house);
}

/* -- the end ------------------------------------------------------------------------------------------------------- */

static void
drains_what_is_empty(void **state)
{
	struct house house;

	house_open(&house, serve_path);
	downstream_drain(house.downstream, 100);
	assert_int_equal(house.empty, 1);
	assert_int_equal(house.slot->draining, 1);
	downstream_drain(house.downstream, 100);
	downstream_cut(house.downstream);
	assert_int_equal(house.empty, 1);
	assert_int_equal(house.slot->totals.drain_forced, 0);
	house_close(&house);
}

static void
drains_idle_connections(void **state)
{
	struct house house;
	struct guest idle, fresh, asks, half;
	uint64_t start_ms;

	house_open(&house, serve_path);
	guest_open(&house, &fresh);
	guest_open(&house, &idle);
	guest_is_in_step(&idle);
	guest_open(&house, &asks);
	guest_is_in_step(&asks);
	guest_open(&house, &half);
	guest_say(&half, "GET /half HTTP/1.1\r\n");
	house_run(&house, 5);
	downstream_drain(house.downstream, 400);
	start_ms = clock_ms();
	guest_is_left_alone(&idle);

	/* One more request each. */
	guest_get(&asks, "/one-more");
	guest_expect(&asks, 200, "/one-more");
	assert_string_equal(guest_field(&asks, "Connection"), "close");
	assert_true(guest_is_ended(&asks, 1000) && asks.ended);
	guest_say(&half, "Host: a\r\n\r\n");
	guest_expect(&half, 200, "/half");
	assert_string_equal(guest_field(&half, "Connection"), "close");

	assert_true(guest_is_ended(&idle, 1000) && idle.ended);
	assert_true(guest_is_ended(&fresh, 1000) && fresh.ended);
	assert_in_range(clock_ms() - start_ms, 350, 1500);
	assert_true(house_is_empty(&house, 1000));
	assert_int_equal(house.empty, 1);
	assert_int_equal(house.slot->totals.drain_forced, 0);
	guest_leave(&idle);
	guest_leave(&fresh);
	guest_leave(&asks);
	guest_leave(&half);
	house_close(&house);
}

static void
visit_rest(struct visit *visit)
{
	visit_write_text(visit, "rest");
	visit_finish(visit);
}

static void
serve_begun(struct visit *visit)
{
	visit_start(visit, 200, -1);
	response_flush(visit->request);
	visit_wait(visit, 60, visit_rest);
}

/* Requests in flight finish. Who was not told that this is the end may be sending his next request already. */
static void
drains_requests_in_flight(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, i == 0 ? serve_late : serve_begun);
		guest_open(&house, &guest);
		guest_get(&guest, "/");
		house_run(&house, 5);
		downstream_drain(house.downstream, 400);
		guest_expect(&guest, 200, i == 0 ? "/" : "rest");
		if (i == 0) {
			assert_string_equal(guest_field(&guest, "Connection"), "close");
		} else {
			guest_get(&guest, "/next");
			guest_expect(&guest, 200, "rest");
			assert_string_equal(guest_field(&guest, "Connection"), "close");
		}
		assert_true(guest_is_ended(&guest, 1000) && guest.ended);
		assert_true(house_is_empty(&house, 1000));
		assert_int_equal(house.empty, 1);
		guest_leave(&guest);
		house_close(&house);
	}
}

/* Somebody who was in the queue of the listening socket is served, too; on_empty is said once. */
static void
serves_latecomers(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	downstream_drain(house.downstream, 400);
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	guest_expect(&guest, 200, "/");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_true(house_is_empty(&house, 1000));
	assert_int_equal(house.empty, 1);
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_never(struct visit *visit)
{
	(void)visit;
}

static void
cuts_what_is_left(void **state)
{
	struct house house;
	struct guest guests[6];

	house_open(&house, serve_never);
	for (unsigned i = 0; i < 6; i++)
		guest_open(&house, &guests[i]);
	guest_get(&guests[0], "/in-flight");
	guest_say(&guests[1], "GET /half");
	house.serve = serve_begun;
	house_run(&house, 5);
	guest_get(&guests[2], "/begun");
	guest_say(&guests[3], "GET / HTTP/1.0\r\n\r\n");
	guest_say(&guests[4], "nonsense\r\n");
	house_run(&house, 5);
	downstream_drain(house.downstream, 10000);
	assert_int_equal(house.empty, 0);
	downstream_cut(house.downstream);
	assert_int_equal(house.empty, 1);
	assert_int_equal(house.slot->totals.drain_forced, 6);
	assert_int_equal(downstream_connections(house.downstream), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_true(guest_is_ended(&guests[i], 1000));
	house_run(&house, 3);
	assert_true(guests[3].reset);	/* its content would have ended with the connection */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(house.visits[i]->gone, 1);
		assert_int_equal(house.visits[i]->ended, 1);
	}
	for (unsigned i = 0; i < 6; i++)
		guest_leave(&guests[i]);
	house_close(&house);
}

/* Whoever hears that his client is gone answers another one's request, and that one is next in line. */
static struct visit *other;

static void
on_gone_answers_the_other(struct request *request)
{
	visit_on_gone(request);
	if (other)
		visit_answer(other, 200, "after all");
	other = NULL;
}

static const struct request_events helpful_events = { visit_on_body, visit_on_drained, on_gone_answers_the_other };

static void
serve_helpfully(struct visit *visit)
{
	request_take(visit->request, &helpful_events, NULL);
}

static void
cuts_while_handlers_answer_others(void **state)
{
	struct house house;
	struct guest guests[3];

	house_open(&house, serve_helpfully);
	for (unsigned i = 0; i < 3; i++) {
		guest_open(&house, &guests[i]);
		guest_say(&guests[i], "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\n");
		house_run(&house, 3);
	}
	other = house.visits[1];
	downstream_cut(house.downstream);
	house_run(&house, 3);
	assert_int_equal(downstream_connections(house.downstream), 0);
	for (unsigned i = 0; i < 3; i++)
		guest_leave(&guests[i]);
	house_close(&house);
}

/* Freeing cuts, whatever is going on; nobody hears of room or emptiness any more. */
static void
frees_everything(void **state)
{
	struct house house;
	struct guest guests[5];

	house_open(&house, serve_never);
	house.limits.connections = 4;	/* one more is there already when it is full */
	for (unsigned i = 0; i < 5; i++)
		guest_open(&house, &guests[i]);
	guest_get(&guests[0], "/");
	guest_say(&guests[1], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
	guest_say(&guests[2], "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTT");
	guest_say(&guests[3], "x y z\r\n");
	house_run(&house, 10);
	assert_int_equal(house.full, 1);
	house_close(&house);
	assert_int_equal(house.room, 0);
	assert_int_equal(house.empty, 0);
	for (unsigned i = 0; i < 5; i++)
		guest_leave(&guests[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_full_and_room_once),
		cmocka_unit_test(takes_new_limits_at_once),
		cmocka_unit_test(limits_each_client),
		cmocka_unit_test(counts_only_whom_it_counted),
		cmocka_unit_test(keeps_what_a_connection_speaks),
		cmocka_unit_test(believes_who_is_trusted_now),
		cmocka_unit_test(takes_the_proxy_header),
		cmocka_unit_test(refuses_proxy_headers),
		cmocka_unit_test(limits_clients_behind_a_proxy),
		cmocka_unit_test(drains_what_is_empty),
		cmocka_unit_test(drains_idle_connections),
		cmocka_unit_test(drains_requests_in_flight),
		cmocka_unit_test(serves_latecomers),
		cmocka_unit_test(cuts_what_is_left),
		cmocka_unit_test(cuts_while_handlers_answer_others),
		cmocka_unit_test(frees_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
