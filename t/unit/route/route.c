/* rooms: base conf http request route */
/* The walk of a request: policies in order, each may answer or wait; back over those that were asked; the end. */
#include "../fake_transport.h"

#include "request/response.h"
#include "route/route.h"

#include <stdio.h>

static char story[256];
static unsigned told;

static void
tell(const char *what, const void *who)
{
	told += (unsigned)snprintf(story + told, sizeof(story) - told, "%s%s ", what, (const char *)who);
}

static enum stage_result
asks_next(const void *policy, struct request *request)
{
	(void)request;
	tell("?", policy);
	return STAGE_NEXT;
}

static enum stage_result
answers(const void *policy, struct request *request)
{
	tell("!", policy);
	response_send(request, 403, SPAN_OF(""), SPAN_OF("no"));
	return STAGE_ANSWERED;
}

static enum stage_result
waits(const void *policy, struct request *request)
{
	(void)request;
	tell("~", policy);
	return STAGE_WAITS;
}

static void
sees_response(const void *policy, struct request *request)
{
	assert_true(request->state < REQUEST_STARTED);
	tell("<", policy);
}

static void
sees_end(const void *policy, struct request *request)
{
	(void)request;
	tell(".", policy);
}

static struct span
shapes_error(const void *policy, struct request *request, unsigned status, const char *detail)
{
	tell("e", policy);
	return span_text(arena_format(request->arena, "%u %s", status, detail ? detail : "-"));
}

static void
handler_start(const void *handler, struct request *request)
{
	tell("", handler);
	assert_ptr_equal(request->handler, handler);
	assert_int_equal(request->state, REQUEST_HANDLED);
	response_send(request, 200, SPAN_OF(""), SPAN_OF("yes"));
}

static const struct policy_type passing = { "passing", .on_request = asks_next, .on_response = sees_response,
	.on_end = sees_end };
static const struct policy_type answering = { "answering", .on_request = answers, .on_response = sees_response,
	.on_end = sees_end };
static const struct policy_type waiting = { "waiting", .on_request = waits, .on_response = sees_response,
	.on_end = sees_end };
static const struct policy_type silent = { .key = "silent" };
static const struct policy_type shaping = { "errors", .error_content = shapes_error };
static const struct handler_type handler = { "handler", .start = handler_start };
static const struct request_guide guide = { route_back, route_error_content, route_end };

static char name_h[] = "H";

static struct route
route_of(const struct policy_type *a, const struct policy_type *b, const struct policy_type *c)
{
	struct route route = { .policies = { { a, "a" }, { b, "b" }, { c, "c" } }, .policy_count = 3,
		.handler = &handler, .handler_options = name_h };

	return route;
}

static struct request *
begin(struct fake_exchange *fake)
{
	struct request *request = fake_begin(fake, "GET", "/x");

	request->guide = &guide;
	told = 0;
	story[0] = '\0';
	return request;
}

static void
walks_there_and_back(void **state)
{
	struct route route = route_of(&passing, &silent, &passing);
	struct fake_exchange fake;
	struct request *request = begin(&fake);

	route_walk(request, &route);
	assert_ptr_equal(request->route, &route);
	route_end(request);
	assert_string_equal(story, "?a ?c H <c <a .a .c ");
	assert_string_equal(fake_content(&fake), "yes");
	fake_end(&fake);
}

/* Who was not asked hears nothing; who answers is among those who were. */
static void
turns_back_where_it_is_answered(void **state)
{
	struct route route = route_of(&passing, &answering, &passing);
	struct fake_exchange fake;
	struct request *request = begin(&fake);

	route_walk(request, &route);
	route_end(request);
	assert_string_equal(story, "?a !b <b <a .a .b ");
	assert_int_equal(request->response.status, 403);
	fake_end(&fake);
}

static void
goes_on_where_it_waited(void **state)
{
	struct route route = route_of(&passing, &waiting, &passing);
	struct fake_exchange fake;
	struct request *request = begin(&fake);

	route_walk(request, &route);
	assert_string_equal(story, "?a ~b ");
	assert_int_equal(fake.starts, 0);
	chain_resume(request);
	route_end(request);
	assert_string_equal(story, "?a ~b ?c H <c <b <a .a .b .c ");
	fake_end(&fake);
}

/* Cut off while it waited. */
static void
ends_in_the_middle(void **state)
{
	struct route route = route_of(&passing, &waiting, &passing);
	struct fake_exchange fake;
	struct request *request = begin(&fake);

	route_walk(request, &route);
	response_abort(request, "the client is gone");
	route_end(request);
	assert_string_equal(story, "?a ~b .a .b ");
	fake_end(&fake);
}

/* What was refused before it could be routed is not asked about, but everybody sees the answer. */
static void
refuses_without_asking(void **state)
{
	struct route route = route_of(&answering, &passing, &shaping);
	struct fake_exchange fake;
	struct request *request = begin(&fake);

	route.errors = &route.policies[2];
	route_refuse(request, &route, 431, "too many");
	route_end(request);
	assert_string_equal(story, "ec <b <a .a .b ");
	assert_string_equal(fake_content(&fake), "431 -");
	assert_string_equal(request->why, "too many");
	fake_end(&fake);
}

static void
has_no_shape_for_errors_without_the_policy(void **state)
{
	struct route route = route_of(&silent, &silent, &silent);
	struct fake_exchange fake;
	struct request *request = begin(&fake);

	route_refuse(request, &route, 400, NULL);
	assert_string_equal(fake_content(&fake), "");
	assert_int_equal(request->response.status, 400);
	fake_end(&fake);
}

static void
finds_the_first_that_fits(void **state)
{
	struct route any = { .name = SPAN("any") }, posts = { .name = SPAN("posts") };
	struct route *list[] = { &posts, &any }, *only_posts[] = { &posts };
	struct route_table table = { list, 2 }, small = { only_posts, 1 }, none = { NULL, 0 };
	struct span method = SPAN("POST");
	struct fake_exchange fake;

	posts.match.method.items = &method;
	posts.match.method.count = 1;
	posts.match.methods = 1 << HTTP_POST;
	assert_ptr_equal(route_find(&table, fake_begin(&fake, "POST", "/")), &posts);
	fake_end(&fake);
	assert_ptr_equal(route_find(&table, fake_begin(&fake, "GET", "/")), &any);
	fake_end(&fake);
	assert_null(route_find(&small, fake_begin(&fake, "GET", "/")));
	assert_null(route_find(&none, &fake.request));
	fake_end(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_there_and_back),
		cmocka_unit_test(turns_back_where_it_is_answered),
		cmocka_unit_test(goes_on_where_it_waited),
		cmocka_unit_test(ends_in_the_middle),
		cmocka_unit_test(refuses_without_asking),
		cmocka_unit_test(has_no_shape_for_errors_without_the_policy),
		cmocka_unit_test(finds_the_first_that_fits),
	};

	field_names_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
