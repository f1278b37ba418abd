/*
 * The life of an exchange on a stream: made when its head begins, dispatched when that is complete and good, over when
 * nghttp2 forgets the stream.
 */
#include "downstream/h2_exchange.h"

#include "base/memory.h"
#include "request/response.h"
#include "store/slots.h"

#include <assert.h>

/* Under AddressSanitizer none is kept for the next request, so that it sees who touches one that is over. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NO_EXCHANGE 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define KEEPS_NO_EXCHANGE 1
#endif

#ifdef KEEPS_NO_EXCHANGE
enum { FREE_EXCHANGES_MAX = 0 };
#else
enum { FREE_EXCHANGES_MAX = 512 };
#endif

enum { EXCHANGE_ARENA_BLOCK = 4096 };

/* -- begin and end ------------------------------------------------------------------------------------------------- */

static void
body_timed_out(void *owner)
{
	struct h2_exchange *exchange = owner;

	if (exchange->lingering) {
		h2_content_stop(exchange);
		return;
	}
	slot_add(&exchange->h2->conn->downstream->slot->totals.timeouts, 1);
	h2_exchange_fail(exchange, 408, "the content did not arrive in time");
}

static void
send_timed_out(void *owner)
{
	struct h2_exchange *exchange = owner;

	slot_add(&exchange->h2->conn->downstream->slot->totals.timeouts, 1);
	h2_exchange_gone(exchange, NGHTTP2_CANCEL, "the client did not read in time");
}

static struct h2_exchange *
exchange_take(struct downstream *downstream)
{
	struct h2_exchange *exchange = downstream->free_h2_exchanges;

	if (exchange) {
		downstream->free_h2_exchanges = exchange->next_free;
		downstream->free_h2_count--;
		return exchange;
	}
	exchange = memory_zalloc(sizeof(*exchange));
	arena_init(&exchange->arena, EXCHANGE_ARENA_BLOCK);
	return exchange;
}

struct h2_exchange *
h2_exchange_create(struct h2 *h2, int32_t stream_id)
{
	struct conn *conn = h2->conn;
	struct h2_exchange *exchange = exchange_take(conn->downstream);

	request_init(&exchange->request, &h2_transport, &exchange->arena, &conn->client);
	memset(&exchange->h2, 0, sizeof(*exchange) - offsetof(struct h2_exchange, h2));
	exchange->h2 = h2;
	exchange->stream_id = stream_id;
	exchange->request.started_ms = loop_now_ms(conn->downstream->loop);
	exchange->request.minor = 2;
	exchange->out.file = -1;
	exchange->priority.urgency = H2_URGENCY_DEFAULT;
	timeout_init(&exchange->body_timeout, body_timed_out, exchange);
	timeout_init(&exchange->send_timeout, send_timed_out, exchange);
	h2_head_init(&exchange->head, &exchange->request.fields, &conn->downstream->head_limits);
	list_add_last(&h2->exchanges, &exchange->node);
	h2->open++;
	h2->served = true;
	return exchange;
}

static void
exchange_free(struct h2_exchange *exchange)
{
	arena_fini(&exchange->arena);
	memory_free(exchange);
}

void
h2_exchange_release(struct h2_exchange *exchange)
{
	struct downstream *downstream = exchange->h2->conn->downstream;
	struct request *request = &exchange->request;

	assert(exchange->is_closed && !list_holds(&exchange->work));
	assert(!timeout_is_armed(&exchange->body_timeout) && !timeout_is_armed(&exchange->send_timeout));
	list_remove(&exchange->node);
	if (exchange->begun) {
		downstream_count_end(downstream, request);
		if (request->guide && request->guide->on_end)
			request->guide->on_end(request);
	}
	if (downstream->free_h2_count + 1 > FREE_EXCHANGES_MAX) {
		exchange_free(exchange);
		return;
	}
	arena_reset(&exchange->arena);
	exchange->next_free = downstream->free_h2_exchanges;
	downstream->free_h2_exchanges = exchange;
	downstream->free_h2_count++;
}

void
h2_exchanges_free(struct downstream *downstream)
{
	struct h2_exchange *exchange;

	while ((exchange = downstream->free_h2_exchanges) != NULL) {
		downstream->free_h2_exchanges = exchange->next_free;
		exchange_free(exchange);
	}
	downstream->free_h2_count = 0;
}

/* -- the handler --------------------------------------------------------------------------------------------------- */

void
h2_exchange_add_work(struct h2_exchange *exchange)
{
	if (!list_holds(&exchange->work))
		list_add_last(&exchange->h2->work, &exchange->work);
	h2_schedule(exchange->h2);
}

/* The handler lets go: from now on nobody above hears of this request but on_end. */
static void
handler_leaves(struct h2_exchange *exchange)
{
	struct request *request = &exchange->request;
	const struct request_events *events = request->events;

	request->events = NULL;
	timeout_disarm(&exchange->body_timeout);
	if (events && request->state < REQUEST_FINISHED)
		events->on_gone(request);
}

void
h2_exchange_reset(struct h2_exchange *exchange, uint32_t code)
{
	exchange->finished = true;
	h2_out_drop(exchange);
	h2_content_drop(exchange);
	if (exchange->is_reset || exchange->is_closed)
		return;
	exchange->is_reset = true;
	nghttp2_submit_rst_stream(exchange->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, code);
	h2_schedule(exchange->h2);
}

/* The response did not get through. */
static void
exchange_cut(struct h2_exchange *exchange, const char *why)
{
	struct request *request = &exchange->request;

	handler_leaves(exchange);
	if (exchange->sent_end)
		return;
	request->state = REQUEST_ABORTED;
	if (request->why == NULL)
		request->why = why;
}

