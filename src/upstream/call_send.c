/*
 * The request on its way out. The head leaves together with the first piece of content when that is there already: one
 * system call for a small request. What the socket does not take waits in call->out, and the client is stopped until it
 * has left.
 *
 * A write that fails ends nothing: the server may have answered before it stopped reading. The read that follows tells.
 */
#include "upstream/call_parts.h"

#include "codec/h1_write.h"

#include <assert.h>

enum { LENGTH_LINE_MAX = sizeof("Content-Length: 18446744073709551615\r\n"), PIECES = 5 };

static struct iovec
piece_of(struct span bytes)
{
	struct iovec piece = { .iov_len = bytes.len };

	memcpy(&piece.iov_base, &bytes.at, sizeof(piece.iov_base));	/* iovec has no const; sockets only read */
	return piece;
}

/* -- the head ------------------------------------------------------------------------------------------------------- */

static char *
put(char *to, struct span bytes)
{
	if (bytes.len > 0)
		memcpy(to, bytes.at, bytes.len);
	return to + bytes.len;
}

static char *
put_number(char *to, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return put(to, span_make(digits + at, sizeof(digits) - at));
}

/* RFC 9112 §6: one framing, ours. A length that the client gave is kept, even that of no content. */
static char *
put_framing(char *to, const struct call *call)
{
	const struct request *request = call->request;

	if (call->is_chunked)
		return put(to, SPAN_OF("Transfer-Encoding: chunked\r\n"));
	if (!request->has_length)
		return to;
	to = put(to, SPAN_OF("Content-Length: "));
	to = put_number(to, request->content_length);
	return put(to, SPAN_OF("\r\n"));
}

/* RFC 9110 §7.6.1: what holds for this hop only is named in Connection. */
static char *
put_connection(char *to, const struct call *call, const struct fields *fields, struct span upgrade)
{
	bool has_te = fields_have(fields, FIELD_TE);

	if (!call->may_upgrade)
		return has_te ? put(to, SPAN_OF("Connection: TE\r\n")) : to;
	to = put(to, has_te ? SPAN_OF("Connection: upgrade, TE\r\nUpgrade: ") : SPAN_OF("Connection: upgrade\r\nUpgrade: "));
	to = put(to, upgrade);
	return put(to, SPAN_OF("\r\n"));
}

void
call_lay_head(struct call *call, const struct call_head *head)
{
	static const struct span version = SPAN(" HTTP/1.1\r\n"), nothing = { "", 0 };
	struct request *request = call->request;
	struct span upgrade = call->may_upgrade ? fields_joined(&request->fields, FIELD_UPGRADE, request->arena) : nothing;
	size_t line = request->method_name.len + 1 + head->target.len + version.len;
	size_t extra_room = LENGTH_LINE_MAX + 64 + upgrade.len;
	size_t room = line + h1_head_size_max(nothing, head->fields) + extra_room;
	char *to = arena_alloc(request->arena, room + extra_room), *extra = to + room, *at = extra;

	call->is_chunked = request->has_body && !request->has_length;
	at = put_framing(at, call);
	at = put_connection(at, call, head->fields, upgrade);
	put(put(put(put(to, request->method_name), SPAN_OF(" ")), head->target), version);
	call->head = span_make(to, line +
	    h1_head_write(to + line, room - line, nothing, head->fields, span_between(extra, at)));
	assert(call->head.len > line);
}

/* -- bytes ---------------------------------------------------------------------------------------------------------- */

static bool
is_waiting(const struct call *call)
{
	return call->out.len > call->out_sent;
}

void
call_watch(struct call *call)
{
	agent_socket_want(call->socket, (call->reads_off ? 0 : WATCH_READ) | (is_waiting(call) ? WATCH_WRITE : 0));
}

static void
out_add(struct call *call, const struct iovec *pieces, unsigned count, size_t skip)
{
	for (unsigned i = 0; i < count; i++) {
		size_t over = skip < pieces[i].iov_len ? skip : pieces[i].iov_len;

		text_add(&call->out, span_make((const char *)pieces[i].iov_base + over, pieces[i].iov_len - over));
		skip -= over;
	}
}

static void
bytes_send(struct call *call, const struct iovec *pieces, unsigned count)
{
	size_t length = 0, sent = 0;

	if (call->send_broken)
		return;
	for (unsigned i = 0; i < count; i++)
		length += pieces[i].iov_len;
	if (!is_waiting(call)) {
		if (stream_write(&call->socket->stream, pieces, count, false, &sent) == STREAM_BROKEN) {
			call->send_broken = true;
			return;
		}
		call->ever_sent |= sent > 0;
		if (sent == length)
			return;
	}
	out_add(call, pieces, count, sent);
	call_watch(call);
}

/* -- content -------------------------------------------------------------------------------------------------------- */

