/*
 * visits: a downstream's handler for fuzzing, which does what the first letter of the path says, and checks what must be
 * true of every request; and one client's end of a connection to it.
 */
#ifndef REEVE_FUZZ_VISITS_H
#define REEVE_FUZZ_VISITS_H

#include "base/text.h"
#include "downstream/downstream.h"
#include "fuzz.h"
#include "request/client.h"
#include "request/response.h"
#include "store/slots.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VISITS_MAX = 256, TURNS_AT_REST = 6, MUCH = 200000 };

struct visit {
	struct request		*request;	/* NULL when it is over */
	enum http_method	 method;
	char			 kind;		/* the first letter of the path */
	enum request_state	 end_state;
	unsigned		 ended;
	unsigned		 gone;
	unsigned		 lasts;
	unsigned		 steps;
	struct text		 body;
	struct timer		 timer;
	void			 (*on_time)(struct visit *visit);
};

static struct loop *loop;
static struct timer turn_end;
static char much[MUCH];
static int file = -1;

static struct slot slot;
static struct visit visits[VISITS_MAX];
static unsigned visit_count;
static unsigned empty_said;
static struct text heard;	/* what the client has read */
static bool has_ended;		/* ... and there is no more */
static int client;

/* -- the handler --------------------------------------------------------------------------------------------------- */

static struct visit *
visit_of(struct request *request)
{
	struct visit *visit;

	memcpy(&visit, &request->site, sizeof(visit));
	check(visit->request == request && visit->ended == 0);
	return visit;
}

static void
visit_due(void *owner)
{
	struct visit *visit = owner;

	visit->on_time(visit);
}

static void
visit_wait(struct visit *visit, void (*then)(struct visit *visit))
{
	visit->on_time = then;
	timer_arm(&visit->timer, 0);
}

static void
answer(struct visit *visit, const char *content)
{
	response_send(visit->request, 200, SPAN_OF("text/plain"), span_text(content));
}

static void
answer_late(struct visit *visit)
{
	answer(visit, "late");
}

static void
start(struct visit *visit, int64_t length)
{
	struct response *response = &visit->request->response;

	response->status = 200;
	response->has_length = length >= 0;
	response->content_length = length >= 0 ? (uint64_t)length : 0;
	response_start(visit->request);
}

static bool
write_text(struct visit *visit, const char *content)
{
	const struct iovec piece = { (void *)(uintptr_t)content, strlen(content) };

	return response_write(visit->request, &piece, 1);
}

static void
drip(struct visit *visit)
{
	write_text(visit, "drip");
	if (++visit->steps < 4)
		visit_wait(visit, drip);
	else
		response_finish(visit->request, NULL);
}

static void
pour(struct visit *visit)
{
	const struct iovec piece = { much, MUCH / 10 };

	while (visit->steps++ < 10)
		if (!response_write(visit->request, &piece, 1) && visit->steps < 10)
			return;
	response_finish(visit->request, NULL);
}

static void
abort_late(struct visit *visit)
{
	response_abort(visit->request, "as scripted");
}

static void
want_again(struct visit *visit)
{
	request_want_body(visit->request, true);
}

static void
upgrade(struct visit *visit)
{
	visit->request->response.status = 101;
	response_start(visit->request);
	response_upgrade(visit->request);
	request_want_body(visit->request, true);
}

static void
inform(struct visit *visit)
{
	struct fields fields;

	fields_init(&fields, visit->request->arena, NULL, 0);
	response_inform(visit->request, 100, &fields);
	response_inform(visit->request, 103, &fields);
	answer(visit, "informed");
}

static void
body_over(struct visit *visit)
{
	if (visit->kind == 'u' || visit->kind == 'o')
		response_finish(visit->request, NULL);
	else
		response_send(visit->request, 200, SPAN_OF(""), text_span(&visit->body));
}

/* One piece at a time (s), the first is enough (q), cut off inside it (b), or all. */
static void
on_body(struct request *request, struct span piece, bool last)
{
	struct visit *visit = visit_of(request);
	const struct iovec back = { (void *)(uintptr_t)piece.at, piece.len };

	check(visit->gone == 0 && visit->lasts == 0);
	visit->lasts += last;
	if (visit->kind == 'b') {
		response_abort(request, "as scripted");
		return;
	}
	if (visit->kind == 'q') {
		answer(visit, "enough");
		return;
	}
	if (visit->kind == 'u' && piece.len > 0)
		response_write(request, &back, 1);
	else
		text_add(&visit->body, piece);
	if (last) {
		body_over(visit);
	} else if (visit->kind == 's') {
		request_want_body(request, false);
		visit_wait(visit, want_again);
	}
}

static void
on_drained(struct request *request)
{
	struct visit *visit = visit_of(request);

	check(visit->gone == 0);
	if (visit->kind == 'm')
		pour(visit);
	else if (visit->kind == 'd')
		response_abort(request, "as scripted");
	else if (visit->kind == 'f')
		response_finish(request, NULL);
}

static void
on_gone(struct request *request)
{
	struct visit *visit = visit_of(request);

	check(visit->gone++ == 0 && request->state < REQUEST_FINISHED);
	timer_fini(&visit->timer);
}

static const struct request_events events = { on_body, on_drained, on_gone };

static void
send_much(struct visit *visit)
{
	start(visit, visit->request->has_query ? MUCH : -1);
	pour(visit);
}