void
h2_exchange_gone(struct h2_exchange *exchange, uint32_t code, const char *why)
{
	exchange_cut(exchange, why);
	h2_exchange_reset(exchange, code);
}

void
h2_exchange_fail(struct h2_exchange *exchange, unsigned status, const char *why)
{
	struct downstream *downstream = exchange->h2->conn->downstream;
	struct request *request = &exchange->request;

	exchange->wants_body = false;
	if (exchange->finished)
		return;
	if (request->state >= REQUEST_STARTED) {
		h2_exchange_gone(exchange, NGHTTP2_INTERNAL_ERROR, why);
		return;
	}
	handler_leaves(exchange);
	if (request->guide)
		response_fail(request, status, NULL, why);
	else
		downstream->events->on_refused(downstream->owner, request, status, why);
}

void
h2_exchange_closed(struct h2_exchange *exchange, const char *why)
{
	struct h2 *h2 = exchange->h2;

	if (exchange->is_closed)
		return;
	exchange->is_closed = true;
	exchange_cut(exchange, why);
	exchange->finished = true;
	h2_out_drop(exchange);
	h2_content_drop(exchange);
	list_remove(&exchange->work);
	list_remove(&exchange->node);
	list_add_last(&h2->over, &exchange->node);
	h2->open--;
	if (h2->reading == exchange) {
		h2->reading = NULL;
		h2->in_block = false;
	}
}

/* -- the head ------------------------------------------------------------------------------------------------------ */

/* RFC 9110 §8.6: without any, these say so where they go on. */
static bool
promises_content(enum http_method method)
{
	return method == HTTP_POST || method == HTTP_PUT || method == HTTP_PATCH;
}

static void
request_fill(struct h2_exchange *exchange, bool has_end)
{
	const struct h2_head *head = &exchange->head;
	struct request *request = &exchange->request;

	request->method = head->method;
	request->method_name = head->method_name;
	request->target = head->target;
	request->authority = head->authority;
	request->expects_continue = head->expects_continue;
	request->has_length = head->has_length || (has_end && promises_content(head->method));
	request->content_length = head->content_length;
	request->has_body = !has_end;
	exchange->continue_sent = !head->expects_continue || has_end;
}

/* RFC 9218 §4: what the client says of its importance; PRIORITY_UPDATE is nghttp2's. */
static void
priority_take(struct h2_exchange *exchange)
{
	struct request *request = &exchange->request;
	nghttp2_extpri extpri;

	if (!fields_have(&request->fields, FIELD_PRIORITY))
		return;
	h2_priority_parse(fields_joined(&request->fields, FIELD_PRIORITY, request->arena), &exchange->priority);
	extpri = (nghttp2_extpri){ .urgency = exchange->priority.urgency, .inc = exchange->priority.is_incremental };
	nghttp2_session_change_extpri_stream_priority(exchange->h2->session, exchange->stream_id, &extpri, 0);
}

static void
head_refuse(struct h2_exchange *exchange, unsigned status, const char *why)
{
	struct request *request = &exchange->request;

	/* Of HEAD this much must be known. */
	request->method = exchange->head.method;
	request->method_name = exchange->head.method_name;
	request->fields.count = 0;
	request->fields.seen = 0;
	h2_exchange_fail(exchange, status, why);
}

/* It would send back what proxies have added for the server alone (RFC 9110 §9.3.8). */
static void
trace_refuse(struct h2_exchange *exchange)
{
	fields_add(&exchange->request.response.fields, FIELD_ALLOW,
	    SPAN_OF("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
	h2_exchange_fail(exchange, 405, "TRACE is not supported");
}

static void
request_dispatch(struct h2_exchange *exchange)
{
	const struct h2_head *head = &exchange->head;
	struct downstream *downstream = exchange->h2->conn->downstream;
	const char *why;

	if (!head_complete(&exchange->request, &head->uri, head->host, downstream->settings.trusted_proxies, &why))
		h2_exchange_fail(exchange, 400, why);
	else if (exchange->request.method == HTTP_CONNECT)
		h2_exchange_fail(exchange, 501, "CONNECT is not supported");
	else if (exchange->request.method == HTTP_TRACE)
		trace_refuse(exchange);
	else
		downstream->events->on_request(downstream->owner, &exchange->request);
}

void
h2_exchange_dispatch(struct h2_exchange *exchange, bool has_end)
{
	enum h2_verdict verdict = h2_head_end(&exchange->head, has_end);
	struct conn *conn = exchange->h2->conn;

	if (verdict == H2_MALFORMED || verdict == H2_BOMB) {
		h2_exchange_reset(exchange, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	exchange->begun = true;
	conn->requests++;
	downstream_count_begin(conn->downstream);
	if (conn->downstream->settings.limits->keepalive_requests > 0 &&
	    conn->requests >= conn->downstream->settings.limits->keepalive_requests)
		h2_drain(conn);
	exchange->remote_ended = exchange->body_done = has_end;
	if (verdict == H2_REFUSED) {
		head_refuse(exchange, exchange->head.status, exchange->head.why);
		return;
	}
	request_fill(exchange, has_end);
	priority_take(exchange);
	request_dispatch(exchange);
}

/* -- what a turn does for it --------------------------------------------------------------------------------------- */

void
h2_exchange_work(struct h2_exchange *exchange)
{
	struct request *request = &exchange->request;

	list_remove(&exchange->work);
	if (exchange->broken && !exchange->finished)
		h2_exchange_gone(exchange, NGHTTP2_INTERNAL_ERROR, exchange->broken);
	if (exchange->wants_body && !exchange->body_done && request->has_body)
		h2_content_resume(exchange);
	if (exchange->paused && !exchange->finished && !exchange->is_sending) {
		exchange->paused = false;
		if (request->events && request->events->on_drained)
			request->events->on_drained(request);
	}
}
