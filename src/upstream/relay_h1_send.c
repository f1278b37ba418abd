/*
 * A request to an HTTP/1.1 server on its way out. The head leaves together with the first piece of content when that is
 * there already: one system call for a small request. What the socket does not take waits in relay->out, and the client
 * is stopped until it has left.
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

bool
relay_out_waits(const struct relay *relay)
{
	return relay->out.len > relay->out_sent;
}

void
relay_watch(struct relay *relay)
{
	unsigned reads = relay->reads_off ? 0 : WATCH_READ, writes = relay_out_waits(relay) ? WATCH_WRITE : 0;

	agent_socket_want(relay->socket, reads | writes);
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

void
relay_bytes_send(struct relay *relay, const struct iovec *pieces, unsigned count)
{
	size_t length = 0, sent = 0;

	if (relay->send_broken)
		return;
	for (unsigned i = 0; i < count; i++)
		length += pieces[i].iov_len;
	if (!relay_out_waits(relay)) {
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

	if (!relay->head_sent) {
		head_lay(relay);
		relay->is_chunked = relay->request->has_body && !relay->request->has_length;
		pieces[count++] = span_iovec(relay->head);
	}
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
		relay_bytes_send(relay, pieces, count);
}

static void
out_emptied(struct relay *relay)
{
	text_fini(&relay->out);
	relay->out_sent = 0;
	relay_watch(relay);
	if (relay->state == RELAY_TUNNEL)
		relay_tunnel_left(relay);
	relay_body_left(relay);
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
		if (!relay_out_waits(relay))
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

/* -- the socket ---------------------------------------------------------------------------------------------------- */

static void
socket_connected(void *owner, int error, const char *why)
{
	relay_connected(owner, error, why);
}

static void
socket_readable(void *owner)
{
	relay_readable(owner);
}

static void
socket_writable(void *owner)
{
	relay_writable(owner);
}

static const struct socket_events socket_events = {
	.on_connected	= socket_connected,
	.on_readable	= socket_readable,
	.on_writable	= socket_writable,
};

/* What cannot be repeated is not risked on a kept socket without a look. */
static enum borrow_result
socket_borrow(struct relay *relay)
{
	return agent_borrow(relay->peer->agent, relay->wants_fresh, !relay->may_repeat, &socket_events, relay,
	    &relay->socket);
}

static bool
socket_is_handshaking(const struct relay *relay)
{
	return relay->socket->is_handshaking;
}

static void
socket_resume(struct relay *relay)
{
	if (!relay->reads_off)
		return;
	relay->reads_off = false;
	relay_watch(relay);
}

static void
socket_let_go(struct relay *relay, bool is_reusable)
{
	struct agent_socket *socket = relay->socket;

	relay->socket = NULL;
	if (socket == NULL)
		return;
	if (is_reusable)
		agent_socket_give_back(socket);
	else
		agent_socket_close(socket);
}

const struct relay_wire relay_h1 = {
	.borrow		= socket_borrow,
	.send		= piece_send,
	.is_waiting	= relay_out_waits,
	.is_full	= relay_out_waits,
	.resume		= socket_resume,
	.is_handshaking	= socket_is_handshaking,
	.let_go		= socket_let_go,
};