static void
send_file(struct visit *visit)
{
	start(visit, MUCH);
	if (response_send_file(visit->request, file, 0, MUCH))
		response_finish(visit->request, NULL);
}

static void
send_wrong_length(struct visit *visit)
{
	start(visit, 5);
	write_text(visit, visit->request->has_query ? "too much" : "few");
	if (visit->request->state == REQUEST_STARTED)
		response_finish(visit->request, NULL);
}

static void
serve(struct visit *visit)
{
	struct request *request = visit->request;

	switch (visit->kind) {
	case 'a':
		start(visit, -1);
		write_text(visit, "begun");
		visit_wait(visit, abort_late);
		break;
	case 'b': case 'e': case 'q': case 's':
		request->body_max = request->has_query ? 10 : UINT64_MAX;
		request_want_body(request, true);
		break;
	case 'c':
		start(visit, -1);
		drip(visit);
		break;
	case 'd': case 'm':
		send_much(visit);
		break;
	case 'f':
		send_file(visit);
		break;
	case 'i':
		inform(visit);
		break;
	case 'l':
		visit_wait(visit, answer_late);
		break;
	case 'n':
		break;	/* never */
	case 'o':	/* begins the response, then reads */
		start(visit, -1);
		request_want_body(request, true);
		break;
	case 'u':
		if (request->wants_upgrade && !request->has_body)
			upgrade(visit);
		else
			response_fail(request, 400, NULL, "no upgrade");
		break;
	case 'w':
		send_wrong_length(visit);
		break;
	case 'z':
		response_abort(request, NULL);
		break;
	default:
		answer(visit, "hello");
	}
}

static void
visit_end(struct request *request)
{
	struct visit *visit = visit_of(request);

	check(visit->ended++ == 0);
	visit->end_state = request->state;
	visit->request = NULL;
	timer_fini(&visit->timer);
}

static void
visit_number(struct request *request)
{
	fields_add_named(&request->response.fields, SPAN_OF("X-N"),
	    span_text(arena_format(request->arena, "%u", (unsigned)(visit_of(request) - visits))));
}

static struct span
error_content(struct request *request, unsigned status, const char *detail)
{
	(void)detail;
	return span_text(arena_format(request->arena, "error %u", status));
}

static const struct request_guide guide = { visit_number, error_content, visit_end };

static struct visit *
visit_begin(struct request *request)
{
	struct visit *visit = &visits[visit_count++];

	check(visit_count < VISITS_MAX);
	*visit = (struct visit){ .request = request, .method = request->method };
	visit->kind = request->path.len > 1 ? request->path.at[1] : '/';
	timer_init(&visit->timer, loop, visit_due, visit);
	request->site = visit;
	request->guide = &guide;
	return visit;
}

static void
on_request(void *owner, struct request *request)
{
	struct visit *visit = visit_begin(request);

	(void)owner;
	check(request->path.len > 0 && (request->path.at[0] == '/' || span_is(request->path, "*")));
	request_take(request, &events, NULL);
	serve(visit);
}

static void
on_refused(void *owner, struct request *request, unsigned status, const char *why)
{
	(void)owner;
	check(why != NULL && status >= 400);
	visit_begin(request);
	response_fail(request, status, NULL, why);
}

static void
on_full(void *owner, bool full)
{
	(void)owner;
	(void)full;
}

static void
on_empty(void *owner)
{
	(void)owner;
	check(empty_said++ == 0);
}

static const struct downstream_events downstream_events = { on_request, on_refused, on_full, on_empty };

/* -- the client ---------------------------------------------------------------------------------------------------- */

static void
stop(void *owner)
{
	(void)owner;
	loop_stop(loop);
}

static void
turn(void)
{
	timer_arm(&turn_end, 0);
	loop_run(loop);
}

static void
hear(void)
{
	char bytes[16384];
	ssize_t count;

	while (!has_ended && (count = read(client, bytes, sizeof(bytes))) >= 0) {
		text_add(&heard, span_make(bytes, (size_t)count));
		has_ended = count == 0;
	}
	if (!has_ended && errno != EAGAIN)
		has_ended = true;
}

/* Until nothing happens any more. */
static void
rest(void)
{
	for (unsigned quiet = 0; quiet < TURNS_AT_REST; quiet++) {
		size_t before = heard.len;

		turn();
		hear();
		if (heard.len > before)
			quiet = 0;
	}
}

static void
prepare(void)
{
	if (loop)
		return;
	signal(SIGPIPE, SIG_IGN);
	field_names_init();
	loop = loop_create(NULL);
	timer_init(&turn_end, loop, stop, NULL);
	memset(much, 'm', sizeof(much));
	file = memfd_create("file", MFD_CLOEXEC);
	check(write(file, much, MUCH) == MUCH);
}

static void
life_check(void)
{
	check(slot.totals.connections_accepted == 1 && slot.totals.connections_closed == 1);
	check(slot.connections == 0 && slot.requests_active == 0);
	check(slot.totals.requests == visit_count);
	for (unsigned i = 0; i < visit_count; i++) {
		check(visits[i].ended == 1);
		check(visits[i].end_state == REQUEST_FINISHED || visits[i].end_state == REQUEST_ABORTED);
		text_fini(&visits[i].body);
	}
}

#endif
