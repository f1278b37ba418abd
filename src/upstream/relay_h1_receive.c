/*
 * A response of an HTTP/1.1 server on its way back. Bytes are read into the worker's one buffer, decoded where they lie
 * and handed to the client's side as pieces; head and content that arrive together leave together.
 *
 * Nothing is passed on before all that has come was found to be well framed, so that a response which breaks in its
 * first bytes can still become a 502.
 */
#include "upstream/relay_parts.h"

#include <assert.h>

enum { PIECES_MAX = 60, JOINED_MAX = 2048, TRAILERS_BYTES_MAX = 16 * 1024 };

static const struct h1_limits head_limits = { .header_size = RELAY_HEAD_MAX, .header_count = RELAY_FIELDS_MAX };

/* A head as it was parsed, while its bytes still lie in the buffer. */
struct answer {
	struct h1_response_head	head;
	struct fields		fields;
	struct relay_answer	told;
};

/* -- content ------------------------------------------------------------------------------------------------------- */

enum body_step { BODY_PIECE, BODY_MORE, BODY_END, BODY_BAD };

static enum body_step
chunked_next(struct relay *relay, struct span *rest_io, struct span *piece_out)
{
	switch (h1_chunked_read(&relay->chunked, rest_io, piece_out)) {
	case H1_CHUNK_DATA:
		return BODY_PIECE;
	case H1_CHUNK_AGAIN:
		return BODY_MORE;
	case H1_CHUNK_END:
		return BODY_END;
	case H1_CHUNK_BAD:
		break;
	}
	return BODY_BAD;
}

static enum body_step
length_next(struct relay *relay, struct span *rest_io, struct span *piece_out)
{
	if (relay->body_left == 0)
		return BODY_END;
	if (rest_io->len == 0)
		return BODY_MORE;
	*piece_out = span_first(*rest_io, relay->body_left < rest_io->len ? (size_t)relay->body_left : rest_io->len);
	*rest_io = span_skip(*rest_io, piece_out->len);
	relay->body_left -= piece_out->len;
	return BODY_PIECE;
}

static enum body_step
body_next(struct relay *relay, struct span *rest_io, struct span *piece_out)
{
	switch (relay->body) {
	case H1_BODY_CHUNKED:
		return chunked_next(relay, rest_io, piece_out);
	case H1_BODY_LENGTH:
		return length_next(relay, rest_io, piece_out);
	case H1_BODY_UNTIL_CLOSE:
		if (rest_io->len == 0)
			return BODY_MORE;
		*piece_out = *rest_io;
		*rest_io = span_skip(*rest_io, rest_io->len);
		return BODY_PIECE;
	case H1_BODY_NONE:
		break;
	}
	return BODY_END;
}

struct pieces {
	struct iovec	items[PIECES_MAX];
	unsigned	count;
};

/*
 * Small chunks move up to the piece before them, over the framing between: the buffer is ours, and a system call takes
 * only so many pieces.
 */
static bool
piece_join(struct pieces *pieces, struct span piece)
{
	struct iovec *last;

	if (pieces->count == 0 || piece.len > JOINED_MAX)
		return false;
	last = &pieces->items[pieces->count - 1];
	memmove((char *)last->iov_base + last->iov_len, piece.at, piece.len);
	last->iov_len += piece.len;
	return true;
}

static void
pieces_add(struct pieces *pieces, struct span piece)
{
	if (!piece_join(pieces, piece))
		pieces->items[pieces->count++] = span_iovec(piece);
}

/* The head first, if it has not gone over yet. */
static void
response_begin(struct relay *relay, const struct answer *answer)
{
	if (relay->request->state >= REQUEST_STARTED)
		return;
	assert(answer != NULL);	/* a relay that streams has started its response */
	relay_fill(relay, &answer->told);
	response_start(relay->request);
}

