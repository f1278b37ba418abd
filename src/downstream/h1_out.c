/*
 * The response on its way out: framing (RFC 9112 §6), the head laid down once, head and content in one system call, and
 * a queue only for what the socket did not take.
 */
#include "downstream/h1.h"

#include "base/put.h"
#include "codec/h1_write.h"
#include "http/date.h"
#include "http/status.h"
#include "store/slots.h"

#include <assert.h>

enum { EXTRA_MAX = 160, PIECES_MAX = 64, INFORMS_MAX = 32 };

static const char why_gone[] = "the client closed the connection";
static const char why_too_much[] = "more content than was announced";

static struct exchange *
exchange_of(struct request *request)
{
	return LIST_OWNER(request, struct exchange, request);
}

/* -- bytes --------------------------------------------------------------------------------------------------------- */

static void
wait_for_room(struct exchange *exchange)
{
	if (!timeout_is_armed(&exchange->send_timeout))
		timeout_arm(&exchange->send_timeout, exchange->conn->downstream->send_timeout);
	conn_update(exchange->conn);
}

/* Nothing reaches the client any more. The teardown waits until whoever is sending has returned. */
static void
exchange_break(struct exchange *exchange, const char *why)
{
	exchange->broken = true;
	if (exchange->request.why == NULL)
		exchange->request.why = why;
	conn_go_on(exchange->conn);
}

static size_t
pieces_length(const struct iovec *pieces, unsigned count)
{
	size_t length = 0;

	for (unsigned i = 0; i < count; i++)
		length += pieces[i].iov_len;
	return length;
}

/* Sends or queues. more: something follows at once. */
static void
bytes_send(struct exchange *exchange, const struct iovec *pieces, unsigned count, bool more)
{
	size_t sent = 0;

	if (exchange->broken || count == 0)
		return;
	if (out_is_empty(&exchange->out)) {
		enum stream_result result = stream_write(&exchange->conn->stream, pieces, count, more, &sent);

		if (result == STREAM_BROKEN) {
			exchange_break(exchange, why_gone);
			return;
		}
		if (sent == pieces_length(pieces, count))
			return;
	}
	out_add(&exchange->out, pieces, count, sent);
	wait_for_room(exchange);
}

static bool
has_room(struct exchange *exchange)
{
	bool room = !exchange->broken && out_waiting(&exchange->out) < CONN_OUT_HIGH && exchange->out.file_left == 0;

	if (!room)
		exchange->paused = true;
	return room;
}

/* -- the head ------------------------------------------------------------------------------------------------------ */

/* Whether what the client still sends would have to be read before the next request; if it is too much, we close. */
static bool
is_worth_discarding(const struct exchange *exchange)
{
	if (exchange->body_done || exchange->wants_body)
		return true;
	if (!exchange->continue_sent)
		return false;
	return exchange->body == H1_BODY_CHUNKED || exchange->body_left <= CONN_DISCARD_MAX;
}

static void
framing_decide(struct exchange *exchange)
{
	const struct response *response = &exchange->request.response;
	const struct conn *conn = exchange->conn;

	if (conn->downstream->draining || !is_worth_discarding(exchange) || (conn->read_ended && conn->held_len == 0))
		exchange->close_after = true;
	if (response->no_content || response->status == 101)
		return;
	if (response->has_length) {
		exchange->content_left = response->content_length;
	} else if (exchange->request.minor >= 1) {
		exchange->chunked_out = true;
	} else {
		exchange->until_close = true;
		exchange->close_after = true;
	}
}

/* A HEAD's answer says how long the GET's would be; 204 and 304 say nothing (RFC 9110 §8.6). */
static bool
says_length(const struct request *request)
{
	const struct response *response = &request->response;

	return response->has_length && http_status_has_content(response->status);
}

static struct span
extra_lines(struct exchange *exchange, char to[EXTRA_MAX])
{
	const struct request *request = &exchange->request;
	char *at = to;

	if (!request->response.keep_date) {
		at = put_span(at, SPAN_OF("Date: "));
		at = put_span(at, http_date_at(loop_wall_ms(exchange->conn->downstream->loop)));
		at = put_span(at, SPAN_OF("\r\n"));
	}
	if (says_length(request)) {
		at = put_span(at, SPAN_OF("Content-Length: "));
		at = put_number(at, request->response.content_length);
		at = put_span(at, SPAN_OF("\r\n"));
	} else if (exchange->chunked_out) {
		at = put_span(at, SPAN_OF("Transfer-Encoding: chunked\r\n"));
	}
	if (request->response.status == 101)
		at = put_span(at, SPAN_OF("Connection: upgrade\r\n"));
	else if (exchange->close_after)
		at = put_span(at, SPAN_OF("Connection: close\r\n"));
	else if (request->minor == 0)
		at = put_span(at, SPAN_OF("Connection: keep-alive\r\n"));
	return span_between(to, at);
}

static struct span
head_lay(struct exchange *exchange, struct span status_line, const struct fields *fields, struct span extra)
{
	size_t room = h1_head_size_max(status_line, fields) + extra.len;
	char *to = arena_alloc(&exchange->arena, room);
	size_t len = h1_head_write(to, room, status_line, fields, extra);

	assert(len > 0);
	return span_make(to, len);
}

