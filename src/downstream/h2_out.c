/*
 * The response as the transport's verbs give it: the head is laid down for nghttp2 when the first content, a flush or the
 * end comes; content waits in the exchange until nghttp2 asks for it (h2_frames.c).
 */
#include "downstream/h2_exchange.h"

#include "base/put.h"
#include "codec/h2_nv.h"
#include "codec/trailers.h"
#include "http/date.h"
#include "http/status.h"

#include <assert.h>

enum {
	OWN_FIELDS = 3,		/* :status, content-length, date */
	STATUS_DIGITS = 3,
	SMALL_MAX = 16 * 1024,	/* the first content goes to the arena when it is not more */
};

static const char why_too_much[] = "more content than was announced";

static struct h2_exchange *
exchange_of(struct request *request)
{
	return LIST_OWNER(request, struct h2_exchange, request);
}

/* -- the head ------------------------------------------------------------------------------------------------------ */

/* A HEAD's answer says how long the GET's would be; 204 and 304 say nothing (RFC 9110 §8.6). */
static bool
says_length(const struct request *request)
{
	const struct response *response = &request->response;

	return response->has_length && http_status_has_content(response->status);
}

/* An upstream knows its answer's importance best (RFC 9218 §8). */
static void
priority_follow(struct h2_exchange *exchange)
{
	const struct fields *fields = &exchange->request.response.fields;
	struct h2_priority priority = exchange->priority;
	nghttp2_extpri extpri;

	if (!fields_have(fields, FIELD_PRIORITY))
		return;
	h2_priority_parse(fields_value(fields, FIELD_PRIORITY), &priority);
	extpri = (nghttp2_extpri){ .urgency = priority.urgency, .inc = priority.is_incremental };
	nghttp2_session_change_extpri_stream_priority(exchange->h2->session, exchange->stream_id, &extpri, 1);
}

static struct span
status_lay(struct h2_exchange *exchange, unsigned status)
{
	return span_between(exchange->digits, put_number(exchange->digits, status));
}

static struct span
length_lay(struct h2_exchange *exchange, uint64_t length)
{
	char *at = exchange->digits + STATUS_DIGITS;

	return span_between(at, put_number(at, length));
}

/* has_content: more follows; else the head ends the stream. */
static void
head_submit(struct h2_exchange *exchange, bool has_content)
{
	struct request *request = &exchange->request;
	const struct fields *fields = &request->response.fields;
	const nghttp2_data_provider provider = { { .ptr = exchange }, h2_out_length };
	nghttp2_nv *list = arena_alloc(&exchange->arena, (fields->count + OWN_FIELDS) * sizeof(*list));
	size_t count = 0;

	exchange->head_waits = false;
	list[count++] = h2_nv_make(SPAN_OF(":status"), status_lay(exchange, request->response.status));
	count += h2_nv_lay(list + count, fields, H2_BIT(CONTENT_LENGTH), &exchange->arena);
	if (!request->response.keep_date)
		list[count++] = h2_nv_make(SPAN_OF("date"),
		    http_date_at(loop_wall_ms(exchange->h2->conn->downstream->loop)));
	if (says_length(request))
		list[count++] = h2_nv_make(SPAN_OF("content-length"),
		    length_lay(exchange, request->response.content_length));
	priority_follow(exchange);
	if (nghttp2_submit_response(exchange->h2->session, exchange->stream_id, list, count,
	    has_content ? &provider : NULL) != 0)
		h2_exchange_gone(exchange, NGHTTP2_INTERNAL_ERROR, "the head cannot be sent");
	h2_schedule(exchange->h2);
}

static void
h2_start(struct request *request)
{
	struct h2_exchange *exchange = exchange_of(request);

	exchange->head_waits = true;
	exchange->continue_sent = true;
	exchange->content_left = request->response.has_length ? request->response.content_length : 0;
}