/* False: the relay is over. */
static bool
pieces_pass(struct relay *relay, const struct answer *answer, struct pieces *pieces)
{
	bool is_first = relay->request->state < REQUEST_STARTED;

	response_begin(relay, answer);
	if (pieces->count > 0)
		relay->is_paused = !response_write(relay->request, pieces->items, pieces->count);
	else if (is_first)
		response_flush(relay->request);
	pieces->count = 0;
	return relay->state != RELAY_OVER;
}

/* Bytes behind the end belong to nothing that was asked for: such a socket is not used again. */
static void
response_complete(struct relay *relay, const struct answer *answer, const struct pieces *pieces, bool has_excess)
{
	bool is_reusable = relay->keep_alive && !has_excess && relay_is_sent(relay);

	response_begin(relay, answer);
	relay_complete(relay, pieces->items, pieces->count, is_reusable);
}

/* answer NULL: the head has gone over. */
static void
take_body(struct relay *relay, struct span rest, const struct answer *answer)
{
	struct pieces pieces = { .count = 0 };
	enum body_step step;
	struct span piece;

	while ((step = body_next(relay, &rest, &piece)) == BODY_PIECE) {
		pieces_add(&pieces, piece);
		if (pieces.count == PIECES_MAX && !pieces_pass(relay, answer, &pieces))
			return;
	}
	switch (step) {
	case BODY_MORE:
		if (pieces_pass(relay, answer, &pieces))
			relay_arm(relay);
		break;
	case BODY_END:
		response_complete(relay, answer, &pieces, rest.len > 0);
		break;
	case BODY_BAD:
		relay_failed(relay, 0, 502, relay->chunked.why);
		break;
	case BODY_PIECE:
		assert(!"the loop takes all pieces");
	}
}

/* -- the final head ------------------------------------------------------------------------------------------------ */

static void
body_expect(struct relay *relay, const struct h1_response_head *head)
{
	relay->body = head->body;
	relay->body_left = head->content_length;
	relay->keep_alive = head->keep_alive;
	if (head->body == H1_BODY_CHUNKED) {
		fields_init(&relay->trailers, relay->request->arena, NULL, 0);
		h1_chunked_init(&relay->chunked, &relay->trailers, TRAILERS_BYTES_MAX);
	}
}

static void
final_head(struct relay *relay, const struct answer *answer, struct span rest)
{
	if (fields_have(&answer->fields, FIELD_KEEP_ALIVE))
		agent_hear_keep_alive(relay->peer->agent, fields_value(&answer->fields, FIELD_KEEP_ALIVE));
	if (!relay_take_head(relay, &answer->told))
		return;
	body_expect(relay, &answer->head);
	text_fini(&relay->partial);
	take_body(relay, rest, answer);
}

static void
upgraded(struct relay *relay, const struct answer *answer, struct span rest)
{
	if (!relay->may_upgrade || !relay_is_sent(relay)) {
		relay_failed(relay, 0, 502, "it switches protocols though nobody asked for that");
		return;
	}
	text_fini(&relay->partial);
	relay_tunnel_begin(relay, &answer->told, rest);
}

/* -- bytes --------------------------------------------------------------------------------------------------------- */

static void
partial_keep(struct relay *relay, struct span rest)
{
	size_t held = rest.at == relay->world->buffer ? relay->partial.len : 0;

	if (held == 0)
		text_clear(&relay->partial);
	text_add(&relay->partial, span_skip(rest, held));
	relay->searched = rest.len;
}

/* True: the head's end has not come. */
static bool
is_known_incomplete(const struct relay *relay, struct span bytes)
{
	return relay->searched > 0 && bytes.len < RELAY_HEAD_MAX && !h1_head_may_be_complete(bytes, relay->searched);
}

static void
answer_tell(struct answer *answer, struct span bytes)
{
	answer->told = (struct relay_answer){
		.status = answer->head.status,
		.has_length = answer->head.has_content_length && answer->head.status >= 200,
		.content_length = answer->head.content_length,
		.fields = &answer->fields,
		.bytes = bytes,
		.via = answer->head.minor == 0 ? SPAN_OF("1.0 reeve") : SPAN_OF("1.1 reeve"),
	};
}

