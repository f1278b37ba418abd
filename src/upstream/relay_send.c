/*
 * The request on its way out. The head leaves together with the first piece of content when that is there already:
 * one system call for a small request. What the socket does not take waits in relay->out, and the client is stopped
 * until it has left.
 *
 * A write that fails ends nothing: the server may have answered before it stopped reading. The read that follows tells.
 */
#include "upstream/relay_parts.h"

#include "base/put.h"
#include "codec/h1_write.h"

#include <assert.h>

enum {
	EXTRA_MAX = sizeof("Content-Length: 18446744073709551615\r\nConnection: upgrade, TE\r\nUpgrade: \r\n"),
	LINE_BUT_SPANS = sizeof("  HTTP/1.1\r\n"),
	PIECES = 5,
};

/* -- the head ------------------------------------------------------------------------------------------------------ */

/* RFC 9112 §6: one framing, ours. A length that the client gave is kept, even that of no content. */
static char *
put_framing(char *to, const struct relay *relay)
{
	const struct request *request = relay->request;

	if (request->has_body && !request->has_length)
		return put_span(to, SPAN_OF("Transfer-Encoding: chunked\r\n"));
	if (!request->has_length)
		return to;
	to = put_span(to, SPAN_OF("Content-Length: "));
	to = put_number(to, request->content_length);
	return put_span(to, SPAN_OF("\r\n"));
}

/* RFC 9110 §7.6.1: what holds for this hop only is named in Connection. */
static char *
put_connection(char *to, const struct relay *relay, struct span upgrade)
{
	bool has_te = fields_have(&relay->fields, FIELD_TE);

	if (!relay->may_upgrade)
		return has_te ? put_span(to, SPAN_OF("Connection: TE\r\n")) : to;
	to = put_span(to, has_te ? SPAN_OF("Connection: upgrade, TE\r\n") : SPAN_OF("Connection: upgrade\r\n"));
	to = put_span(to, SPAN_OF("Upgrade: "));
	to = put_span(to, upgrade);
	return put_span(to, SPAN_OF("\r\n"));
}

static char *
put_line(char *to, const struct relay *relay)
{
	static const struct span version = SPAN(" HTTP/1.1\r\n");

	to = put_span(to, relay->request->method_name);
	*to++ = ' ';
	if (relay->target.at[0] == '/')	/* not "*" */
		to = put_span(to, relay->head_path);
	to = put_span(to, relay->target);
	return put_span(to, version);
}

/* Once for all tries, unless their servers' URLs have different paths. */
static void
head_lay(struct relay *relay)
{
	static const struct span nothing = { "", 0 };
	const struct request *request = relay->request;
	struct span upgrade = nothing;
	size_t fields_room = h1_head_size_max(nothing, &relay->fields), line_room, room;
	char *to, *extra, *at;

	if (relay->head.len > 0 && span_equal(relay->head_path, relay->peer->path))
		return;
	relay->head_path = relay->peer->path;
	if (relay->may_upgrade)
		upgrade = fields_joined(&request->fields, FIELD_UPGRADE, request->arena);
	room = EXTRA_MAX + upgrade.len;
	line_room = LINE_BUT_SPANS + request->method_name.len + relay->head_path.len + relay->target.len;
	extra = arena_alloc(request->arena, room + line_room + fields_room + room);
	at = put_connection(put_framing(extra, relay), relay, upgrade);
	to = extra + room;
	relay->head = span_between(to, put_line(to, relay));
	relay->head.len += h1_head_write(to + relay->head.len, fields_room + room, nothing, &relay->fields,
	    span_between(extra, at));
}

/* -- bytes --------------------------------------------------------------------------------------------------------- */

static bool
is_waiting(const struct relay *relay)
{
	return relay->out.len > relay->out_sent;
}

void
relay_watch(struct relay *relay)
{
	agent_socket_want(relay->socket, (relay->reads_off ? 0 : WATCH_READ) | (is_waiting(relay) ? WATCH_WRITE : 0));
}

static void
out_add(struct relay *relay, const struct iovec *pieces, unsigned count, size_t skip)
{
	for (unsigned i = 0; i < count; i++) {
		size_t over = skip < pieces[i].iov_len ? skip : pieces[i].iov_len;

		text_add(&relay->out, span_make((const char *)pieces[i].iov_base + over, pieces[i].iov_len - over));
		skip -= over;
	}
}

static void
bytes_send(struct relay *relay, const struct iovec *pieces, unsigned count)
{
	size_t length = 0, sent = 0;

	if (relay->send_broken)
		return;
	for (unsigned i = 0; i < count; i++)
		length += pieces[i].iov_len;
	if (!is_waiting(relay)) {
		if (agent_socket_write(relay->socket, pieces, count, &sent) == STREAM_BROKEN) {
			relay->send_broken = true;
			return;
		}
		relay->ever_sent |= sent > 0;
		relay->try_sent += sent;
		if (sent == length)
			return;
	}
	out_add(relay, pieces, count, sent);
	relay_watch(relay);
}

/* -- content ------------------------------------------------------------------------------------------------------- */

