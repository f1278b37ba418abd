/*
 * A request's content on its way to the handler: from the bytes that were read as they come; what it does not want yet is
 * held, and the windows stay shut by as much (RFC 9113 §5.2): a connection never holds more than its window.
 */
#include "downstream/h2_exchange.h"

enum { PIECE_MAX = 64 * 1024, LINGER_MS = 1000 };

/* What is held was not wanted: its room in the connection's window is the others'. */
static void
held_drop(struct h2_exchange *exchange)
{
	size_t left = exchange->held.len - exchange->held_given;

	if (left > 0) {
		nghttp2_session_consume(exchange->h2->session, exchange->stream_id, left);
		h2_schedule(exchange->h2);
	}
	text_fini(&exchange->held);
	exchange->held_given = 0;
}

void
h2_content_drop(struct h2_exchange *exchange)
{
	timeout_disarm(&exchange->body_timeout);
	if (exchange->held.len > 0)
		held_drop(exchange);
}

/* Nobody hears of it any more. What comes before a handler has the request is held. */
static bool
is_discarding(const struct h2_exchange *exchange)
{
	return exchange->finished || (exchange->wants_body && exchange->request.events == NULL);
}

void
h2_content_stop(struct h2_exchange *exchange)
{
	if (exchange->is_reset || exchange->remote_ended)
		return;
	exchange->is_reset = true;
	nghttp2_submit_rst_stream(exchange->h2->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_NO_ERROR);
	h2_schedule(exchange->h2);
}

/*
 * RFC 9113 §8.1: an answer that is complete before the request may ask the client to stop. Not at once: curl forgets an
 * answer when the reset comes while it still sends. As with HTTP/1 the rest is read for a while, and not without end.
 */
void
h2_content_linger(struct h2_exchange *exchange)
{
	if (exchange->request.response.status == 408) {	/* it was waited for long enough */
		h2_content_stop(exchange);
		return;
	}
	exchange->lingering = true;
	timeout_arm(&exchange->body_timeout, timeout_class_for(exchange->h2->conn->downstream->loop, LINGER_MS));
}

static void
content_discard(struct h2_exchange *exchange, size_t count)
{
	nghttp2_session_consume(exchange->h2->session, exchange->stream_id, count);
	exchange->discarded += count;
	if (exchange->lingering && exchange->discarded > CONN_DISCARD_MAX)
		h2_content_stop(exchange);
}

static void
body_arm(struct h2_exchange *exchange)
{
	struct downstream *downstream = exchange->h2->conn->downstream;
	uint64_t own_ms = exchange->request.body_timeout_ms;

	if (exchange->lingering)
		return;	/* then the timeout is h2_content_linger()'s */
	if (exchange->wants_body && !exchange->remote_ended && !is_discarding(exchange))
		timeout_arm(&exchange->body_timeout, own_ms > 0 ? timeout_class_for(downstream->loop, own_ms) :
		    downstream->body_timeout);
	else
		timeout_disarm(&exchange->body_timeout);
}

static void
consume(struct h2_exchange *exchange, size_t count)
{
	nghttp2_session_consume(exchange->h2->session, exchange->stream_id, count);
}

static void
content_give(struct h2_exchange *exchange, struct span piece)
{
	struct request *request = &exchange->request;

	consume(exchange, piece.len);
	request->bytes_in += piece.len;
	if (request->bytes_in > request->body_max)
		h2_exchange_fail(exchange, 413, "the content is larger than this route allows");
	else if (request->events->on_body)
		request->events->on_body(request, piece, false);
}

static void
content_give_end(struct h2_exchange *exchange)
{
	struct request *request = &exchange->request;

	if (exchange->body_done)
		return;
	exchange->body_done = true;
	timeout_disarm(&exchange->body_timeout);
	if (!is_discarding(exchange) && request->events->on_body)
		request->events->on_body(request, span_make(NULL, 0), true);
}

/* Held content, as long as it is wanted. It moves away first: whoever hears a piece may end the exchange. */
static void
held_give(struct h2_exchange *exchange)
{
	struct text held = exchange->held;
	size_t given = exchange->held_given;

	text_init(&exchange->held);
	exchange->held_given = 0;
	while (given < held.len && exchange->wants_body && !is_discarding(exchange)) {
		struct span piece = span_first(span_skip(text_span(&held), given), PIECE_MAX);

		given += piece.len;
		content_give(exchange, piece);
	}
	if (given < held.len && !is_discarding(exchange)) {
		exchange->held = held;
		exchange->held_given = given;
		return;
	}
	if (given < held.len)
		consume(exchange, held.len - given);
	text_fini(&held);
}

void
h2_content_resume(struct h2_exchange *exchange)
{
	held_give(exchange);
	if (exchange->wants_body && exchange->held.len == 0 && exchange->remote_ended)
		content_give_end(exchange);
	body_arm(exchange);
}

static void
content_malformed(struct h2_exchange *exchange, const char *why)
{
	h2_exchange_gone(exchange, NGHTTP2_PROTOCOL_ERROR, why);
}

void
h2_content_take(struct h2_exchange *exchange, struct span piece)
{
	exchange->content_in += piece.len;
	if (exchange->request.has_length && exchange->content_in > exchange->request.content_length) {
		consume(exchange, piece.len);
		content_malformed(exchange, "more content than its Content-Length says");
	} else if (is_discarding(exchange)) {
		content_discard(exchange, piece.len);
	} else if (exchange->wants_body && exchange->held.len == 0) {
		content_give(exchange, piece);
		body_arm(exchange);
	} else {
		text_add(&exchange->held, piece);
	}
}

void
h2_content_end(struct h2_exchange *exchange)
{
	exchange->remote_ended = true;
	if (exchange->request.has_length && exchange->content_in != exchange->request.content_length) {
		content_malformed(exchange, "less content than its Content-Length says");
		return;
	}
	if (is_discarding(exchange))
		exchange->body_done = true;
	else if (exchange->wants_body && exchange->held.len == 0)
		content_give_end(exchange);
	else
		timeout_disarm(&exchange->body_timeout);
}

/* A request without content has its end told at once, once. */
static void
tell_end(struct h2_exchange *exchange)
{
	struct request *request = &exchange->request;

	if (exchange->end_told)
		return;
	exchange->end_told = true;
	if (request->events && request->events->on_body)
		request->events->on_body(request, span_make(NULL, 0), true);
}

void
h2_content_want(struct h2_exchange *exchange, bool want)
{
	if (exchange->wants_body == want)
		return;
	exchange->wants_body = want;
	if (want && !exchange->request.has_body) {
		tell_end(exchange);
		return;
	}
	if (want && exchange->content_in == 0 && !exchange->remote_ended)
		h2_out_continue(exchange);
	if (want && !exchange->body_done && (exchange->held.len > 0 || exchange->remote_ended))
		h2_exchange_add_work(exchange);
	body_arm(exchange);
}