static void
take_head(struct relay *relay, struct span rest)
{
	struct upstream_world *world = relay->world;
	struct answer answer;
	size_t used;

	if (is_known_incomplete(relay, rest)) {
		partial_keep(relay, rest);
		return;
	}
	for (;;) {
		fields_init(&answer.fields, relay->request->arena, world->fields_room, WORLD_FIELDS_ROOM);
		switch (h1_response_parse(rest, relay->request->method, &head_limits, &answer.fields, &answer.head,
		    &used)) {
		case H1_AGAIN:
			partial_keep(relay, rest);
			return;
		case H1_BAD:
			relay_failed(relay, 0, 502, answer.head.why);
			return;
		case H1_OK:
			break;
		}
		answer_tell(&answer, span_first(rest, used));
		rest = span_skip(rest, used);
		if (answer.head.status >= 200 || answer.head.status == 101)
			break;
		if (!relay_inform(relay, answer.head.status, &answer.fields))
			return;
	}
	if (answer.head.status == 101)
		upgraded(relay, &answer, rest);
	else
		final_head(relay, &answer, rest);
}

static void
take_bytes(struct relay *relay, struct span bytes)
{
	switch (relay->state) {
	case RELAY_SENT:
		take_head(relay, bytes);
		break;
	case RELAY_STREAMING:
		take_body(relay, bytes, NULL);
		break;
	case RELAY_TUNNEL:
		relay_tunnel_take(relay, bytes);
		break;
	case RELAY_WAITING:
	case RELAY_CONNECTING:
	case RELAY_OVER:
	case RELAY_STATE_COUNT:
		assert(!"no socket, no bytes");
	}
}

/* When nothing of the request was taken, it never left: then even what may not happen twice is sent again. */
static void
unread_look(struct relay *relay)
{
	uint64_t unread = agent_socket_unread(relay->socket);

	relay->was_unread = unread > 0;
	if (unread != UINT64_MAX && unread >= relay->try_sent)
		relay->ever_sent = relay->sent_before;
}

static void
server_ended(struct relay *relay)
{
	static const struct pieces nothing = { .count = 0 };

	switch (relay->state) {
	case RELAY_TUNNEL:
		response_finish(relay_end(relay), NULL);
		break;
	case RELAY_STREAMING:
		if (relay->body == H1_BODY_UNTIL_CLOSE)
			response_complete(relay, NULL, &nothing, false);
		else
			relay_failed(relay, RETRY_RESET, 502, "it closed the connection in the middle of the content");
		break;
	default:
		unread_look(relay);
		relay_failed(relay, RETRY_RESET, 502, relay->has_heard
		    ? "it closed the connection in the middle of the head"
		    : "it closed the connection without an answer");
		break;
	}
}

/* A tunnel whose one side has broken off is over for the other, too. */
static void
server_broke(struct relay *relay, const char *why)
{
	relay->was_unread = true;	/* a reset, not an end: something of ours was refused */
	if (relay->state == RELAY_TUNNEL)
		response_abort(relay_end(relay), why);
	else
		relay_failed(relay, RETRY_RESET, 502, why);
}

void
relay_readable(struct relay *relay)
{
	char *buffer = relay->world->buffer;
	size_t held = relay->partial.len;
	size_t count;

	if (relay->is_paused) {
		relay->reads_off = true;
		relay_watch(relay);
		return;
	}
	assert(held < WORLD_BUFFER_SIZE);
	switch (agent_socket_read(relay->socket, buffer + held, WORLD_BUFFER_SIZE - held, &count)) {
	case STREAM_OK:
		if (held > 0)
			memcpy(buffer, relay->partial.bytes, held);
		relay->has_heard = true;
		take_bytes(relay, span_make(buffer, held + count));
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_END:
		server_ended(relay);
		break;
	case STREAM_BROKEN:
		server_broke(relay, arena_text(relay->request->arena, span_text(agent_socket_why(relay->socket))));
		break;
	}
}