static struct span
last_chunk(struct relay *relay)
{
	static const struct span zero = SPAN("0\r\n"), nothing = { "", 0 };
	const struct fields *trailers = &relay->request->trailers;
	size_t room;
	char *to;

	if (trailers->count == 0)
		return SPAN_OF("0\r\n\r\n");
	room = h1_head_size_max(zero, trailers);
	to = arena_alloc(relay->request->arena, room);
	return span_make(to, h1_head_write(to, room, zero, trailers, nothing));
}

/* The head unless it has left, then the piece in its frame. */
static void
piece_send(struct relay *relay, struct span piece, bool last)
{
	struct iovec pieces[PIECES];
	char chunk_head[H1_CHUNK_HEAD_MAX];
	unsigned count = 0;

	if (!relay->head_sent)
		pieces[count++] = span_iovec(relay->head);
	relay->head_sent = true;
	if (relay->is_chunked && piece.len > 0)
		pieces[count++] = span_iovec(span_make(chunk_head, h1_chunk_head_write(chunk_head, piece.len)));
	if (piece.len > 0)
		pieces[count++] = span_iovec(piece);
	if (relay->is_chunked && piece.len > 0)
		pieces[count++] = span_iovec(SPAN_OF("\r\n"));
	if (relay->is_chunked && last)
		pieces[count++] = span_iovec(last_chunk(relay));
	if (count > 0)
		bytes_send(relay, pieces, count);
}

bool
relay_is_sent(const struct relay *relay)
{
	return relay->head_sent && relay->body_ended && !relay->send_broken && !is_waiting(relay);
}

static void
body_keep(struct relay *relay, struct span piece)
{
	if (!relay->keeps_body)
		return;
	if (relay->replay.len + piece.len <= RELAY_REPLAY_MAX) {
		text_add(&relay->replay, piece);
		return;
	}
	relay->keeps_body = false;
	text_fini(&relay->replay);
}

/* Is it worth keeping what is sent? While nothing has been taken yet, or all of it is still here. */
static bool
should_keep(const struct relay *relay)
{
	return relay->may_repeat && relay->body_taken == relay->replay.len &&
	    (relay->upstream->options->retry.attempts > 0 || relay->is_reused);
}

void
relay_send(struct relay *relay)
{
	struct request *request = relay->request;

	head_lay(relay);
	relay->is_chunked = request->has_body && !request->has_length;
	relay->keeps_body = !relay->body_ended && should_keep(relay);
	if (relay->body_taken > 0 || relay->body_ended)
		piece_send(relay, text_span(&relay->replay), relay->body_ended);
	if (!relay->body_ended && !is_waiting(relay))
		request_want_body(request, true);
	if (relay->state != RELAY_SENT)
		return;
	if (!relay->head_sent)
		piece_send(relay, span_make(NULL, 0), false);
	relay_arm(relay);
}

static void
tunnel_send(struct relay *relay, struct span piece)
{
	struct iovec pieces[1] = { span_iovec(piece) };

	if (piece.len > 0)
		bytes_send(relay, pieces, 1);
	if (relay->body_ended && !is_waiting(relay))
		agent_socket_shutdown(relay->socket);
}

/* Stops the client while the server does not keep up, or takes no more. */
static void
client_hold(struct relay *relay)
{
	if (is_waiting(relay) || relay->send_broken)
		request_want_body(relay->request, false);
	relay_arm(relay);
}

/* Between two tries nothing can be sent: that piece waits for the next one. */
static void
piece_hold(struct relay *relay, struct span piece)
{
	if (relay->body_taken == relay->replay.len + piece.len)
		text_add(&relay->replay, piece);
}

void
relay_on_body(struct request *request, struct span piece, bool last)
{
	struct relay *relay = request->work;

	relay->body_taken += piece.len;
	relay->body_ended = last;
	switch (relay->state) {
	case RELAY_TUNNEL:
		tunnel_send(relay, piece);
		client_hold(relay);
		break;
	case RELAY_SENT:
	case RELAY_STREAMING:
		body_keep(relay, piece);
		piece_send(relay, piece, last);
		if (relay->send_broken && !relay->ever_sent && !relay->keeps_body)
			piece_hold(relay, piece);
		client_hold(relay);
		break;
	case RELAY_WAITING:
	case RELAY_CONNECTING:
		piece_hold(relay, piece);
		break;
	case RELAY_OVER:
	case RELAY_STATE_COUNT:
		break;
	}
}

static void
out_emptied(struct relay *relay)
{
	text_fini(&relay->out);
	relay->out_sent = 0;
	relay_watch(relay);
	if (relay->state == RELAY_TUNNEL && relay->body_ended)
		agent_socket_shutdown(relay->socket);
	if (!relay->body_ended)
		request_want_body(relay->request, true);
}

void
relay_writable(struct relay *relay)
{
	struct span rest = span_skip(text_span(&relay->out), relay->out_sent);
	struct iovec piece = span_iovec(rest);
	size_t sent;

	switch (agent_socket_write(relay->socket, &piece, 1, &sent)) {
	case STREAM_OK:
		relay->ever_sent = true;
		relay->try_sent += sent;
		relay->out_sent += sent;
		if (!is_waiting(relay))
			out_emptied(relay);
		break;
	case STREAM_AGAIN:
	case STREAM_END:
		return;
	case STREAM_BROKEN:
		relay->send_broken = true;
		text_fini(&relay->out);
		relay->out_sent = 0;
		relay_watch(relay);
		break;
	}
	if (relay->state != RELAY_OVER)
		relay_arm(relay);
}