static struct span
last_chunk(struct call *call)
{
	static const struct span zero = SPAN("0\r\n"), nothing = { "", 0 };
	const struct fields *trailers = &call->request->trailers;
	size_t room;
	char *to;

	if (trailers->count == 0)
		return SPAN_OF("0\r\n\r\n");
	room = h1_head_size_max(zero, trailers);
	to = arena_alloc(call->request->arena, room);
	return span_make(to, h1_head_write(to, room, zero, trailers, nothing));
}

/* The head unless it has left, then the piece in its frame. */
static void
piece_send(struct call *call, struct span piece, bool last)
{
	struct iovec pieces[PIECES];
	char chunk_head[H1_CHUNK_HEAD_MAX];
	unsigned count = 0;

	if (!call->head_sent)
		pieces[count++] = piece_of(call->head);
	call->head_sent = true;
	if (call->is_chunked && piece.len > 0)
		pieces[count++] = piece_of(span_make(chunk_head, h1_chunk_head_write(chunk_head, piece.len)));
	if (piece.len > 0)
		pieces[count++] = piece_of(piece);
	if (call->is_chunked && piece.len > 0)
		pieces[count++] = piece_of(SPAN_OF("\r\n"));
	if (call->is_chunked && last)
		pieces[count++] = piece_of(last_chunk(call));
	if (count > 0)
		bytes_send(call, pieces, count);
}

bool
call_is_sent(const struct call *call)
{
	return call->head_sent && call->body_ended && !call->send_broken && !is_waiting(call);
}

static void
body_keep(struct call *call, struct span piece)
{
	if (!call->keeps_body)
		return;
	if (call->replay.len + piece.len <= CALL_REPLAY_MAX) {
		text_add(&call->replay, piece);
		return;
	}
	call->keeps_body = false;
	text_fini(&call->replay);
}

/* Is it worth keeping what is sent? While nothing has been taken yet, or all of it is still here. */
static bool
should_keep(const struct call *call)
{
	return call->may_repeat && call->body_taken == call->replay.len &&
	    (call->upstream->options->retry.attempts > 0 || call->is_reused);
}

void
call_send(struct call *call)
{
	struct request *request = call->request;

	call->keeps_body = !call->body_ended && should_keep(call);
	if (call->body_taken > 0 || call->body_ended) {
		piece_send(call, text_span(&call->replay), call->body_ended);
	}
	if (!call->body_ended && !is_waiting(call))
		request_want_body(request, true);
	if (call->state != CALL_SENT)
		return;
	if (!call->head_sent)
		piece_send(call, span_make(NULL, 0), false);
	call_arm(call);
}

static void
tunnel_send(struct call *call, struct span piece)
{
	struct iovec pieces[1] = { piece_of(piece) };

	if (piece.len > 0)
		bytes_send(call, pieces, 1);
	if (call->body_ended && !is_waiting(call))
		stream_shutdown(&call->socket->stream);
}

/* Stops the client while the server does not keep up, or takes no more. */
static void
client_hold(struct call *call)
{
	if (is_waiting(call) || call->send_broken)
		request_want_body(call->request, false);
	call_arm(call);
}

/* Between two tries nothing can be sent: that piece waits for the next one. */
static void
piece_hold(struct call *call, struct span piece)
{
	if (call->body_taken == call->replay.len + piece.len)
		text_add(&call->replay, piece);
}

void
call_on_body(struct request *request, struct span piece, bool last)
{
	struct call *call = request->work;

	call->body_taken += piece.len;
	call->body_ended = last;
	switch (call->state) {
	case CALL_TUNNEL:
		tunnel_send(call, piece);
		client_hold(call);
		break;
	case CALL_SENT:
	case CALL_STREAMING:
		body_keep(call, piece);
		piece_send(call, piece, last);
		if (call->send_broken && !call->ever_sent && !call->keeps_body)
			piece_hold(call, piece);
		client_hold(call);
		break;
	case CALL_WAITING:
	case CALL_CONNECTING:
		piece_hold(call, piece);
		break;
	case CALL_OVER:
	case CALL_STATE_COUNT:
		break;
	}
}

static void
out_emptied(struct call *call)
{
	text_fini(&call->out);
	call->out_sent = 0;
	call_watch(call);
	if (call->state == CALL_TUNNEL && call->body_ended)
		stream_shutdown(&call->socket->stream);
	if (!call->body_ended)
		request_want_body(call->request, true);
}

void
call_writable(struct call *call)
{
	struct span rest = span_skip(text_span(&call->out), call->out_sent);
	struct iovec piece = piece_of(rest);
	size_t sent;

	switch (stream_write(&call->socket->stream, &piece, 1, false, &sent)) {
	case STREAM_OK:
		call->ever_sent = true;
		call->out_sent += sent;
		if (!is_waiting(call))
			out_emptied(call);
		break;
	case STREAM_AGAIN:
	case STREAM_END:
		return;
	case STREAM_BROKEN:
		call->send_broken = true;
		text_fini(&call->out);
		call->out_sent = 0;
		call_watch(call);
		break;
	}
	if (call->state != CALL_OVER)
		call_arm(call);
}
