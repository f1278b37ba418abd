/* rooms: base loop conf http net codec request downstream store */
/* Request heads as they arrive: cut anywhere, many at once, wrong, of old clients; and what the answers' heads say. */
#include "house.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char get[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

static void
keeps_alive(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	for (unsigned i = 0; i < 3; i++) {
		guest_get(&guest, "/hello");
		guest_expect(&guest, 200, "/hello");
		assert_string_equal(guest_field(&guest, "Connection"), "");
		assert_string_equal(guest_field(&guest, "Content-Length"), "6");
		assert_int_equal(strlen(guest_field(&guest, "Date")), 29);
	}
	assert_int_equal(house.slot->totals.connections_accepted, 1);
	assert_int_equal(house.slot->totals.requests, 3);
	assert_int_equal(house.slot->totals.responses_2xx, 3);
	assert_int_equal(house.slot->totals.bytes_out, 18);
	guest_leave(&guest);
	house_close(&house);
}

static void
takes_single_bytes(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(get) - 1; i++) {
			assert_int_equal(house.visit_count, round);
			assert_true(guest_send(&guest, span_make(get + i, 1)));
			house_run(&house, 1);
		}
		guest_expect(&guest, 200, "/a");
	}
	guest_leave(&guest);
	house_close(&house);
}

/* Two requests, cut at every place. */
static void
takes_any_cut(void **state)
{
	struct house house;
	struct guest guest;
	char both[2 * sizeof(get)];
	size_t length = (size_t)snprintf(both, sizeof(both), "%s%s", get, get);

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	for (size_t cut = 1; cut < length; cut++) {
		assert_true(guest_send(&guest, span_make(both, cut)));
		house_run(&house, 1);
		assert_true(guest_send(&guest, span_make(both + cut, length - cut)));
		guest_expect(&guest, 200, "/a");
		guest_expect(&guest, 200, "/a");
	}
	assert_int_equal(house.slot->totals.connections_accepted, 1);
	guest_leave(&guest);
	house_close(&house);
}

static void
pipeline_check(visit_fn *serve)
{
	struct house house;
	struct guest guest;
	struct text all = { 0 };
	char path[16];

	house_open(&house, serve);
	guest_open(&house, &guest);
	for (unsigned i = 0; i < 100; i++)
		text_format(&all, "GET /%u HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", i);
	assert_true(guest_send(&guest, text_span(&all)));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		guest_expect(&guest, 200, path);
	}
	guest_is_in_step(&guest);
	guest_leave(&guest);
	text_fini(&all);
	house_close(&house);
}

static void
serve_in_a_moment(struct visit *visit)
{
	visit_wait(visit, 1, visit_answer_path);
}

static void
answers_a_hundred_in_order(void **state)
{
	pipeline_check(serve_path);
	pipeline_check(serve_in_a_moment);
}

static void
serve_after_a_while(struct visit *visit)
{
	visit_wait(visit, visit->house->visit_count == 1 ? 400 : 1, visit_answer_path);
}

/* What is pipelined behind a slow answer waits in bounded memory, and all of it is answered. */
static void
bounds_what_is_pipelined(void **state)
{
	struct house house;
	struct guest guest;
	struct text all = { 0 };
	char blank[4001] = "";
	size_t sent;

	memset(blank, 'x', sizeof(blank) - 1);
	for (unsigned i = 0; i < 100; i++)
		text_format(&all, "GET /%u HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", i, blank);
	house_open(&house, serve_after_a_while);
	house.buffer = 8192;
	guest_open(&house, &guest);
	sent = guest_push(&guest, text_span(&all), 100);
	assert_int_equal(house.visit_count, 1);
	assert_in_range(sent, 65536, 200000);
	assert_true(house_run(&house, 30) < 10);
	assert_true(guest_send(&guest, span_skip(text_span(&all), sent)));
	for (unsigned i = 0; i < 100; i++)
		guest_expect(&guest, 200, NULL);
	guest_is_in_step(&guest);
	guest_leave(&guest);
	text_fini(&all);
	house_close(&house);
}