static struct span
status_line_of(struct exchange *exchange, unsigned status)
{
	struct span line = http_status_line(status);

	if (line.len == 0)
		line = span_text(arena_format(&exchange->arena, "HTTP/1.1 %u \r\n", status));
	return line;
}

static void
h1_start(struct request *request)
{
	struct exchange *exchange = exchange_of(request);
	char extra[EXTRA_MAX];

	framing_decide(exchange);
	exchange->head = head_lay(exchange, status_line_of(exchange, request->response.status),
	    &request->response.fields, extra_lines(exchange, extra));
}

static void
continue_send(struct exchange *exchange)
{
	const struct iovec piece = span_iovec(SPAN_OF("HTTP/1.1 100 Continue\r\n\r\n"));

	if (exchange->continue_sent || exchange->request.state >= REQUEST_STARTED)
		return;
	exchange->continue_sent = true;
	bytes_send(exchange, &piece, 1, false);
}

static void
h1_inform(struct request *request, unsigned status, const struct fields *fields)
{
	struct exchange *exchange = exchange_of(request);
	struct iovec piece;

	if (status == 100)
		continue_send(exchange);
	/* HTTP/1.0 knows none; and as nobody has to have them, a client who does not read them gets no more. */
	if (status == 100 || request->minor == 0 || !out_is_empty(&exchange->out) || exchange->informed == INFORMS_MAX)
		return;
	exchange->informed++;
	piece = span_iovec(head_lay(exchange, status_line_of(exchange, status), fields, span_make(NULL, 0)));
	bytes_send(exchange, &piece, 1, false);
}

/* -- content ------------------------------------------------------------------------------------------------------- */

/* The head if it still waits, the chunk's frame, the pieces: one list for one system call. Returns the count. */
static unsigned
frame(struct exchange *exchange, const struct iovec *pieces, unsigned count, bool last,
    char chunk_head[H1_CHUNK_HEAD_MAX], struct iovec to[PIECES_MAX + 4])
{
	size_t length = pieces_length(pieces, count);
	unsigned n = 0;

	assert(count <= PIECES_MAX);
	if (exchange->head.len > 0)
		to[n++] = span_iovec(exchange->head);
	exchange->head.len = 0;
	if (exchange->request.response.no_content)
		return n;
	if (exchange->chunked_out && length > 0)
		to[n++] = span_iovec(span_make(chunk_head, h1_chunk_head_write(chunk_head, length)));
	for (unsigned i = 0; i < count; i++)
		if (pieces[i].iov_len > 0)
			to[n++] = pieces[i];
	if (exchange->chunked_out && last)
		to[n++] = span_iovec(length > 0 ? SPAN_OF("\r\n0\r\n\r\n") : SPAN_OF("0\r\n\r\n"));
	else if (exchange->chunked_out && length > 0)
		to[n++] = span_iovec(SPAN_OF("\r\n"));
	return n;
}

/* What a handler gives beyond the length it announced would be read as the next response: an error of ours or of an
 * upstream, and the end of this connection. */
static bool
content_fits(struct exchange *exchange, uint64_t length)
{
	const struct response *response = &exchange->request.response;

	if (response->no_content || !response->has_length || exchange->tunnel || response->status == 101)
		return true;
	if (length > exchange->content_left)
		return false;
	exchange->content_left -= length;
	return true;
}

static bool
h1_write(struct request *request, const struct iovec *pieces, unsigned count)
{
	struct exchange *exchange = exchange_of(request);
	struct iovec list[PIECES_MAX + 4];
	char chunk_head[H1_CHUNK_HEAD_MAX];

	if (!content_fits(exchange, pieces_length(pieces, count))) {
		exchange_break(exchange, why_too_much);
		return false;
	}
	bytes_send(exchange, list, frame(exchange, pieces, count, false, chunk_head, list), false);
	return has_room(exchange);
}

/* Bytes and file as far as the socket takes them. */
static void
out_go(struct exchange *exchange)
{
	size_t moved;
	enum stream_result result = out_flush(&exchange->out, &exchange->conn->stream, CONN_FILE_QUANTUM, &moved);

	if (result == STREAM_BROKEN || result == STREAM_END) {
		exchange_break(exchange, result == STREAM_END ? "the file became shorter" : why_gone);
		return;
	}
	if (result == STREAM_OK)
		timeout_disarm(&exchange->send_timeout);
	else if (moved > 0 || !timeout_is_armed(&exchange->send_timeout))
		timeout_arm(&exchange->send_timeout, exchange->conn->downstream->send_timeout);
	conn_update(exchange->conn);
}

