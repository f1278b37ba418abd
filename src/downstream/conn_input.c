/*
 * Bytes that arrive become request heads and content.
 *
 * They are read into the worker's shared buffer and used from there; what has to wait moves to conn->held. While a
 * request is in flight what follows it is pipelined input and waits its turn.
 *
 *	conn_readable ─▶ conn_consume ─▶ request_begin ─▶ on_request        one round for each complete head,
 *	                      └────────▶ content_feed  ─▶ on_body           or piece of content
 */
#include "downstream/conn.h"

#include "base/memory.h"
#include "downstream/h2.h"
#include "net/proxy_header.h"
#include "store/slots.h"

#include <assert.h>

enum {
	HELD_FIRST_ROOM = 256,
	TARGET_AT_MAX = 48,	/* bytes before a target: empty lines, the longest method, a space */
};

/* -- held input ---------------------------------------------------------------------------------------------------- */

/* Doubling from small: one who sends byte by byte neither costs a copy a byte nor holds more than he sent twice. */
static void
held_add(struct conn *conn, struct span bytes)
{
	size_t need = conn->held_len + bytes.len, room = conn->held_room > 0 ? conn->held_room : HELD_FIRST_ROOM;

	while (room < need)
		room *= 2;
	if (room > conn->held_room) {
		conn->held = memory_resize(conn->held, room);
		conn->held_room = (uint32_t)room;
	}
	memcpy(conn->held + conn->held_len, bytes.at, bytes.len);
	conn->held_len = (uint32_t)need;
}

static void
held_drop(struct conn *conn)
{
	memory_free(conn->held);
	conn->held = NULL;
	conn->held_len = 0;
	conn->held_room = 0;
	conn->searched = 0;
}

/* Keeps what was not used: of the held bytes when there are any, else of the shared buffer. */
static void
held_keep(struct conn *conn, struct span rest)
{
	if (rest.len == 0) {
		if (conn->held)
			held_drop(conn);
		return;
	}
	if (conn->held == NULL) {
		held_add(conn, rest);
	} else if (rest.at != conn->held) {
		memmove(conn->held, rest.at, rest.len);
		conn->held_len = (uint32_t)rest.len;
		conn->searched = 0;
	}
}

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

/* Not complete: is it at least the beginning of something that fits? The parser has seen to the limits. */
static void
head_wait(struct conn *conn, struct span rest)
{
	if (conn->state == CONN_IDLE && rest.len > 0) {
		conn_move(conn, CONN_HEAD);
		conn_arm(conn);
	}
}

