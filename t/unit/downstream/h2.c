/* rooms: base loop conf http net codec request downstream store */
/* HTTP/2: requests, responses, content both ways. */
#include "h2_guest.h"

#include <sys/mman.h>

static void
test_answers(void **state)
{
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	house_open(&house, serve_path);
	h2_guest_open(&house, &guest);
	answer = h2_guest_get(&guest, "/hello");
	h2_guest_expect(&guest, answer, 200, "/hello");
	assert_string_equal(h2_answer_field(answer, "content-type"), "text/plain");
	assert_string_equal(h2_answer_field(answer, "content-length"), "6");
	assert_int_equal(strlen(h2_answer_field(answer, "date")), 29);
	h2_guest_expect(&guest, h2_guest_get(&guest, "/again?x=y"), 200, "/again");
	assert_int_equal(house.slot->totals.h2_connections, 1);
	assert_int_equal(house.slot->totals.requests, 2);
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
serve_facts(struct visit *visit)
{
	struct request *request = visit->request;
	char text[512];

	assert_string_equal(request->transport->name, "HTTP/2");
	snprintf(text, sizeof(text), "%.*s %.*s %.*s %.*s %.*s %u %d %d %.*s", (int)request->method_name.len,
	    request->method_name.at, (int)request->target.len, request->target.at, (int)request->host.len, request->host.at,
	    (int)request->authority.len, request->authority.at, (int)request->scheme.len, request->scheme.at, request->minor,
	    request->has_body, request->has_length, (int)request->client_ip.len, request->client_ip.at);
	visit_answer(visit, 200, text);
}

static void
test_what_a_handler_sees(void **state)
{
	struct house house;
	struct h2_guest guest;

	house_open(&house, serve_facts);
	h2_guest_open(&house, &guest);
	h2_guest_expect(&guest, h2_guest_get(&guest, "/a/../b?c"), 200, "GET /a/../b?c a a http 2 0 0 192.0.2.1");
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
test_many_streams_at_once(void **state)
{
	struct house house;
	struct h2_guest guest;

	house_open(&house, serve_late);
	h2_guest_open(&house, &guest);
	for (unsigned i = 0; i < 100; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/%u", i);
		h2_guest_get(&guest, path);
	}
	h2_guest_await_all(&guest);
	for (unsigned i = 0; i < 100; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/%u", i);
		h2_guest_expect(&guest, &guest.answers[i], 200, path);
	}
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
test_content_comes_back(void **state)
{
	static char much[3 << 20];
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = (char)('a' + i % 23);
	house_open(&house, serve_echo);
	h2_guest_open(&house, &guest);
	h2_guest_expect(&guest, h2_guest_post(&guest, "/", SPAN_OF("hello")), 200, "hello");
	h2_guest_expect(&guest, h2_guest_post(&guest, "/", SPAN_OF("")), 200, "");
	answer = h2_guest_post(&guest, "/", span_make(much, sizeof(much)));
	h2_guest_expect(&guest, answer, 200, NULL);
	assert_int_equal(answer->body.len, sizeof(much));
	assert_memory_equal(answer->body.bytes, much, sizeof(much));
	h2_guest_leave(&guest);
	house_close(&house);
}

/* A handler that reads one piece every few ms holds the client back, and so bounds our memory. */
static void
want_again(struct visit *visit)
{
	request_want_body(visit->request, true);
}

static void
pause_after_piece(struct visit *visit)
{
	if (visit->lasts == 0) {
		request_want_body(visit->request, false);
		visit_wait(visit, 1, want_again);
	}
}

static void
serve_slow_echo(struct visit *visit)
{
	visit->on_piece = pause_after_piece;
	visit->on_last = visit_echo;
	request_want_body(visit->request, true);
}

static void
test_a_slow_handler_holds_the_client_back(void **state)
{
	static char much[1 << 20];
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	memset(much, 'x', sizeof(much));
	house_open(&house, serve_slow_echo);
	h2_guest_open(&house, &guest);
	answer = h2_guest_post(&guest, "/", span_make(much, sizeof(much)));
	h2_guest_expect(&guest, answer, 200, NULL);
	assert_int_equal(answer->body.len, sizeof(much));
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
serve_never(struct visit *visit)
{
}

/* What nobody wants yet is held, up to the stream's window; other streams go on. */
static void
test_unwanted_content_is_bounded_by_the_window(void **state)
{
	static char much[2 << 20];
	struct house house;
	struct h2_guest guest;
	struct h2_answer *first;

	house_open(&house, serve_never);
	h2_guest_open(&house, &guest);
	first = h2_guest_post(&guest, "/", span_make(much, sizeof(much)));
	h2_guest_run(&guest, 50);
	assert_int_equal(guest.upload.len, sizeof(much) - (house.limits.http2.window >> 2));
	h2_guest_is_in_step(&guest);
	assert_int_equal(first->code, H2_STILL_OPEN);
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
answer_at_once(struct visit *visit)
{
	visit_answer(visit, 401, "no");
}

/* RFC 9113 §8.1: the rest of the content is not wanted, and the connection goes on. */
static void
test_an_early_answer_stops_the_content(void **state)
{
	static char much[2 << 20];
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	house_open(&house, answer_at_once);
	h2_guest_open(&house, &guest);
	for (unsigned i = 0; i < 10; i++) {
		answer = h2_guest_post(&guest, "/", span_make(much, sizeof(much)));
		h2_guest_await(&guest, answer);
		assert_int_equal(answer->status, 401);
		assert_string_equal(answer->body.bytes, "no");
		assert_true(answer->has_end);
		assert_int_equal(answer->code, NGHTTP2_NO_ERROR);
	}
	h2_guest_is_in_step(&guest);
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
serve_small_limit(struct visit *visit)
{
	visit->request->body_max = 1000;
	serve_echo(visit);
}

static void
test_more_content_than_allowed_is_413(void **state)
{
	static char much[100000];
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	house_open(&house, serve_small_limit);
	h2_guest_open(&house, &guest);
	answer = h2_guest_post(&guest, "/", span_make(much, sizeof(much)));
	h2_guest_await(&guest, answer);
	assert_int_equal(answer->status, 413);
	assert_int_equal(house.visits[0]->gone, 1);
	h2_guest_is_in_step(&guest);
	h2_guest_leave(&guest);
	house_close(&house);
}

/* -- responses ------------------------------------------------------------------------------------------------------ */

enum { POUR = 5000000 };

static void
pour(struct visit *visit)
{
	static char piece[20000];

	memset(piece, 'p', sizeof(piece));
	while (visit->left > 0) {
		size_t count = visit->left < sizeof(piece) ? visit->left : sizeof(piece);

		visit->left -= count;
		if (!visit_write(visit, span_make(piece, count)) && visit->left > 0)
			return;
	}
	visit_finish(visit);
}

static void
serve_pour(struct visit *visit)
{
	visit->left = POUR;
	visit->on_drained = pour;
	visit_start(visit, 200, strcmp(visit->path, "/long") == 0 ? POUR : -1);
	pour(visit);
}

static void
test_much_content_with_back_pressure(void **state)
{
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answers[2];

	house_open(&house, serve_pour);
	h2_guest_open(&house, &guest);
	answers[0] = h2_guest_get(&guest, "/long");
	answers[1] = h2_guest_get(&guest, "/unknown");
	for (unsigned i = 0; i < 2; i++) {
		h2_guest_expect(&guest, answers[i], 200, NULL);
		assert_int_equal(answers[i]->body.len, POUR);
		assert_true(house.visits[i]->drained > 10);
	}
	assert_string_equal(h2_answer_field(answers[0], "content-length"), "5000000");
	assert_string_equal(h2_answer_field(answers[1], "content-length"), "");
	h2_guest_leave(&guest);
	house_close(&house);
}

/* A client that does not read keeps no more than the stated bounds waiting, and other clients are served. */
static void
test_who_does_not_read_is_waited_for(void **state)
{
	struct house house;
	struct h2_guest guest, other;
	uint64_t left;

	house_open(&house, serve_pour);
	house.buffer = 4096;
	h2_guest_open(&house, &guest);
	h2_guest_run(&guest, 5);
	nghttp2_session_set_local_window_size(guest.session, 0, 0, 1 << 28);
	h2_guest_get(&guest, "/long");
	guest.deaf = true;
	h2_guest_run(&guest, 50);
	left = house.visits[0]->left;
	assert_in_range(POUR - left, 64 * 1024, 1 << 20);
	h2_guest_open(&house, &other);
	h2_guest_is_in_step(&other);
	assert_int_equal(house.visits[0]->left, left);
	guest.deaf = false;
	h2_guest_expect(&guest, &guest.answers[0], 200, NULL);
	assert_int_equal(guest.answers[0].body.len, POUR);
	h2_guest_leave(&other);
	h2_guest_leave(&guest);
	house_close(&house);
}

static int file;

static void
send_the_file(struct visit *visit)
{
	visit_start(visit, 200, 300000);
	visit->on_drained = visit_finish;
	if (response_send_file(visit->request, file, 1000, 300000))
		visit_finish(visit);
}

static void
test_a_file(void **state)
{
	static char content[301000];
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)(i % 251);
	file = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(write(file, content, sizeof(content)), sizeof(content));
	house_open(&house, send_the_file);
	h2_guest_open(&house, &guest);
	answer = h2_guest_get(&guest, "/");
	h2_guest_expect(&guest, answer, 200, NULL);
	assert_int_equal(answer->body.len, 300000);
	assert_memory_equal(answer->body.bytes, content + 1000, 300000);
	/* It becomes shorter: the announced length cannot be kept. */
	assert_int_equal(ftruncate(file, 100000), 0);
	answer = h2_guest_get(&guest, "/");
	h2_guest_expect_reset(&guest, answer, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(house.visits[1]->gone, 1);
	h2_guest_is_in_step(&guest);
	h2_guest_leave(&guest);
	house_close(&house);
	close(file);
}

static void
serve_wrong_length(struct visit *visit)
{
	bool too_much = strcmp(visit->path, "/more") == 0;

	visit_start(visit, 200, 5);
	assert_int_equal(visit_write_text(visit, too_much ? "too much" : "few"), !too_much);
	if (!too_much)
		visit_finish(visit);
}

static void
test_a_wrong_length_is_seen_by_the_client(void **state)
{
	struct house house;
	struct h2_guest guest;

	house_open(&house, serve_wrong_length);
	h2_guest_open(&house, &guest);
	h2_guest_expect_reset(&guest, h2_guest_get(&guest, "/less"), NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(house.visits[0]->end_state, REQUEST_ABORTED);
	h2_guest_expect_reset(&guest, h2_guest_get(&guest, "/more"), NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(house.visits[1]->gone, 1);
	h2_guest_is_in_step(&guest);
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
serve_status(struct visit *visit)
{
	fields_add_named(&visit->request->response.fields, SPAN_OF("Connection"), SPAN_OF("close"));
	fields_add_named(&visit->request->response.fields, SPAN_OF("Keep-Alive"), SPAN_OF("timeout=1"));
	fields_add_named(&visit->request->response.fields, SPAN_OF("X-Broken"), SPAN_OF(" a\r\nb "));
	visit_answer(visit, (unsigned)strtoul(visit->path + 1, NULL, 10), "content");
}

static void
test_answers_without_content(void **state)
{
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	house_open(&house, serve_status);
	h2_guest_open(&house, &guest);
	answer = h2_guest_ask(&guest, "HEAD", "/200", NULL, span_make(NULL, 0));
	h2_guest_expect(&guest, answer, 200, "");
	assert_string_equal(h2_answer_field(answer, "content-length"), "7");
	answer = h2_guest_get(&guest, "/204");
	h2_guest_expect(&guest, answer, 204, "");
	assert_string_equal(h2_answer_field(answer, "content-length"), "");
	answer = h2_guest_get(&guest, "/304");
	h2_guest_expect(&guest, answer, 304, "");
	answer = h2_guest_get(&guest, "/404");
	h2_guest_expect(&guest, answer, 404, "content");
	assert_string_equal(h2_answer_field(answer, "connection"), "");
	assert_string_equal(h2_answer_field(answer, "keep-alive"), "");
	assert_string_equal(h2_answer_field(answer, "x-broken"), "a  b");
	h2_guest_leave(&guest);
	house_close(&house);
}

/* In several frames; and one that is too large even so. */
static void
serve_large_head(struct visit *visit)
{
	static char value[6000];
	unsigned count = strcmp(visit->path, "/large") == 0 ? 17 : 300;

	memset(value, '\\', sizeof(value));	/* nothing that HPACK makes shorter */
	for (unsigned i = 0; i < count; i++)
		fields_add_named(&visit->request->response.fields, SPAN_OF("x-large"), span_make(value, sizeof(value)));
	visit_answer(visit, 200, "after all");
}

static void
test_large_heads_out(void **state)
{
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	house_open(&house, serve_large_head);
	h2_guest_open(&house, &guest);
	answer = h2_guest_get(&guest, "/large");
	h2_guest_expect(&guest, answer, 200, "after all");
	assert_true(answer->head.len > 100000);
	h2_guest_expect_reset(&guest, h2_guest_get(&guest, "/too-large"), NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(house.visits[1]->end_state, REQUEST_ABORTED);
	h2_guest_is_in_step(&guest);
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
finish_with_trailers(struct visit *visit)
{
	struct fields trailers;

	fields_init(&trailers, visit->request->arena, NULL, 0);
	fields_add_named(&trailers, SPAN_OF("X-Sum"), SPAN_OF("42"));
	fields_add_named(&trailers, SPAN_OF("Content-Length"), SPAN_OF("42"));
	response_finish(visit->request, &trailers);
}

static void
serve_trailers(struct visit *visit)
{
	visit_start(visit, 200, -1);
	if (strcmp(visit->path, "/empty") != 0)
		visit_write_text(visit, "content");
	visit_wait(visit, strcmp(visit->path, "/late") == 0 ? 5 : 0, finish_with_trailers);
}

static void
test_trailers_out(void **state)
{
	static const char *const paths[] = { "/now", "/late", "/empty" };
	struct house house;
	struct h2_guest guest;

	house_open(&house, serve_trailers);
	h2_guest_open(&house, &guest);
	for (unsigned i = 0; i < 3; i++) {
		struct h2_answer *answer = h2_guest_get(&guest, paths[i]);

		h2_guest_expect(&guest, answer, 200, i < 2 ? "content" : "");
		assert_string_equal((i < 2 ? answer->trailers : answer->head).bytes + (i < 2 ? 0 :
		    answer->head.len - strlen("x-sum: 42\n")), "x-sum: 42\n");
	}
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
serve_informed(struct visit *visit)
{
	struct fields fields;
	char value[] = "</a>; rel=preload";

	fields_init(&fields, visit->request->arena, NULL, 0);
	fields_add_named(&fields, SPAN_OF("Link"), span_text(value));
	response_inform(visit->request, 103, &fields);
	memset(value, '-', sizeof(value) - 1);
	visit_wait(visit, 5, visit_answer_path);
}

static void
test_early_hints(void **state)
{
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	house_open(&house, serve_informed);
	h2_guest_open(&house, &guest);
	answer = h2_guest_get(&guest, "/x");
	h2_guest_expect(&guest, answer, 200, "/x");
	assert_int_equal(answer->informed, 1);
	assert_int_equal(answer->inform_status, 103);
	assert_string_equal(h2_answer_field(answer, "link"), "</a>; rel=preload");
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
test_expect_100_continue(void **state)
{
	static const char *const fields[] = { "expect", "100-continue", "content-length", "4", NULL };
	struct house house;
	struct h2_guest guest;
	struct h2_answer *answer;

	house_open(&house, serve_echo);
	h2_guest_open(&house, &guest);
	guest.upload_stops = true;
	answer = h2_guest_ask(&guest, "POST", "/", fields, SPAN_OF(""));
	h2_guest_run(&guest, 20);
	assert_int_equal(answer->informed, 1);
	assert_int_equal(answer->inform_status, 100);
	guest.upload = SPAN_OF("late");
	guest.upload_stops = false;
	nghttp2_session_resume_data(guest.session, answer->stream_id);
	h2_guest_expect(&guest, answer, 200, "late");
	/* Who does not wait is not told. */
	guest.upload = SPAN_OF("soon");
	answer = h2_guest_ask(&guest, "POST", "/", (const char *const[]){ "content-length", "4", NULL }, SPAN_OF("soon"));
	h2_guest_expect(&guest, answer, 200, "soon");
	assert_int_equal(answer->informed, 0);
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
serve_abort(struct visit *visit)
{
	if (strcmp(visit->path, "/begun") == 0) {
		visit_start(visit, 200, -1);
		visit_write_text(visit, "begun");
	}
	response_abort(visit->request, "as scripted");
}

static void
test_abort(void **state)
{
	struct house house;
	struct h2_guest guest;

	house_open(&house, serve_abort);
	h2_guest_open(&house, &guest);
	h2_guest_expect_reset(&guest, h2_guest_get(&guest, "/"), NGHTTP2_INTERNAL_ERROR);
	h2_guest_expect_reset(&guest, h2_guest_get(&guest, "/begun"), NGHTTP2_INTERNAL_ERROR);
	h2_guest_is_in_step(&guest);
	assert_int_equal(house.slot->totals.aborted, 2);
	h2_guest_leave(&guest);
	house_close(&house);
}

/* -- priorities ----------------------------------------------------------------------------------------------------- */

/* RFC 9218: the more urgent one ends first although it came last. */
static void
test_the_urgent_one_comes_first(void **state)
{
	struct house house;
	struct h2_guest guest;
	struct h2_answer *low, *high;

	house_open(&house, serve_pour);
	h2_guest_open(&house, &guest);
	h2_guest_run(&guest, 5);
	low = h2_guest_ask(&guest, "GET", "/low", (const char *const[]){ "priority", "u=7", NULL }, span_make(NULL, 0));
	high = h2_guest_ask(&guest, "GET", "/high", (const char *const[]){ "priority", "u=0", NULL }, span_make(NULL, 0));
	h2_guest_await_all(&guest);
	assert_int_equal(low->body.len, POUR);
	assert_int_equal(high->body.len, POUR);
	assert_true(high->order < low->order);
	h2_guest_leave(&guest);
	house_close(&house);
}

static void
serve_pour_with_priority(struct visit *visit)
{
	if (strcmp(visit->path, "/high") == 0)
		fields_add(&visit->request->response.fields, FIELD_PRIORITY, SPAN_OF("u=0"));
	serve_pour(visit);
}

static void
test_the_upstream_may_change_it(void **state)
{
	struct house house;
	struct h2_guest guest;
	struct h2_answer *low, *high;

	house_open(&house, serve_pour_with_priority);
	h2_guest_open(&house, &guest);
	h2_guest_run(&guest, 5);
	low = h2_guest_get(&guest, "/low");
	high = h2_guest_get(&guest, "/high");
	h2_guest_await_all(&guest);
	assert_true(high->order < low->order);
	h2_guest_leave(&guest);
	house_close(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_what_a_handler_sees),
		cmocka_unit_test(test_many_streams_at_once),
		cmocka_unit_test(test_content_comes_back),
		cmocka_unit_test(test_a_slow_handler_holds_the_client_back),
		cmocka_unit_test(test_unwanted_content_is_bounded_by_the_window),
		cmocka_unit_test(test_an_early_answer_stops_the_content),
		cmocka_unit_test(test_more_content_than_allowed_is_413),
		cmocka_unit_test(test_much_content_with_back_pressure),
		cmocka_unit_test(test_who_does_not_read_is_waited_for),
		cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_a_wrong_length_is_seen_by_the_client),
		cmocka_unit_test(test_answers_without_content),
		cmocka_unit_test(test_large_heads_out),
		cmocka_unit_test(test_trailers_out),
		cmocka_unit_test(test_early_hints),
		cmocka_unit_test(test_expect_100_continue),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_the_urgent_one_comes_first),
		cmocka_unit_test(test_the_upstream_may_change_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