void
h2_out_continue(struct h2_exchange *exchange)
{
	nghttp2_nv status;

	if (exchange->continue_sent || exchange->request.state >= REQUEST_STARTED || exchange->is_closed)
		return;
	exchange->continue_sent = true;
	status = h2_nv_make(SPAN_OF(":status"), SPAN_OF("100"));
	nghttp2_submit_headers(exchange->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NULL, &status, 1, NULL);
	h2_schedule(exchange->h2);
}

static void
h2_inform(struct request *request, unsigned status, const struct fields *fields)
{
	struct h2_exchange *exchange = exchange_of(request);
	nghttp2_nv *list;
	size_t count;

	if (status == 100) {
		h2_out_continue(exchange);
		return;
	}
	/* Nobody has to have them: who does not read gets no more. */
	if (exchange->finished || exchange->informed == H2_INFORMS_MAX || exchange->h2->out.len > 0)
		return;
	exchange->informed++;
	list = arena_alloc(&exchange->arena, (fields->count + 1) * sizeof(*list));
	list[0] = h2_nv_make(SPAN_OF(":status"),
	    arena_copy(&exchange->arena, status_lay(exchange, status)));
	count = 1 + h2_nv_lay(list + 1, fields, H2_BIT(CONTENT_LENGTH), &exchange->arena);
	/* They are the caller's, who may use their room again before the frame is laid down. */
	for (size_t i = 1; i < count; i++)
		list[i].flags = NGHTTP2_NV_FLAG_NONE;
	nghttp2_submit_headers(exchange->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NULL, list, count, NULL);
	h2_schedule(exchange->h2);
}

/* -- content ------------------------------------------------------------------------------------------------------- */

static size_t
pieces_length(const struct iovec *pieces, unsigned count)
{
	size_t length = 0;

	for (unsigned i = 0; i < count; i++)
		length += pieces[i].iov_len;
	return length;
}

/* What a handler gives beyond the length it announced is an error of ours or of an upstream. */
static bool
content_fits(struct h2_exchange *exchange, uint64_t length)
{
	const struct response *response = &exchange->request.response;

	if (response->no_content || !response->has_length)
		return true;
	if (length > exchange->content_left)
		return false;
	exchange->content_left -= length;
	return true;
}

/* More content, or the end of it, for nghttp2 to ask for. */
static void
content_go(struct h2_exchange *exchange)
{
	if (h2_out_waiting(exchange) > 0)
		h2_out_mark(exchange, true);
	if (exchange->head_waits) {
		head_submit(exchange, true);
		return;
	}
	if (exchange->deferred)
		nghttp2_session_resume_data(exchange->h2->session, exchange->stream_id);
	exchange->deferred = false;
	h2_schedule(exchange->h2);	/* also where a window is waited for: that has its time */
}

static bool
has_room(struct h2_exchange *exchange)
{
	bool room = out_waiting(&exchange->out) < H2_OUT_HIGH && exchange->out.file_left == 0;

	if (!room)
		exchange->paused = true;
	return room;
}

/*
 * The first content is often all there is; a stream of it must not fill the arena. What lasts is not copied at all: else
 * a client could have as many copies of a large answer as it may have streams.
 */
static void
pieces_keep(struct h2_exchange *exchange, const struct iovec *pieces, unsigned count, size_t length)
{
	char *to;

	if (exchange->request.response.lasts && count == 1 && h2_out_waiting(exchange) == 0) {
		exchange->rest = span_make(pieces->iov_base, pieces->iov_len);
		return;
	}
	if (length > SMALL_MAX || exchange->content_out > 0 || h2_out_waiting(exchange) > 0) {
		out_add(&exchange->out, pieces, count, 0);
		return;
	}
	to = arena_alloc(&exchange->arena, length);
	exchange->rest = span_make(to, length);
	for (unsigned i = 0; i < count; i++)
		to = put_span(to, span_make(pieces[i].iov_base, pieces[i].iov_len));
}

/*
 * False: nothing is to be sent. What is wrong with the exchange its handler hears later, because it is on the stack now.
 */
