/*
 * Bytes that arrive become requests and content, by whatever protocol they are.
 *
 * They are read into the worker's shared buffer and used from there; what has to wait moves to conn->held. While a
 * request is in flight what follows it is pipelined input and waits its turn.
 *
 *	conn_readable ─▶ conn_consume ─▶ h1_begin ─▶ on_request             one round for each complete head,
 *	                      └────────▶ h1_content_feed ─▶ on_body           or piece of content
 */
#include "downstream/conn.h"

#include "base/memory.h"
#include "downstream/h1.h"
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

/* -- one round after another --------------------------------------------------------------------------------------- */

void
conn_await_head(struct conn *conn)
{
	if (conn->state != CONN_IDLE)
		return;
	conn_move(conn, CONN_HEAD);
	conn_arm(conn);
}

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

static const struct span told_to_use_http2 = SPAN(
	"HTTP/1.1 505 HTTP Version Not Supported\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n"
	"Content-Length: 58\r\n"
	"Connection: close\r\n"
	"\r\n"
	"This port speaks HTTP/2 alone, with prior knowledge of it\n");

static bool
protocol_begin(struct conn *conn, struct span *rest_io)
{
	switch (beginning_of(conn, *rest_io)) {
	case BEGINS_H2:
		h2_begin(conn, *rest_io);
		rest_io->len = 0;
		return false;
	case BEGINS_UNKNOWN:
		conn_await_head(conn);
		return false;
	case BEGINS_HTTP1:
		break;
	}
	/* A connection that stands keeps what it began with, whatever a reload has made of the port since. */
	if (conn->listener->http1 || conn->requests > 0 || stream_is_secure(&conn->stream))
		return h1_begin(conn, rest_io);
	slot_add(&conn->downstream->slot->totals.connections_refused, 1);
	conn_say_last(conn, told_to_use_http2);
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
		if (!h1_content_is_wanted(exchange) || rest_io->len == 0)
			return false;
		h1_content_feed(exchange, rest_io);
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
		h1_input_over(conn);
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

	if (conn->exchange && !conn->exchange->ended && !h1_content_is_wanted(conn->exchange) &&
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
