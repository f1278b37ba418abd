/*
 * The response on its way back. Bytes are read into the worker's one buffer, decoded where they lie and handed to the
 * client's side as pieces; head and content that arrive together leave together.
 *
 * Nothing is passed on before all that has come was found to be well framed, so that a response which breaks in its first
 * bytes can still become a 502.
 */
#include "upstream/call_parts.h"

#include <assert.h>
#include <errno.h>

enum { PIECES_MAX = 60, TRAILERS_BYTES_MAX = 16 * 1024 };

static const struct h1_limits head_limits = { .header_size = CALL_HEAD_MAX, .header_count = CALL_FIELDS_MAX };

/* A head as it was parsed, while its bytes still lie in the buffer. */
struct answer {
	struct h1_response_head	 head;
	struct fields		 fields;
	struct span		 bytes;
};

/* -- the head goes over --------------------------------------------------------------------------------------------- */

static struct span
span_move(struct span from, struct span bytes, ptrdiff_t distance)
{
	if (from.at >= bytes.at && from.at < bytes.at + bytes.len)
		from.at += distance;
	return from;
}

/* RFC 9110 §7.6.1; a protocol that was agreed on is the one thing of this hop that the client must hear. */
static bool
is_passed(const struct field *field, struct span connection, unsigned status)
{
	if (field->id == FIELD_UPGRADE)
		return status == 101;
	return field->id != FIELD_CONTENT_LENGTH && !field_is_hop_by_hop(field, connection);
}

/* The buffer is overwritten by the next read of anybody, so the bytes move into the request's arena. */
static void
response_fill(struct call *call, const struct answer *answer)
{
	struct request *request = call->request;
	struct response *response = &request->response;
	struct span connection = fields_joined(&answer->fields, FIELD_CONNECTION, request->arena);
	struct span kept = arena_copy(request->arena, answer->bytes);
	ptrdiff_t distance = kept.at - answer->bytes.at;

	response->status = answer->head.status;
	response->has_length = answer->head.has_content_length && answer->head.status >= 200;
	response->content_length = response->has_length ? answer->head.content_length : 0;
	for (uint32_t i = 0; i < answer->fields.count; i++) {
		const struct field *field = &answer->fields.items[i];

		if (is_passed(field, connection, response->status))
			fields_add_known(&response->fields, field->id, span_move(field->name, answer->bytes, distance),
			    span_move(field->value, answer->bytes, distance));
	}
}

/* -- content -------------------------------------------------------------------------------------------------------- */

enum body_step { BODY_PIECE, BODY_MORE, BODY_END, BODY_BAD };

