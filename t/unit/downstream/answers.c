/* rooms: base loop conf http net codec request downstream store */
/* Responses on their way out: in pieces, from files, to slow readers; of the wrong length; informational; tunnels. */
#include "house.h"

enum { MUCH = 3000000, PIECE = 30000 };

/* -- in pieces ----------------------------------------------------------------------------------------------------- */

static void
serve_three_pieces(struct visit *visit)
{
	visit_start(visit, 200, strcmp(visit->path, "/length") == 0 ? 9 : -1);
	visit_write_text(visit, "one");
	visit_write_text(visit, "");
	visit_write_text(visit, "two.");
	response_finish_with(visit->request, &(struct iovec){ .iov_base = "2!", .iov_len = 2 }, 1);
}

static void
sends_pieces(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_three_pieces);
	guest_open(&house, &guest);
	guest_get(&guest, "/length");
	guest_expect(&guest, 200, "onetwo.2!");
	assert_string_equal(guest_field(&guest, "Content-Length"), "9");
	guest_get(&guest, "/chunks");
	guest_expect(&guest, 200, "onetwo.2!");
	assert_string_equal(guest_field(&guest, "Transfer-Encoding"), "chunked");
	assert_string_equal(guest_field(&guest, "Content-Length"), "");
	guest_is_in_step(&guest);
	assert_int_equal(house.slot->totals.bytes_out, 18 + strlen("/in-step"));

	/* HTTP/1.0 has no chunks: the content ends with the connection, asked to be kept or not. */
	guest_say(&guest, "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	guest_expect(&guest, 200, "onetwo.2!");
	assert_string_equal(guest_field(&guest, "Connection"), "close");
	assert_true(guest.ended);
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_trailers(struct visit *visit)
{
	struct fields trailers;

	fields_init(&trailers, visit->request->arena, NULL, 0);
	fields_add_named(&trailers, SPAN_OF("X-Sum"), SPAN_OF("9"));
	visit_start(visit, 200, -1);
	if (strcmp(visit->path, "/some") == 0)
		visit_write_text(visit, "some");
	response_finish(visit->request, &trailers);
}

static void
sends_trailers(void **state)
{
	struct house house;
	struct guest guest;
	struct field sum;

	house_open(&house, serve_trailers);
	guest_open(&house, &guest);
	for (unsigned i = 0; i < 2; i++) {
		guest_get(&guest, i == 0 ? "/some" : "/none");
		guest_expect(&guest, 200, i == 0 ? "some" : "");
		assert_int_equal(guest.trailers.count, 1);
		sum = guest.trailers.items[0];
		assert_true(span_is(sum.name, "X-Sum") && span_is(sum.value, "9"));
	}
	guest_is_in_step(&guest);
	guest_leave(&guest);
	house_close(&house);
}

static void
visit_flush_then_wait(struct visit *visit)
{
	visit_write_text(visit, "later");
	visit_finish(visit);
}

static void
serve_flushed(struct visit *visit)
{
	visit_start(visit, 200, 5);
	response_flush(visit->request);
	visit_wait(visit, 50, visit_flush_then_wait);
}

static void
flushes_a_head_alone(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_flushed);
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	house_run(&house, 20);
	guest_read(&guest);
	assert_true(span_ends_with(text_span(&guest.in), SPAN_OF("\r\n\r\n")));
	guest_expect(&guest, 200, "later");
	guest_leave(&guest);
	house_close(&house);
}

/* -- to slow readers ----------------------------------------------------------------------------------------------- */

/* Sends as long as it may, then waits to be told. */
static void
visit_pour(struct visit *visit)
{
	static char piece[PIECE];

	memset(piece, 'p', sizeof(piece));
	while (visit->left > 0) {
		visit->left -= PIECE;
		if (!visit_write(visit, span_make(piece, PIECE)) && visit->left > 0)
			return;
	}
	visit_finish(visit);
}

static void
serve_much(struct visit *visit)
{
	visit->left = MUCH;
	visit->on_drained = visit_pour;
	visit_start(visit, 200, strcmp(visit->path, "/chunks") == 0 ? -1 : MUCH);
	visit_pour(visit);
}

static void
waits_for_a_slow_reader(void **state)
{
	static const char *const targets[] = { "/length", "/chunks" };

	for (size_t i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serve_much);
		house.buffer = 16384;
		guest_open(&house, &guest);
		guest_get(&guest, targets[i]);
		assert_true(house_run(&house, 50) < 20);
		assert_true(house.visits[0]->left > MUCH / 2);
		assert_true(guest_hear(&guest, HTTP_GET));
		assert_int_equal(guest.body.len, MUCH);
		assert_true(house.visits[0]->drained > 3);
		guest_is_in_step(&guest);
		guest_leave(&guest);
		house_close(&house);
	}
}