static void
refusal_check(const char *head, unsigned status)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	house.limits.uri_size = 100;
	house.limits.header_size = 1000;
	house.limits.header_count = 8;
	house_configure(&house);
	guest_open(&house, &guest);
	guest_say(&guest, head);
	guest_expect(&guest, status, NULL);
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	assert_true(guest_is_ended(&guest, 1000));
	assert_true(guest.ended);
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.visit_count, 0);
	assert_int_equal(house.refused, 1);
	assert_int_equal(house.slot->totals.responses_4xx + house.slot->totals.responses_5xx, 1);
	guest_leave(&guest);
	assert_true(house_is_empty(&house, 1000));
	house_close(&house);
}

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void
refuses_with_the_right_status(void **state)
{
	refusal_check("GET / HTTP/1.1\nHost: a\r\n\r\n", 400);
	refusal_check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
	refusal_check("GET / HTTP/1.1\r\n\r\n", 400);
	refusal_check("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	refusal_check("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	refusal_check("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	refusal_check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "0\r\n\r\n", 400);
	refusal_check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde", 400);
	refusal_check("GET /" HUNDRED " HTTP/1.1\r\nHost: a\r\n\r\n", 414);
	refusal_check("GET / HTTP/1.1\r\nHost: a\r\nX: " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
	    HUNDRED HUNDRED "\r\n\r\n", 431);
	refusal_check("GET / HTTP/1.1\r\nHost: a\r\n1: 1\r\n2: 2\r\n3: 3\r\n4: 4\r\n5: 5\r\n6: 6\r\n7: 7\r\n"
	    "8: 8\r\n\r\n", 431);
	refusal_check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501);
	refusal_check("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501);
	refusal_check("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	refusal_check("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417);
}

/* Also when the head never ends, and whatever the pieces it comes in. */
static void
refuses_what_is_too_long_as_it_comes(void **state)
{
	static const struct { const char *start; unsigned status; } rows[] = {
		{ "GET /", 414 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: ", 431 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serve_path);
		house.limits.uri_size = 300;
		house.limits.header_size = 1000;
		house_configure(&house);
		guest_open(&house, &guest);
		guest_say(&guest, rows[i].start);
		for (unsigned sent = 0; sent < 1100 && house.refused == 0; sent += 10) {
			guest_say(&guest, TEN);
			house_run(&house, 1);
		}
		guest_expect(&guest, rows[i].status, NULL);
		assert_true(guest_is_ended(&guest, 1000) && guest.ended);
		guest_leave(&guest);
		house_close(&house);
	}
}

/* Requests before the bad one are answered; nothing behind it is. */
static void
refuses_in_turn(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_late);
	guest_open(&house, &guest);
	guest_say(&guest, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
	    "GET /bad HTTP/1.1\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
	guest_expect(&guest, 200, "/1");
	guest_expect(&guest, 200, "/2");
	guest_expect(&guest, 400, NULL);
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_int_equal(house.visit_count, 2);
	guest_leave(&guest);
	house_close(&house);
}

static void
closes_when_asked(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	guest_say(&guest, "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	guest_expect(&guest, 200, "/1");
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.visit_count, 1);
	guest_leave(&guest);
	assert_true(house_is_empty(&house, 1000));

	/* With nothing behind it there is nothing to wait for, however the head came. */
	guest_open(&house, &guest);
	guest_say(&guest, "GET /1 HTTP/1.1\r\nHost: a\r\nConn");
	house_run(&house, 5);
	guest_say(&guest, "ection: close\r\n\r\n");
	guest_expect(&guest, 200, "/1");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_int_equal(downstream_connections(house.downstream), 0);
	guest_leave(&guest);
	house_close(&house);
}

static void
closes_after_so_many_requests(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	house.limits.keepalive_requests = 2;
	guest_open(&house, &guest);
	guest_get(&guest, "/1");
	guest_expect(&guest, 200, "/1");
	assert_true(guest.keep_alive);
	guest_get(&guest, "/2");
	guest_expect(&guest, 200, "/2");
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	guest_leave(&guest);
	house_close(&house);
}

static void
serves_old_clients(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_path);
	guest_open(&house, &guest);
	guest_say(&guest, "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	guest_expect(&guest, 200, "/1");
	assert_string_equal(guest_field(&guest, "Connection"), "keep-alive");
	guest_say(&guest, "GET /2 HTTP/1.0\r\n\r\n");
	guest_expect(&guest, 200, "/2");
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_status(struct visit *visit)
{
	unsigned status = (unsigned)strtoul(visit->path + 1, NULL, 10);

	visit_answer(visit, status, status == 204 || status == 304 ? "" : "content");
}

/* RFC 9110 §6.4.1: no content, whatever the handler gives; the connection stays in step. */
static void
sends_no_content_where_none_belongs(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_status);
	guest_open(&house, &guest);
	guest_say(&guest, "HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(guest_hear(&guest, HTTP_HEAD));
	assert_string_equal(guest_field(&guest, "Content-Length"), "7");
	guest_get(&guest, "/204");
	guest_expect(&guest, 204, "");
	assert_string_equal(guest_field(&guest, "Content-Length"), "");
	assert_string_equal(guest_field(&guest, "Transfer-Encoding"), "");
	guest_get(&guest, "/304");
	guest_expect(&guest, 304, "");
	guest_say(&guest, "HEAD /404 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(guest_hear(&guest, HTTP_HEAD));
	assert_int_equal(guest.status, 404);
	guest_is_in_step(&guest);
	assert_int_equal(house.slot->totals.bytes_out, strlen("/in-step"));
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_streamed(struct visit *visit)
{
	visit_start(visit, (unsigned)strtoul(visit->path + 1, NULL, 10), -1);
	visit_write_text(visit, "never seen");
	visit_finish(visit);
}

static void
sends_no_chunks_where_none_belong(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_streamed);
	guest_open(&house, &guest);
	guest_say(&guest, "HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(guest_hear(&guest, HTTP_HEAD));
	guest_get(&guest, "/204");
	guest_expect(&guest, 204, "");
	guest_get(&guest, "/304");
	guest_expect(&guest, 304, "");
	guest_is_in_step(&guest);
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_target(struct visit *visit)
{
	const struct request *request = visit->request;

	visit_answer(visit, 200, arena_format(request->arena, "%.*s %.*s %.*s|%.*s|%.*s",
	    (int)request->method_name.len, request->method_name.at, (int)request->host.len, request->host.at,
	    (int)request->authority.len, request->authority.at, (int)request->path.len, request->path.at,
	    (int)request->query.len, request->query.at));
}

static void
understands_every_form_of_target(void **state)
{
	static const struct { const char *head; const char *seen; } rows[] = {
		{ "GET /a/./b/../c%41?x=%41 HTTP/1.1\r\nHost: EXAMPLE.com:8080\r\n\r\n",
		  "GET example.com EXAMPLE.com:8080|/a/cA|x=%41" },
		{ "GET http://Example.com?q HTTP/1.1\r\nHost: example.com\r\n\r\n", "GET example.com Example.com|/|q" },
		{ "GET http://[::1]:80/x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET [::1] [::1]:80|/x|" },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS a a|*|" },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET  |/|" },
		{ "BREW /pot? HTTP/1.1\r\nHost: a\r\n\r\n", "BREW a a|/pot|" },
		{ "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET a a|/|" },
	};
	struct house house;
	struct guest guest;

	house_open(&house, serve_target);
	guest_open(&house, &guest);
	for (size_t i = 0; i < COUNT(rows); i++) {
		guest_say(&guest, rows[i].head);
		guest_expect(&guest, 200, rows[i].seen);
	}
	guest_leave(&guest);
	house_close(&house);
}

/* More fields than a request has room for at first, in a head that comes in two pieces. */
static void
serve_fields(struct visit *visit)
{
	const struct fields *fields = &visit->request->fields;
	const struct field *last = &fields->items[fields->count - 1];

	visit_answer(visit, 200, arena_format(visit->request->arena, "%u %.*s=%.*s", fields->count, (int)last->name.len,
	    last->name.at, (int)last->value.len, last->value.at));
}

static void
keeps_fields_of_any_number(void **state)
{
	struct house house;
	struct guest guest;
	struct text head = { 0 };

	house_open(&house, serve_fields);
	guest_open(&house, &guest);
	text_add_text(&head, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 1; i < 100; i++)
		text_format(&head, "X-%u: v%u\r\n", i, i);
	text_add_text(&head, "\r\n");
	assert_true(guest_send(&guest, span_first(text_span(&head), 700)));
	house_run(&house, 3);
	assert_true(guest_send(&guest, span_skip(text_span(&head), 700)));
	guest_expect(&guest, 200, "100 X-99=v99");
	guest_say(&guest, "GET / HTTP/1.1\r\nHost: a\r\nEmpty:\r\n\r\n");
	guest_expect(&guest, 200, "2 Empty=");
	guest_leave(&guest);
	text_fini(&head);
	house_close(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_alive),
		cmocka_unit_test(takes_single_bytes),
		cmocka_unit_test(takes_any_cut),
		cmocka_unit_test(answers_a_hundred_in_order),
		cmocka_unit_test(bounds_what_is_pipelined),
		cmocka_unit_test(refuses_with_the_right_status),
		cmocka_unit_test(refuses_what_is_too_long_as_it_comes),
		cmocka_unit_test(refuses_in_turn),
		cmocka_unit_test(closes_when_asked),
		cmocka_unit_test(closes_after_so_many_requests),
		cmocka_unit_test(serves_old_clients),
		cmocka_unit_test(sends_no_content_where_none_belongs),
		cmocka_unit_test(sends_no_chunks_where_none_belong),
		cmocka_unit_test(understands_every_form_of_target),
		cmocka_unit_test(keeps_fields_of_any_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