static bool
content_is_due(struct h2_exchange *exchange, uint64_t length)
{
	if (exchange->finished || exchange->broken)
		return false;
	if (!content_fits(exchange, length)) {
		exchange->broken = why_too_much;
		h2_exchange_add_work(exchange);
		return false;
	}
	return length > 0 && !exchange->request.response.no_content;
}

static bool
h2_write(struct request *request, const struct iovec *pieces, unsigned count)
{
	struct h2_exchange *exchange = exchange_of(request);
	size_t length = pieces_length(pieces, count);

	if (content_is_due(exchange, length)) {
		pieces_keep(exchange, pieces, count, length);
		content_go(exchange);
	}
	return !exchange->finished && !exchange->broken && has_room(exchange);
}

static bool
h2_send_file(struct request *request, int fd, uint64_t offset, uint64_t length)
{
	struct h2_exchange *exchange = exchange_of(request);

	if (content_is_due(exchange, length)) {
		out_add_file(&exchange->out, fd, offset, length);
		content_go(exchange);
	}
	return !exchange->finished && !exchange->broken && has_room(exchange);
}

static void
h2_flush(struct request *request)
{
	struct h2_exchange *exchange = exchange_of(request);

	/* A head without content leaves with the end, which is the same frame. */
	if (exchange->head_waits && !request->response.no_content && !exchange->finished)
		head_submit(exchange, true);
}

/* -- the end ------------------------------------------------------------------------------------------------------- */

/* The handler has given all. */
static void
finished(struct h2_exchange *exchange)
{
	struct request *request = &exchange->request;

	request->events = NULL;
	if (exchange->broken == NULL && exchange->content_left > 0 && !request->response.no_content)
		exchange->broken = "less content than was announced";	/* the client must see that */
	if (exchange->broken || exchange->finished) {
		h2_exchange_gone(exchange, NGHTTP2_INTERNAL_ERROR, exchange->broken);
		return;
	}
	exchange->finished = true;
	h2_content_drop(exchange);
	h2_out_mark(exchange, true);	/* even an end alone needs a window, as nghttp2 sees it */
	if (exchange->head_waits && h2_out_waiting(exchange) == 0 && exchange->trailer_count == 0)
		head_submit(exchange, false);
	else
		content_go(exchange);
}

static void
h2_finish_with(struct request *request, const struct iovec *pieces, unsigned count)
{
	struct h2_exchange *exchange = exchange_of(request);
	size_t length = pieces_length(pieces, count);

	if (content_is_due(exchange, length))
		pieces_keep(exchange, pieces, count, length);
	finished(exchange);
}

static void
h2_finish(struct request *request, const struct fields *trailers)
{
	struct h2_exchange *exchange = exchange_of(request);

	if (trailers && trailers->count > 0 && !request->response.no_content) {
		exchange->trailers = arena_alloc(&exchange->arena, trailers->count * sizeof(*exchange->trailers));
		exchange->trailer_count = h2_nv_lay(exchange->trailers, trailers, fields_not_in_trailers,
		    &exchange->arena);
	}
	finished(exchange);
}

static void
h2_abort(struct request *request)
{
	struct h2_exchange *exchange = exchange_of(request);

	request->events = NULL;
	h2_exchange_reset(exchange, NGHTTP2_INTERNAL_ERROR);
}

/* -- the other direction's hooks ----------------------------------------------------------------------------------- */

static void
h2_want_body(struct request *request, bool want)
{
	h2_content_want(exchange_of(request), want);
}

/* RFC 9113 §8.6: there is none, and request->wants_upgrade never says so. */
static void
h2_upgrade(struct request *request)
{
	assert(!"HTTP/2 has no upgrade");
	h2_abort(request);
}

const struct transport h2_transport = {
	.name = "HTTP/2",
	.want_body = h2_want_body,
	.inform = h2_inform,
	.start = h2_start,
	.write = h2_write,
	.send_file = h2_send_file,
	.flush = h2_flush,
	.finish = h2_finish,
	.finish_with = h2_finish_with,
	.abort = h2_abort,
	.upgrade = h2_upgrade,
};