static int
file_make(size_t size)
{
	char path[] = "/tmp/reeve-answers-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static int file;

static void
visit_finish_late(struct visit *visit)
{
	visit_finish(visit);
}

static void
serve_file(struct visit *visit)
{
	visit_start(visit, 200, MUCH);
	visit->on_drained = visit_finish_late;
	if (response_send_file(visit->request, file, 100, MUCH))
		visit_finish(visit);
}

/* The end is said before the file has left. */
static void
serve_file_and_finish(struct visit *visit)
{
	visit_start(visit, 200, MUCH + 3);
	visit_write_text(visit, "abc");
	response_send_file(visit->request, file, 0, MUCH);
	visit_finish(visit);
}

static void
sends_files(void **state)
{
	static visit_fn *const serves[] = { serve_file, serve_file_and_finish };

	file = file_make(MUCH + 100);
	for (size_t i = 0; i < 4; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serves[i % 2]);
		house.buffer = i < 2 ? 16384 : 0;
		guest_open(&house, &guest);
		guest_get(&guest, "/");
		assert_true(guest_hear(&guest, HTTP_GET));
		assert_int_equal(guest.body.len, MUCH + (i % 2) * 3);
		guest_say(&guest, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_true(guest_hear(&guest, HTTP_HEAD));
		guest_is_in_step(&guest);
		guest_leave(&guest);
		house_close(&house);
	}
	close(file);
}

/* It became shorter after its length was told. */
static void
cuts_off_when_a_file_shrinks(void **state)
{
	struct house house;
	struct guest guest;

	file = file_make(MUCH / 2);
	house_open(&house, serve_file);
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	assert_false(guest_hear(&guest, HTTP_GET));
	assert_true(guest.ended || guest.reset);
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.slot->totals.aborted, 1);
	guest_leave(&guest);
	house_close(&house);
	close(file);
}

/* -- of the wrong length ------------------------------------------------------------------------------------------- */

static void
serve_wrong_length(struct visit *visit)
{
	visit_start(visit, 200, 5);
	if (strcmp(visit->path, "/short") == 0) {
		response_finish_with(visit->request, &(struct iovec){ .iov_base = "abc", .iov_len = 3 }, 1);
	} else if (strcmp(visit->path, "/long") == 0) {
		response_finish_with(visit->request, &(struct iovec){ .iov_base = "abcdefgh", .iov_len = 8 }, 1);
	} else {
		assert_true(visit_write_text(visit, "abc"));
		assert_false(visit_write_text(visit, "defgh"));
	}
}

static void
never_sends_a_wrong_length(void **state)
{
	static const char *const targets[] = { "/short", "/long", "/long-in-pieces" };

	for (size_t i = 0; i < 3; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serve_wrong_length);
		guest_open(&house, &guest);
		guest_get(&guest, targets[i]);
		assert_false(guest_hear(&guest, HTTP_GET));
		assert_true(guest.ended || guest.reset);
		assert_int_equal(house.visits[0]->end_state, REQUEST_ABORTED);
		assert_int_equal(house.visits[0]->gone, i == 2);
		assert_int_equal(house.slot->totals.aborted, 1);
		guest_leave(&guest);
		house_close(&house);
	}
}

/* -- cut off ------------------------------------------------------------------------------------------------------- */

static void
visit_abort(struct visit *visit)
{
	response_abort(visit->request, "the test wants it");
}

static void
serve_aborted(struct visit *visit)
{
	visit_start(visit, 200, -1);
	visit_write_text(visit, "begun");
	visit_wait(visit, 10, visit_abort);
}

static void
aborts_so_that_it_shows(void **state)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",	/* whose content would end where the connection does */
	};

	for (size_t i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serve_aborted);
		guest_open(&house, &guest);
		guest_say(&guest, heads[i]);
		assert_false(guest_hear(&guest, HTTP_GET));
		assert_true(i == 0 ? guest.ended : guest.reset);
		assert_int_equal(house.visits[0]->gone, 0);
		assert_int_equal(house.slot->totals.aborted, 1);
		guest_leave(&guest);
		house_close(&house);
	}
}

static void
serve_abort_when_drained(struct visit *visit)
{
	visit->left = MUCH;
	visit->on_drained = visit_abort;
	visit_start(visit, 200, MUCH);
	visit_pour(visit);
}

