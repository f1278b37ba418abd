/* rooms: base http request */
/* The order of a response, what policies see of it, what is counted, and how an error is shaped. */
#include "../fake_transport.h"

#include "request/response.h"

static unsigned seen;	/* times on_response was called */

static void
on_response(struct request *request)
{
	seen++;
	assert_true(request->state < REQUEST_STARTED);
	fields_add_named(&request->response.fields, SPAN_OF("X-Policy"), SPAN_OF("was here"));
	if (request->response.status == 299)
		request->response.status = 204;
}

static struct span
error_content(struct request *request, unsigned status, const char *detail)
{
	return span_text(arena_format(request->arena, "%u: %s", status, detail ? detail : "-"));
}

static void
on_end(struct request *request)
{
	(void)request;
}

static const struct request_guide guide = { on_response, error_content, on_end };

static struct request *
begin(struct fake_exchange *fake, const char *method)
{
	struct request *request = fake_begin(fake, method, "/");

	request->guide = &guide;
	seen = 0;
	return request;
}

static void
sends_a_whole_answer(void **state)
{
	struct fake_exchange fake;
	struct request *request = begin(&fake, "GET");

	response_send(request, 200, SPAN_OF("text/plain"), SPAN_OF("hello"));
	assert_int_equal(request->state, REQUEST_FINISHED);
	assert_true(request->response.has_length);
	assert_int_equal(request->response.content_length, 5);
	assert_int_equal(request->bytes_out, 5);
	assert_string_equal(fake_value(&fake, "content-type"), "text/plain");
	assert_string_equal(fake_value(&fake, "x-policy"), "was here");
	assert_string_equal(fake_content(&fake), "hello");
	assert_int_equal(fake.starts, 1);
	assert_int_equal(fake.finishes, 1);
	assert_int_equal(seen, 1);
	fake_end(&fake);

	/* Without a type, and over one that was set before. */
	request = begin(&fake, "GET");
	response_send(request, 404, SPAN_OF(""), SPAN_OF(""));
	assert_string_equal(fake_value(&fake, "content-type"), "");
	assert_int_equal(fake.finishes, 1);
	fake_end(&fake);
	request = begin(&fake, "GET");
	fake.request.response.fields.count = 0;
	fields_add(&request->response.fields, FIELD_CONTENT_TYPE, SPAN_OF("old"));
	response_send(request, 200, SPAN_OF("new"), SPAN_OF("x"));
	assert_string_equal(fake_value(&fake, "content-type"), "new");
	fake_end(&fake);
}

static void
sends_in_pieces(void **state)
{
	struct fake_exchange fake;
	struct request *request = begin(&fake, "GET");
	struct iovec pieces[2] = { { "one", 3 }, { "two", 3 } };

	request->response.status = 200;
	response_start(request);
	assert_int_equal(request->state, REQUEST_STARTED);
	assert_true(response_write(request, pieces, 2));
	fake.is_slow = true;
	assert_false(response_write(request, pieces, 1));
	response_flush(request);
	response_finish_with(request, pieces + 1, 1);
	assert_int_equal(request->state, REQUEST_FINISHED);
	assert_int_equal(request->bytes_out, 12);
	assert_string_equal(fake_content(&fake), "onetwoonetwo");
	assert_int_equal(seen, 1);
	fake_end(&fake);
}

/* HEAD, 204 and 304 have none, whatever a handler gives; policies may decide the status. */
static void
counts_no_content_where_none_is_sent(void **state)
{
	static const struct { const char *method; unsigned status; bool no_content; } rows[] = {
		{ "GET", 200, false }, { "HEAD", 200, true }, { "GET", 204, true }, { "GET", 304, true },
		{ "GET", 299, true },
		{ "POST", 404, false }, { "HEAD", 404, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_exchange fake;
		struct request *request = begin(&fake, rows[i].method);

		response_send(request, rows[i].status, SPAN_OF("text/plain"), SPAN_OF("hello"));
		assert_int_equal(request->response.no_content, rows[i].no_content);
		assert_int_equal(request->bytes_out, rows[i].no_content ? 0 : 5);
		assert_int_equal(request->response.content_length, 5);
		fake_end(&fake);
	}
}

static void
keeps_a_date_that_is_there(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct fake_exchange fake;
		struct request *request = begin(&fake, "GET");

		if (i == 1)
			fields_add(&request->response.fields, FIELD_DATE, SPAN_OF("of an upstream"));
		response_send(request, 200, SPAN_OF(""), SPAN_OF(""));
		assert_int_equal(request->response.keep_date, i);
		fake_end(&fake);
	}
}