/* False: the head is not complete. */
static bool
request_begin(struct conn *conn, struct span *rest_io)
{
	struct exchange *exchange = exchange_create(conn);
	struct request *request = &exchange->request;
	struct h1_request_head head = { 0 };
	size_t used = 0;

	switch (h1_request_parse(*rest_io, &conn->downstream->head_limits, &request->fields, &head, &used)) {
	case H1_AGAIN:
		exchange_release(exchange);
		head_wait(conn, *rest_io);
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

/* One piece, or nothing when the input is used up. */
static void
content_feed(struct exchange *exchange, struct span *rest_io)
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
content_is_wanted(const struct exchange *exchange)
{
	return !exchange->body_done && !exchange->desynced && (exchange->wants_body || exchange->finished);
}

/* The client has ended his side, and everything he sent has been used that can be for now. */
static void
input_over(struct conn *conn)
{
	struct exchange *exchange = conn->exchange;

	if (exchange == NULL) {
		conn_close(conn);
	} else if (!content_is_wanted(exchange)) {
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

/* -- one round after another --------------------------------------------------------------------------------------- */

/* The PROXY header, once. False: wait for more, or closed. */
static bool
proxy_header_take(struct conn *conn, struct span *rest_io)
{
	struct address source = { .any.sa_family = AF_UNSPEC };
	size_t used;

	switch (proxy_header_parse(*rest_io, &source, &used)) {
	case PROXY_HEADER_AGAIN:
		return false;
	case PROXY_HEADER_BAD:
		slot_add(&conn->downstream->slot->totals.connections_refused, 1);
		conn_close(conn);
		return false;
	case PROXY_HEADER_OK:
		break;
	}
	*rest_io = span_skip(*rest_io, used);
	if (address_is_set(&source)) {
		conn->peer = source;
		conn_name_client(conn);
	}
	conn_move(conn, conn->listener->tls ? CONN_HANDSHAKE : CONN_IDLE);
	conn_arm(conn);
	if (!conn_is_over_client_limit(conn))
		return true;
	slot_add(&conn->downstream->slot->totals.connections_refused, 1);
	conn_close(conn);
	return false;
}

/* RFC 9113 §3.4: who begins with these bytes speaks HTTP/2 in the clear. */
static const struct span h2_preface = SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

enum beginning { BEGINS_HTTP1, BEGINS_H2, BEGINS_UNKNOWN };

static enum beginning
beginning_of(const struct conn *conn, struct span bytes)
{
	size_t compared = bytes.len < h2_preface.len ? bytes.len : h2_preface.len;

	if (!conn->listener->h2c || conn->requests > 0 || stream_is_secure(&conn->stream) ||
	    !span_equal(span_first(bytes, compared), span_first(h2_preface, compared)))
		return BEGINS_HTTP1;
	return compared == h2_preface.len ? BEGINS_H2 : BEGINS_UNKNOWN;
}

/* The exchange is over: releases it, then closes or goes on. unread: more input than that of the exchange has come. */
static void
conn_settle(struct conn *conn, bool unread)
{
	struct exchange *exchange = conn->exchange;
	bool is_last = exchange->close_after || !exchange->body_done || (conn->read_ended && !unread);

	/* Content that was not read would be taken for the next request. */
	unread = unread || !exchange->body_done || exchange->tunnel;
	conn->cut = exchange_is_cut(exchange);
	exchange_release(exchange);
	conn->exchange = NULL;
	if (conn->cut || (is_last && (!unread || conn->read_ended))) {
		conn_close(conn);
	} else if (is_last) {
		conn_linger(conn);
	} else {
		conn_move(conn, CONN_IDLE);
		conn_arm(conn);
	}
}

/* What came behind the PROXY header is TLS's. */
static bool
handshake_begin(struct conn *conn, struct span *rest_io)
{
	struct span bytes = *rest_io;

	rest_io->len = 0;
	if (bytes.len > 0)
		conn_secure_with(conn, bytes);
	if (stream_is_secure(&conn->stream))
		conn_handshake(conn);
	return false;
}

static bool
protocol_begin(struct conn *conn, struct span *rest_io)
{
	switch (beginning_of(conn, *rest_io)) {
	case BEGINS_H2:
		h2_begin(conn, *rest_io);
		rest_io->len = 0;
		return false;
	case BEGINS_UNKNOWN:
		head_wait(conn, *rest_io);
		return false;
	case BEGINS_HTTP1:
		break;
	}
	if (conn->listener->http1 || stream_is_secure(&conn->stream))
		return request_begin(conn, rest_io);
	slot_add(&conn->downstream->slot->totals.connections_refused, 1);
	conn_close(conn);
	return false;
}

/* False when nothing more can be done with the input for now. */
static bool
conn_consume_step(struct conn *conn, struct span *rest_io)
{
	struct exchange *exchange = conn->exchange;

	if (exchange && exchange->broken)
		exchange_gone(exchange, "the client closed the connection");
	if (exchange && exchange->ended) {
		conn_settle(conn, rest_io->len > 0);
		return conn->state == CONN_IDLE;
	}
	if (exchange) {
		if (!content_is_wanted(exchange) || rest_io->len == 0)
			return false;
		content_feed(exchange, rest_io);
		exchange_complete(exchange);
		return true;
	}
	if (rest_io->len == 0)
		return false;
	if (conn->state == CONN_PROXY && !proxy_header_take(conn, rest_io))
		return false;
	if (conn->state == CONN_HANDSHAKE)
		return handshake_begin(conn, rest_io);
	return rest_io->len > 0 && protocol_begin(conn, rest_io);
}

static bool
conn_takes_input(const struct conn *conn)
{
	return conn->state != CONN_CLOSED && conn->state != CONN_LINGER && conn->state != CONN_H2;
}

static void
conn_consume(struct conn *conn, struct span rest)
{
	assert(!conn->consuming);
	conn->consuming = true;
	while (conn_takes_input(conn) && conn_consume_step(conn, &rest))
		;
	conn->consuming = false;
	if (conn->state == CONN_CLOSED)
		return;
	if (conn->state == CONN_LINGER)
		rest.len = 0;
	held_keep(conn, rest);
	if (conn->state == CONN_H2 || conn->state == CONN_HANDSHAKE) {
		conn_update(conn);
		return;
	}
	if (conn->read_ended)
		input_over(conn);
	if (conn->state == CONN_REQUEST)
		conn_arm(conn);
	conn_update(conn);
}

void
conn_resume(struct conn *conn)
{
	conn_consume(conn, span_make(conn->held, conn->held_len));
}

void
conn_go_on(struct conn *conn)
{
	const struct exchange *exchange = conn->exchange;

	if (conn->consuming || conn->state == CONN_CLOSED)
		return;
	if (conn->held_len > 0 || conn->read_ended || exchange->ended || exchange->broken) {
		loop_later(conn->downstream->loop, &conn->later);
		return;
	}
	conn_arm(conn);
	conn_update(conn);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

/* A client may end its side after its last request and still wait for the answers (RFC 9112 §9.6). */
static void
peer_ended(struct conn *conn)
{
	conn->read_ended = true;
	conn_consume(conn, span_make(conn->held, conn->held_len));
}

/* After a final answer: whatever comes is read and forgotten, so that the answer is not destroyed by a reset. */
static void
linger_read(struct conn *conn)
{
	size_t count;
	enum stream_result result = stream_read(&conn->stream, conn->downstream->buffer, conn->downstream->buffer_size,
	    &count);

	if (result == STREAM_END || result == STREAM_BROKEN)
		conn_close(conn);
}

/*
 * Byte by byte is linear: the parser starts again only when an end may have come, or a limit is passed. True: not yet.
 */
static bool
head_is_incomplete(const struct conn *conn)
{
	const struct h1_limits *limits = &conn->downstream->head_limits;

	if (conn->state != CONN_HEAD || conn->held_len > limits->header_size)
		return false;
	if (conn->searched <= limits->uri_size + TARGET_AT_MAX && conn->held_len > limits->uri_size + TARGET_AT_MAX)
		return false;
	return !h1_head_may_be_complete(span_make(conn->held, conn->held_len), conn->searched);
}

static void
input_arrived(struct conn *conn, struct span input)
{
	bool is_incomplete;

	if (conn->held_len > 0) {
		held_add(conn, input);
		is_incomplete = head_is_incomplete(conn);
		conn->searched = conn->held_len;
		if (is_incomplete)
			return;
		input = span_make(conn->held, conn->held_len);
	}
	conn_consume(conn, input);
}

/* What can only be held is read up to the bound of that. */
static size_t
room_for_input(const struct conn *conn)
{
	size_t room = conn->downstream->buffer_size;

	if (conn->exchange && !conn->exchange->ended && !content_is_wanted(conn->exchange) &&
	    CONN_HELD_MAX - conn->held_len < room)
		room = CONN_HELD_MAX - conn->held_len;
	return room;
}

void
conn_readable(struct conn *conn)
{
	char *buffer = conn->downstream->buffer;
	size_t count;

	if (conn->state == CONN_LINGER) {
		linger_read(conn);
		return;
	}
	switch (stream_read(&conn->stream, buffer, room_for_input(conn), &count)) {
	case STREAM_OK:
		input_arrived(conn, span_make(buffer, count));
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_END:
		peer_ended(conn);
		break;
	case STREAM_BROKEN:
		conn_close(conn);
		break;
	}
}