static void
aborts_from_inside_on_drained(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_abort_when_drained);
	house.buffer = 16384;
	guest_open(&house, &guest);
	guest_get(&guest, "/");
	assert_false(guest_hear(&guest, HTTP_GET));
	assert_int_equal(house.visits[0]->drained, 1);
	assert_int_equal(house.visits[0]->end_state, REQUEST_ABORTED);
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_abort_at_once(struct visit *visit)
{
	response_abort(visit->request, NULL);
}

static void
aborts_before_the_head(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_abort_at_once);
	guest_open(&house, &guest);
	guest_say(&guest, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(guest_is_ended(&guest, 1000));
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.visit_count, 1);
	guest_leave(&guest);
	house_close(&house);
}

/* -- from elsewhere ------------------------------------------------------------------------------------------------ */

/* The second request's handler answers the first's, on another connection, and itself. */
static void
serve_for_both(struct visit *visit)
{
	struct house *house = visit->house;

	if (house->visit_count == 1) {
		request_want_body(visit->request, true);
		return;
	}
	visit_answer(house->visits[0], 200, "by the other");
	visit_answer(visit, 200, "self");
}

static void
answers_from_another_connections_callback(void **state)
{
	struct house house;
	struct guest first, second;

	house_open(&house, serve_for_both);
	guest_open(&house, &first);
	guest_open(&house, &second);
	guest_say(&first, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
	house_run(&house, 5);
	guest_get(&second, "/2");
	guest_expect(&second, 200, "self");
	guest_expect(&first, 200, "by the other");
	guest_say(&first, "cd");
	guest_is_in_step(&first);
	guest_is_in_step(&second);
	guest_leave(&first);
	guest_leave(&second);
	house_close(&house);
}

/* -- informational ------------------------------------------------------------------------------------------------- */

static void
serve_informed(struct visit *visit)
{
	struct fields fields;

	fields_init(&fields, visit->request->arena, NULL, 0);
	response_inform(visit->request, 100, &fields);
	fields_add_named(&fields, SPAN_OF("Link"), SPAN_OF("</a>"));
	response_inform(visit->request, 103, &fields);
	visit_answer_path(visit);
}

static void
informs(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_informed);
	guest_open(&house, &guest);
	guest_get(&guest, "/new");	/* who does not ask for 100 Continue needs none */
	guest_expect(&guest, 103, "");
	assert_string_equal(guest_field(&guest, "Link"), "</a>");
	assert_string_equal(guest_field(&guest, "Content-Length"), "");
	assert_string_equal(guest_field(&guest, "Date"), "");
	guest_expect(&guest, 200, "/new");
	guest_say(&guest, "POST /asks HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
	guest_expect(&guest, 100, "");
	guest_expect(&guest, 103, "");
	guest_expect(&guest, 200, "/asks");
	guest_say(&guest, "x");
	guest_say(&guest, "GET /old HTTP/1.0\r\n\r\n");
	guest_expect(&guest, 200, "/old");
	guest_leave(&guest);
	house_close(&house);
}

static void
serve_too_informed(struct visit *visit)
{
	struct fields fields;

	fields_init(&fields, visit->request->arena, NULL, 0);
	for (unsigned i = 0; i < 10000; i++)
		response_inform(visit->request, 103, &fields);
	assert_true(visit->request->arena->used < 100000);
	visit_answer_path(visit);
}

static void
informs_only_so_often(void **state)
{
	struct house house;
	struct guest guest;
	unsigned count = 0;

	house_open(&house, serve_too_informed);
	guest_open(&house, &guest);
	guest_get(&guest, "/x");
	while (guest_hear(&guest, HTTP_GET) && guest.status == 103)
		count++;
	assert_int_equal(guest.status, 200);
	assert_in_range(count, 1, 100);
	guest_leave(&guest);
	house_close(&house);
}

/* -- tunnels ------------------------------------------------------------------------------------------------------- */

/* Back in capitals; the end when the client has ended. */
static void
visit_shout(struct visit *visit)
{
	for (size_t i = 0; i < visit->body.len; i++)
		visit->body.bytes[i] &= (char)~0x20;
	if (visit->body.len > 0)
		visit_write(visit, text_span(&visit->body));
	text_clear(&visit->body);
	if (visit->lasts > 0)
		visit_finish(visit);
}

static void
visit_upgrade(struct visit *visit)
{
	fields_add(&visit->request->response.fields, FIELD_UPGRADE, SPAN_OF("shout"));
	visit_start(visit, 101, -1);
	response_upgrade(visit->request);
	request_want_body(visit->request, true);
}

static void
serve_tunnel(struct visit *visit)
{
	assert_true(visit->request->wants_upgrade);
	visit->on_piece = visit_shout;
	if (strcmp(visit->path, "/late") == 0)
		visit_wait(visit, 10, visit_upgrade);
	else
		visit_upgrade(visit);
}

#define UPGRADE(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n"

static void
tunnels(void **state)
{
	static const char *const heads[] = { UPGRADE("/at-once") "early", UPGRADE("/late") "early" };

	for (size_t i = 0; i < 2; i++) {
		struct house house;
		struct guest guest;

		house_open(&house, serve_tunnel);
		guest_open(&house, &guest);
		guest_say(&guest, heads[i]);
		guest_expect(&guest, 101, "");
		assert_string_equal(guest_field(&guest, "Connection"), "upgrade");
		assert_string_equal(guest_field(&guest, "Transfer-Encoding"), "");
		house_run(&house, 20);
		guest_say(&guest, "get");
		house_run(&house, 20);
		shutdown(guest.fd, SHUT_WR);
		assert_true(guest_is_ended(&guest, 1000) && guest.ended);
		assert_true(span_is(text_span(&guest.in), "EARLYGET"));
		assert_int_equal(house.visits[0]->end_state, REQUEST_FINISHED);
		assert_int_equal(house.slot->totals.responses_1xx, 1);
		guest_leave(&guest);
		house_close(&house);
	}
}

/* The server's side ends first: what it has said arrives, though the client goes on talking. */
static void
visit_last_word(struct visit *visit)
{
	visit_write_text(visit, "bye");
	visit_finish(visit);
}

static void
serve_short_tunnel(struct visit *visit)
{
	visit_upgrade(visit);
	visit->on_piece = visit_last_word;
}

static void
ends_tunnels_politely(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_short_tunnel);
	guest_open(&house, &guest);
	guest_say(&guest, UPGRADE("/"));
	guest_expect(&guest, 101, "");
	guest_say(&guest, "x");
	house_run(&house, 10);
	guest_say(&guest, "yyyy");
	house_run(&house, 10);
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_true(span_is(text_span(&guest.in), "bye"));
	guest_leave(&guest);
	assert_true(house_is_empty(&house, 1000));
	house_close(&house);
}