static enum body_step
chunked_next(struct call *call, struct span *rest_io, struct span *piece_out)
{
	switch (h1_chunked_read(&call->chunked, rest_io, piece_out)) {
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
length_next(struct call *call, struct span *rest_io, struct span *piece_out)
{
	if (call->body_left == 0)
		return BODY_END;
	if (rest_io->len == 0)
		return BODY_MORE;
	*piece_out = span_first(*rest_io, call->body_left < rest_io->len ? (size_t)call->body_left : rest_io->len);
	*rest_io = span_skip(*rest_io, piece_out->len);
	call->body_left -= piece_out->len;
	return BODY_PIECE;
}

static enum body_step
body_next(struct call *call, struct span *rest_io, struct span *piece_out)
{
	switch (call->body) {
	case H1_BODY_CHUNKED:
		return chunked_next(call, rest_io, piece_out);
	case H1_BODY_LENGTH:
		return length_next(call, rest_io, piece_out);
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

static void
pieces_add(struct pieces *pieces, struct span piece)
{
	struct iovec *item = &pieces->items[pieces->count++];

	memcpy(&item->iov_base, &piece.at, sizeof(item->iov_base));	/* iovec has no const; sockets only read */
	item->iov_len = piece.len;
}

/* The head first, if it has not gone over yet. */
static void
response_begin(struct call *call, const struct answer *answer)
{
	if (call->request->state >= REQUEST_STARTED)
		return;
	response_fill(call, answer);
	response_start(call->request);
}

/* False: the call is over. */
static bool
pieces_pass(struct call *call, const struct answer *answer, struct pieces *pieces)
{
	bool is_first = call->request->state < REQUEST_STARTED;

	response_begin(call, answer);
	if (pieces->count > 0)
		call->is_paused = !response_write(call->request, pieces->items, pieces->count);
	else if (is_first)
		response_flush(call->request);
	pieces->count = 0;
	return call->state != CALL_OVER;
}

/* Bytes behind the end belong to nothing that was asked for: such a socket is not used again. */
static void
response_complete(struct call *call, const struct answer *answer, const struct pieces *pieces, bool has_excess)
{
	bool is_reusable = call->keep_alive && !has_excess && call_is_sent(call);
	struct request *request;

	response_begin(call, answer);
	call_drop_socket(call, is_reusable);
	request = call_end(call);
	if (call->trailers.count == 0) {
		response_finish_with(request, pieces->items, pieces->count);
		return;
	}
	if (pieces->count > 0)
		response_write(request, pieces->items, pieces->count);
	response_finish(request, &call->trailers);
}

/* answer NULL: the head has gone over. */
static void
take_body(struct call *call, struct span rest, const struct answer *answer)
{
	struct pieces pieces = { .count = 0 };
	enum body_step step;
	struct span piece;

	while ((step = body_next(call, &rest, &piece)) == BODY_PIECE) {
		pieces_add(&pieces, piece);
		if (pieces.count == PIECES_MAX && !pieces_pass(call, answer, &pieces))
			return;
	}
	switch (step) {
	case BODY_MORE:
		if (pieces_pass(call, answer, &pieces))
			call_arm(call);
		break;
	case BODY_END:
		response_complete(call, answer, &pieces, rest.len > 0);
		break;
	case BODY_BAD:
		call_failed(call, 0, 502, call->chunked.why);
		break;
	case BODY_PIECE:
		assert(!"the loop takes all pieces");
	}
}

/* -- the final head ------------------------------------------------------------------------------------------------- */

static const struct failing_status {
	unsigned		 status;
	enum retry_cause	 cause;
	const char		*why;
} failing_statuses[] = {
	{ 502, RETRY_502, "it answered 502" },
	{ 503, RETRY_503, "it answered 503" },
	{ 504, RETRY_504, "it answered 504" },
};

static const struct failing_status *
failing_find(unsigned status)
{
	for (size_t i = 0; i < sizeof(failing_statuses) / sizeof(failing_statuses[0]); i++) {
		if (failing_statuses[i].status == status)
			return &failing_statuses[i];
	}
	return NULL;
}

/* What the answer says of the server. True: another one is asked instead. */
static bool
judge(struct call *call, unsigned status)
{
	const struct failing_status *failing = failing_find(status);
	bool was_trial = call->is_trial;

	call->is_trial = false;
	if (failing == NULL) {
		peer_succeeded(call->peer, was_trial);
		return false;
	}
	slot_add(&call->world->slot->totals.upstream_failures, 1);
	peer_failed(call->peer, was_trial, failing->why);
	if (!call_may_retry(call, failing->cause))
		return false;
	call_retry(call, status, failing->why);
	return true;
}

static void
body_expect(struct call *call, const struct h1_response_head *head)
{
	call->body = head->body;
	call->body_left = head->content_length;
	call->keep_alive = head->keep_alive;
	if (head->body == H1_BODY_CHUNKED) {
		fields_init(&call->trailers, call->request->arena, NULL, 0);
		h1_chunked_init(&call->chunked, &call->trailers, TRAILERS_BYTES_MAX);
	}
}

static void
final_head(struct call *call, const struct answer *answer, struct span rest)
{
	call->request->upstream_ms = loop_now_ms(call->world->loop) - call->try_ms;
	if (fields_have(&answer->fields, FIELD_KEEP_ALIVE))
		agent_hear_keep_alive(call->peer->agent, fields_value(&answer->fields, FIELD_KEEP_ALIVE));
	if (judge(call, answer->head.status))
		return;
	body_expect(call, &answer->head);
	call->keeps_body = false;
	text_fini(&call->replay);
	text_fini(&call->partial);
	call_move(call, CALL_STREAMING);
	take_body(call, rest, answer);
}

/* -- heads before it ------------------------------------------------------------------------------------------------ */

static void
hop_by_hop_remove(struct call *call, struct fields *fields)
{
	struct span connection = fields_joined(fields, FIELD_CONNECTION, call->request->arena);

	for (uint32_t i = fields->count; i-- > 0;) {
		if (!is_passed(&fields->items[i], connection, 100))
			fields_remove_at(fields, i);
	}
}

/* 100 is an answer to an Expect that we never send. False: the call is over. */
static bool
informational(struct call *call, struct answer *answer)
{
	if (answer->head.status == 100)
		return true;
	if (++call->informed > CALL_INFORM_MAX) {
		call_failed(call, 0, 502, "too many informational responses");
		return false;
	}
	hop_by_hop_remove(call, &answer->fields);
	response_inform(call->request, answer->head.status, &answer->fields);
	return call->state != CALL_OVER;
}

static void
tunnel_take(struct call *call, struct span bytes)
{
	struct pieces pieces = { .count = 0 };

	if (bytes.len > 0) {
		pieces_add(&pieces, bytes);
		call->is_paused = !response_write(call->request, pieces.items, pieces.count);
	}
	if (call->state != CALL_OVER)
		call_arm(call);
}

/* 101: bytes as they are, both ways, until either side has said all. */
static void
upgraded(struct call *call, const struct answer *answer, struct span rest)
{
	struct request *request = call->request;

	if (!call->may_upgrade || !call_is_sent(call)) {
		call_failed(call, 0, 502, "it switches protocols though nobody asked for that");
		return;
	}
	request->upstream_ms = loop_now_ms(call->world->loop) - call->try_ms;
	peer_succeeded(call->peer, call->is_trial);
	call->is_trial = false;
	text_fini(&call->replay);
	text_fini(&call->partial);
	call->keeps_body = false;
	call->body_ended = false;
	call_move(call, CALL_TUNNEL);
	response_fill(call, answer);
	response_start(request);
	response_upgrade(request);
	if (call->state == CALL_OVER)
		return;
	tunnel_take(call, rest);
	if (call->state == CALL_OVER)
		return;
	request_want_body(request, false);
	request_want_body(request, true);
}

/* -- bytes ---------------------------------------------------------------------------------------------------------- */

static void
partial_keep(struct call *call, struct span rest)
{
	size_t held = rest.at == call->world->buffer ? call->partial.len : 0;

	if (held == 0)
		text_clear(&call->partial);
	text_add(&call->partial, span_skip(rest, held));
	call->searched = rest.len;
}

/* True: the head's end has not come. */
static bool
is_known_incomplete(const struct call *call, struct span bytes)
{
	return call->searched > 0 && bytes.len < CALL_HEAD_MAX && !h1_head_may_be_complete(bytes, call->searched);
}

static void
take_head(struct call *call, struct span rest)
{
	struct upstream_world *world = call->world;
	struct answer answer;
	size_t used;

	if (is_known_incomplete(call, rest)) {
		partial_keep(call, rest);
		return;
	}
	for (;;) {
		fields_init(&answer.fields, call->request->arena, world->fields_room, WORLD_FIELDS_ROOM);
		switch (h1_response_parse(rest, call->request->method, &head_limits, &answer.fields, &answer.head, &used)) {
		case H1_AGAIN:
			partial_keep(call, rest);
			return;
		case H1_BAD:
			call_failed(call, 0, 502, answer.head.why);
			return;
		case H1_OK:
			break;
		}
		answer.bytes = span_first(rest, used);
		rest = span_skip(rest, used);
		if (answer.head.status >= 200 || answer.head.status == 101)
			break;
		if (!informational(call, &answer))
			return;
	}
	if (answer.head.status == 101)
		upgraded(call, &answer, rest);
	else
		final_head(call, &answer, rest);
}

static void
take_bytes(struct call *call, struct span bytes)
{
	switch (call->state) {
	case CALL_SENT:
		take_head(call, bytes);
		break;
	case CALL_STREAMING:
		take_body(call, bytes, NULL);
		break;
	case CALL_TUNNEL:
		tunnel_take(call, bytes);
		break;
	case CALL_WAITING:
	case CALL_CONNECTING:
	case CALL_OVER:
	case CALL_STATE_COUNT:
		assert(!"no socket, no bytes");
	}
}

static void
server_ended(struct call *call)
{
	static const struct pieces nothing = { .count = 0 };

	switch (call->state) {
	case CALL_TUNNEL:
		response_finish(call_end(call), NULL);
		break;
	case CALL_STREAMING:
		if (call->body == H1_BODY_UNTIL_CLOSE)
			response_complete(call, NULL, &nothing, false);
		else
			call_failed(call, RETRY_RESET, 502, "it closed the connection in the middle of the content");
		break;
	default:
		call_failed(call, RETRY_RESET, 502, call->has_heard ? "it closed the connection in the middle of the head"
		    : "it closed the connection without an answer");
		break;
	}
}

/* A tunnel whose one side has broken off is over for the other, too. */
static void
server_broke(struct call *call, const char *why)
{
	if (call->state == CALL_TUNNEL)
		response_abort(call_end(call), why);
	else
		call_failed(call, RETRY_RESET, 502, why);
}

void
call_readable(struct call *call)
{
	char *buffer = call->world->buffer;
	size_t held = call->partial.len;
	size_t count;

	if (call->is_paused) {
		call->reads_off = true;
		call_watch(call);
		return;
	}
	assert(held < WORLD_BUFFER_SIZE);
	switch (stream_read(&call->socket->stream, buffer + held, WORLD_BUFFER_SIZE - held, &count)) {
	case STREAM_OK:
		if (held > 0)
			memcpy(buffer, call->partial.bytes, held);
		call->has_heard = true;
		take_bytes(call, span_make(buffer, held + count));
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_END:
		server_ended(call);
		break;
	case STREAM_BROKEN:
		server_broke(call, strerror(errno));
		break;
	}
}

void
call_on_drained(struct request *request)
{
	struct call *call = request->work;

	call->is_paused = false;
	if (call->reads_off) {
		call->reads_off = false;
		call_watch(call);
	}
	call_arm(call);
}
