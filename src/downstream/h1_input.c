/*
 * Bytes of HTTP/1 to a request head (RFC 9112 §2) and to the pieces of its content (§6).
 */
#include "downstream/h1.h"

#include "base/memory.h"

/* -- a head -------------------------------------------------------------------------------------------------------- */

static struct span
span_move(struct span from, ptrdiff_t distance)
{
	return from.at ? span_make(from.at + distance, from.len) : from;
}

/* The head's bytes move into the request's arena, and every span into them along. */
static void
head_keep(struct request *request, struct h1_request_head *head, struct span bytes)
{
	struct span kept = arena_copy(request->arena, bytes);
	ptrdiff_t distance = kept.at - bytes.at;

	for (uint32_t i = 0; i < request->fields.count; i++) {
		struct field *field = &request->fields.items[i];

		if (field->name.at >= bytes.at && field->name.at < bytes.at + bytes.len)
			field->name = span_move(field->name, distance);
		field->value = span_move(field->value, distance);
	}
	head->method_name = span_move(head->method_name, distance);
	head->target = span_move(head->target, distance);
	head->authority = span_move(head->authority, distance);
	head->host = span_move(head->host, distance);
	head->uri.query = span_move(head->uri.query, distance);
	if (head->uri.path.at >= bytes.at && head->uri.path.at < bytes.at + bytes.len)
		head->uri.path = span_move(head->uri.path, distance);	/* an absolute form's "/" may be ours */
}

static void
request_fill(struct exchange *exchange, const struct h1_request_head *head)
{
	struct request *request = &exchange->request;

	request->method = head->method;
	request->method_name = head->method_name;
	request->target = head->target;
	request->authority = head->authority;
	request->minor = head->minor;
	request->wants_upgrade = head->has_upgrade;
	request->expects_continue = head->expects_continue;
	request->has_length = head->body == H1_BODY_LENGTH || fields_have(&request->fields, FIELD_CONTENT_LENGTH);
	request->content_length = head->content_length;
	request->has_body = head->body == H1_BODY_CHUNKED || head->content_length > 0;
	exchange->body = request->has_body ? head->body : H1_BODY_NONE;
	exchange->body_left = head->content_length;
	exchange->body_done = !request->has_body;
	exchange->continue_sent = !head->expects_continue;
	exchange->close_after = !head->keep_alive;
	if (head->body == H1_BODY_CHUNKED)
		h1_chunked_init(&exchange->chunked, &request->trailers,
		    (uint32_t)exchange->conn->downstream->head_limits.header_size);
}

/* It would send back what proxies have added for the server alone (RFC 9110 §9.3.8). */
static void
trace_refuse(struct exchange *exchange)
{
	fields_add(&exchange->request.response.fields, FIELD_ALLOW,
	    SPAN_OF("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
	exchange_fail(exchange, 405, "TRACE is not supported");
}

static void
request_dispatch(struct exchange *exchange, const struct h1_request_head *head)
{
	struct conn *conn = exchange->conn;
	struct downstream *downstream = conn->downstream;
	const struct limits *limits = downstream->settings.limits;
	const char *why;

	conn->requests++;
	if (downstream->draining || (limits->keepalive_requests > 0 && conn->requests >= limits->keepalive_requests))
		exchange->close_after = true;
	if (!head_complete(&exchange->request, &head->uri, head->host, downstream->settings.trusted_proxies, &why))
		exchange_fail(exchange, 400, why);
	else if (exchange->request.method == HTTP_CONNECT)
		exchange_fail(exchange, 501, "CONNECT is not supported");
	else if (exchange->request.method == HTTP_TRACE)
		trace_refuse(exchange);
	else
		downstream->events->on_request(downstream->owner, &exchange->request);
}

bool
h1_begin(struct conn *conn, struct span *rest_io)
{
	struct exchange *exchange = exchange_create(conn);
	struct request *request = &exchange->request;
	struct h1_request_head head = { 0 };
	size_t used = 0;

	switch (h1_request_parse(*rest_io, &conn->downstream->head_limits, &request->fields, &head, &used)) {
	case H1_AGAIN:
		exchange_release(exchange);
		conn_await_head(conn);
		return false;
	case H1_BAD:
		exchange_begin(exchange);
		request->fields.count = 0;
		request->fields.seen = 0;
		exchange_fail(exchange, head.status, head.why);
		return true;
	case H1_OK:
		break;
	}
	exchange_begin(exchange);
	head_keep(request, &head, span_first(*rest_io, used));
	*rest_io = span_skip(*rest_io, used);
	request_fill(exchange, &head);
	request_dispatch(exchange, &head);
	return true;
}

/* -- content ------------------------------------------------------------------------------------------------------- */

static void
content_give(struct exchange *exchange, struct span piece, bool last)
{
	struct request *request = &exchange->request;

	if (exchange->finished || request->events == NULL) {
		exchange->body_done = last;
		exchange->discarded += piece.len;
		if (exchange->discarded > CONN_DISCARD_MAX)
			exchange->close_after = true;
		return;
	}
	request->bytes_in += piece.len;
	if (!exchange->tunnel && request->bytes_in > request->body_max) {
		exchange_fail(exchange, 413, "the content is larger than this route allows");
		return;
	}
	exchange->body_done = last;
	if (request->events->on_body)
		request->events->on_body(request, piece, last);
}

static void
content_feed_chunked(struct exchange *exchange, struct span *rest_io)
{
	struct span piece;

	switch (h1_chunked_read(&exchange->chunked, rest_io, &piece)) {
	case H1_CHUNK_DATA:
		content_give(exchange, piece, false);
		break;
	case H1_CHUNK_END:
		content_give(exchange, span_make(NULL, 0), true);
		break;
	case H1_CHUNK_BAD:
		exchange_fail(exchange, 400, exchange->chunked.why);
		break;
	case H1_CHUNK_AGAIN:
		break;
	}
}

void
h1_content_feed(struct exchange *exchange, struct span *rest_io)
{
	struct span piece = *rest_io;

	if (exchange->body == H1_BODY_CHUNKED && !exchange->tunnel) {
		content_feed_chunked(exchange, rest_io);
		return;
	}
	if (!exchange->tunnel) {
		piece = span_first(*rest_io, exchange->body_left < rest_io->len ? (size_t)exchange->body_left :
		    rest_io->len);
		exchange->body_left -= piece.len;
	}
	*rest_io = span_skip(*rest_io, piece.len);
	content_give(exchange, piece, !exchange->tunnel && exchange->body_left == 0);
}

bool
h1_content_is_wanted(const struct exchange *exchange)
{
	return !exchange->body_done && !exchange->desynced && (exchange->wants_body || exchange->finished);
}

void
h1_input_over(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	if (exchange == NULL) {
		conn_close(conn);
	} else if (!h1_content_is_wanted(exchange)) {
		return;
	} else if (exchange->tunnel) {
		content_give(exchange, span_make(NULL, 0), true);
	} else if (exchange->finished) {
		exchange->desynced = exchange->close_after = true;
		exchange_complete(exchange);
	} else {
		exchange_gone(exchange, "the client ended before its content did");
	}
}