static bool
h1_send_file(struct request *request, int fd, uint64_t offset, uint64_t length)
{
	struct exchange *exchange = exchange_of(request);
	struct iovec list[PIECES_MAX + 4];
	char chunk_head[H1_CHUNK_HEAD_MAX];
	bool skips = request->response.no_content;

	assert(!exchange->chunked_out && exchange->out.file_left == 0);	/* a file's length is known */
	if (!content_fits(exchange, length)) {
		exchange_break(exchange, why_too_much);
		return false;
	}
	bytes_send(exchange, list, frame(exchange, NULL, 0, false, chunk_head, list), !skips && length > 0);
	if (skips || exchange->broken)
		return has_room(exchange);
	out_add_file(&exchange->out, fd, offset, length);
	out_go(exchange);
	return has_room(exchange);
}

static void
h1_flush(struct request *request)
{
	struct exchange *exchange = exchange_of(request);
	struct iovec list[PIECES_MAX + 4];
	char chunk_head[H1_CHUNK_HEAD_MAX];

	bytes_send(exchange, list, frame(exchange, NULL, 0, false, chunk_head, list), false);
}

/* -- the end ------------------------------------------------------------------------------------------------------- */

/* The handler has given all. */
static void
finished(struct exchange *exchange)
{
	exchange->finished = true;
	exchange->request.events = NULL;
	if (exchange->content_left > 0 && !exchange->request.response.no_content) {
		/* Less than announced: the client must see that it is incomplete. */
		exchange->request.state = REQUEST_ABORTED;
		exchange->close_after = true;
		if (exchange->request.why == NULL)
			exchange->request.why = "less content than was announced";
	}
	if (exchange->broken) {
		exchange->request.state = REQUEST_ABORTED;
		exchange_end(exchange);
		return;
	}
	if (exchange->tunnel) {
		exchange->body_done = true;
		exchange->close_after = true;
	}
	exchange_complete(exchange);
}

static void
h1_finish_with(struct request *request, const struct iovec *pieces, unsigned count)
{
	struct exchange *exchange = exchange_of(request);
	struct iovec list[PIECES_MAX + 4];
	char chunk_head[H1_CHUNK_HEAD_MAX];

	if (content_fits(exchange, pieces_length(pieces, count)))
		bytes_send(exchange, list, frame(exchange, pieces, count, true, chunk_head, list), false);
	else
		exchange_break(exchange, why_too_much);
	finished(exchange);
}

static void
trailers_send(struct exchange *exchange, const struct fields *trailers)
{
	struct iovec list[PIECES_MAX + 4];
	char chunk_head[H1_CHUNK_HEAD_MAX];
	unsigned n = frame(exchange, NULL, 0, false, chunk_head, list);

	list[n++] = span_iovec(head_lay(exchange, SPAN_OF("0\r\n"), trailers, span_make(NULL, 0)));
	bytes_send(exchange, list, n, false);
}

static void
h1_finish(struct request *request, const struct fields *trailers)
{
	struct exchange *exchange = exchange_of(request);

	if (trailers && trailers->count > 0 && exchange->chunked_out) {
		trailers_send(exchange, trailers);
		finished(exchange);
	} else {
		h1_finish_with(request, NULL, 0);
	}
}

static void
h1_abort(struct request *request)
{
	struct exchange *exchange = exchange_of(request);

	request->events = NULL;
	exchange->finished = true;
	exchange->close_after = true;
	exchange_end(exchange);
}

/* -- the other direction's hooks ----------------------------------------------------------------------------------- */

/* Of content that there is none of. */
static void
tell_end(struct exchange *exchange)
{
	struct request *request = &exchange->request;

	if (exchange->end_told)
		return;
	exchange->end_told = true;
	if (request->events && request->events->on_body)
		request->events->on_body(request, span_make(NULL, 0), true);
}

static void
h1_want_body(struct request *request, bool want)
{
	struct exchange *exchange = exchange_of(request);
	struct conn *conn = exchange->conn;

	if (exchange->wants_body == want)
		return;
	exchange->wants_body = want;
	if (want && !request->has_body && !exchange->tunnel) {
		tell_end(exchange);
		return;
	}
	if (want && !exchange->body_done && !exchange->tunnel)
		continue_send(exchange);
	conn_go_on(conn);
}

static void
h1_upgrade(struct request *request)
{
	struct exchange *exchange = exchange_of(request);

	assert(exchange->body_done);	/* else its rest would be taken for the tunnel's first bytes */
	exchange->tunnel = true;
	request->response.no_content = false;
	exchange->body_done = false;
	exchange->close_after = true;
	h1_flush(request);
	conn_go_on(exchange->conn);
}

void
exchange_writable(struct exchange *exchange)
{
	struct request *request = &exchange->request;

	if (exchange->ended || exchange->broken)
		return;
	out_go(exchange);
	if (exchange->broken || !out_is_empty(&exchange->out))
		return;
	if (exchange->finished) {
		exchange_complete(exchange);
	} else if (exchange->paused) {
		exchange->paused = false;
		if (request->events && request->events->on_drained)
			request->events->on_drained(request);
	}
}

const struct transport h1_transport = {
	.name = "HTTP/1.1",
	.want_body = h1_want_body,
	.inform = h1_inform,
	.start = h1_start,
	.write = h1_write,
	.send_file = h1_send_file,
	.flush = h1_flush,
	.finish = h1_finish,
	.finish_with = h1_finish_with,
	.abort = h1_abort,
	.upgrade = h1_upgrade,
};