/* A tunnel whose handler does not read holds its client back, and hears of his end when it reads again. */
static void
visit_read_again(struct visit *visit)
{
	request_want_body(visit->request, true);
}

static void
serve_tunnel_paused(struct visit *visit)
{
	visit_upgrade(visit);
	request_want_body(visit->request, false);
	visit->on_piece = visit_shout;
	visit_wait(visit, 60, visit_read_again);
}

static void
pauses_tunnels(void **state)
{
	struct house house;
	struct guest guest;

	house_open(&house, serve_tunnel_paused);
	guest_open(&house, &guest);
	guest_say(&guest, UPGRADE("/"));
	guest_expect(&guest, 101, "");
	guest_say(&guest, "abc");
	shutdown(guest.fd, SHUT_WR);
	assert_true(house_run(&house, 30) < 10);
	guest_read(&guest);
	assert_int_equal(guest.in.len, 0);
	assert_int_equal(house.visits[0]->pieces, 0);
	assert_true(guest_is_ended(&guest, 1000) && guest.ended);
	assert_true(span_is(text_span(&guest.in), "ABC"));
	assert_int_equal(house.visits[0]->lasts, 1);
	guest_leave(&guest);
	house_close(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_pieces),
		cmocka_unit_test(sends_trailers),
		cmocka_unit_test(flushes_a_head_alone),
		cmocka_unit_test(waits_for_a_slow_reader),
		cmocka_unit_test(sends_files),
		cmocka_unit_test(cuts_off_when_a_file_shrinks),
		cmocka_unit_test(never_sends_a_wrong_length),
		cmocka_unit_test(aborts_so_that_it_shows),
		cmocka_unit_test(aborts_from_inside_on_drained),
		cmocka_unit_test(aborts_before_the_head),
		cmocka_unit_test(answers_from_another_connections_callback),
		cmocka_unit_test(informs),
		cmocka_unit_test(informs_only_so_often),
		cmocka_unit_test(tunnels),
		cmocka_unit_test(ends_tunnels_politely),
		cmocka_unit_test(pauses_tunnels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