static void
fails_in_the_shape_of_the_route(void **state)
{
	struct fake_exchange fake;
	struct request *request = begin(&fake, "GET");

	fields_add(&request->response.fields, FIELD_ALLOW, SPAN_OF("GET"));
	response_fail(request, 405, "Not this way.", "wrong method");
	assert_string_equal(fake_content(&fake), "405: Not this way.");
	assert_string_equal(fake_value(&fake, "allow"), "GET");
	assert_string_equal(fake_value(&fake, "x-policy"), "was here");
	assert_string_equal(request->why, "wrong method");
	assert_int_equal(request->response.status, 405);
	fake_end(&fake);

	/* No detail, no reason. */
	request = begin(&fake, "GET");
	request->why = "said before";
	response_fail(request, 500, NULL, NULL);
	assert_string_equal(fake_content(&fake), "500: -");
	assert_string_equal(request->why, "said before");
	fake_end(&fake);

	/* Nobody to shape it. */
	request = begin(&fake, "GET");
	request->guide = NULL;
	response_fail(request, 400, "detail", "why");
	assert_string_equal(fake_content(&fake), "");
	assert_int_equal(fake.finishes, 1);
	fake_end(&fake);
}

/* Too late for another head: all that is left is to cut it off. */
static void
fails_late_by_cutting_off(void **state)
{
	struct fake_exchange fake;
	struct request *request = begin(&fake, "GET");

	request->response.status = 200;
	response_start(request);
	response_fail(request, 502, "detail", "the upstream broke off");
	assert_int_equal(fake.aborts, 1);
	assert_int_equal(fake.starts, 1);
	assert_int_equal(fake.finishes, 0);
	assert_int_equal(request->state, REQUEST_ABORTED);
	assert_int_equal(request->response.status, 200);
	assert_string_equal(request->why, "the upstream broke off");
	fake_end(&fake);
}

static void
aborts_at_any_moment(void **state)
{
	struct fake_exchange fake;
	struct request *request = begin(&fake, "GET");

	request->why = "before";
	response_abort(request, NULL);
	assert_int_equal(request->state, REQUEST_ABORTED);
	assert_string_equal(request->why, "before");
	assert_int_equal(fake.aborts, 1);
	assert_int_equal(seen, 0);
	fake_end(&fake);
}

static const struct request_events events;

static void
is_taken_by_its_handler(void **state)
{
	struct fake_exchange fake;
	struct request *request = begin(&fake, "GET");

	request_take(request, &events, &fake);
	assert_int_equal(request->state, REQUEST_HANDLED);
	assert_ptr_equal(request->work, &fake);
	request->response.status = 200;
	response_start(request);
	request_take(request, &events, NULL);	/* also later, by the next in the chain */
	assert_int_equal(request->state, REQUEST_STARTED);
	assert_null(request->work);
	fake_end(&fake);
}

/* A recycled request begins as if it were new. */
static void
begins_anew(void **state)
{
	struct fake_exchange fake;
	struct request *request = begin(&fake, "POST");

	fake_field(&fake, "X", "y");
	response_send(request, 200, SPAN_OF("text/plain"), SPAN_OF("hello"));
	request_init(request, &fake_transport, &fake.arena, &fake.client);
	assert_int_equal(request->state, REQUEST_HEAD);
	assert_int_equal(request->method, HTTP_GET);
	assert_int_equal(request->fields.count, 0);
	assert_int_equal(request->response.fields.count, 0);
	assert_int_equal(request->response.fields.seen, 0);
	assert_int_equal(request->bytes_out, 0);
	assert_null(request->guide);
	assert_true(request->body_max == UINT64_MAX);
	fake_end(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_a_whole_answer),
		cmocka_unit_test(sends_in_pieces),
		cmocka_unit_test(counts_no_content_where_none_is_sent),
		cmocka_unit_test(keeps_a_date_that_is_there),
		cmocka_unit_test(fails_in_the_shape_of_the_route),
		cmocka_unit_test(fails_late_by_cutting_off),
		cmocka_unit_test(aborts_at_any_moment),
		cmocka_unit_test(is_taken_by_its_handler),
		cmocka_unit_test(begins_anew),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
