/*
 * A relay to an HTTP/2 server: one stream of one of its agent's links. What one read brings is passed on together, and
 * a small answer with its head in one call; what goes out leaves with that of all other streams at the end of the turn.
 */
#include "upstream/relay_parts.h"

enum { HOLD_ABOVE = 64 * 1024 };	/* bytes that the server's windows do not let go */

/* -- the request --------------------------------------------------------------------------------------------------- */

static struct span
path_of(struct relay *relay)
{
	if (relay->target.at[0] != '/' || relay->peer->path.len == 0)	/* "*" */
		return relay->target;
	return arena_join(relay->request->arena, relay->peer->path, relay->target);
}

static void
head_ask(struct relay *relay, bool has_content)
{
	struct request *request = relay->request;
	struct h2_client_head head = {
		.method = request->method_name,
		.authority = fields_value(&relay->fields, FIELD_HOST),
		.path = path_of(relay),
		.fields = &relay->fields,
		.has_length = request->has_length,
		.content_length = request->content_length,
	};

	h2_stream_ask(&relay->stream, request->arena, &head, has_content);
	relay->head_sent = true;
	relay->ever_sent = true;
}

/* A request without content, or whose content is empty, ends with its head. */
static void
stream_send(struct relay *relay, struct span piece, bool last)
{
	const struct fields *trailers = &relay->request->trailers;
	bool ends_now = last && piece.len == 0 && trailers->count == 0;

	if (!relay->head_sent) {
		head_ask(relay, !ends_now);
		if (ends_now)
			return;
	}
	if (piece.len > 0 || last)
		h2_stream_write(&relay->stream, piece, last, trailers);
}

static bool
stream_is_waiting(const struct relay *relay)
{
	return h2_client_waiting(&relay->stream.codec) > 0;
}

static bool
stream_is_full(const struct relay *relay)
{
	return h2_client_waiting(&relay->stream.codec) > HOLD_ABOVE;
}

static void
stream_taken(void *owner)
{
	struct relay *relay = owner;

	relay_body_left(relay);
	if (relay->state != RELAY_OVER)
		relay_arm(relay);
}

/* -- the response -------------------------------------------------------------------------------------------------- */

/* nghttp2 has seen to it that it is a number, and the only one. */
static bool
length_read(const struct fields *fields, uint64_t *length_out)
{
	return fields_have(fields, FIELD_CONTENT_LENGTH) &&
	    span_to_number(fields_value(fields, FIELD_CONTENT_LENGTH), UINT64_MAX, length_out);
}

static void
stream_head(void *owner, unsigned status, struct fields *fields)
{
	struct relay *relay = owner;
	struct response *response = &relay->request->response;
	struct relay_answer answer = { .status = status, .fields = fields, .via = SPAN("2.0 reeve") };

	relay->has_heard = true;
	if (status < 200) {
		relay_inform(relay, status, fields);
		return;
	}
	answer.has_length = length_read(fields, &answer.content_length);
	if (!relay_take_head(relay, &answer))
		return;
	relay->fields_before = response->fields.count;
	relay->seen_before = response->fields.seen;
	relay->has_answer = true;
	relay_fill(relay, &answer);
}

static void
stream_read_some(void *owner, const struct iovec *pieces, unsigned count, bool ended)
{
	struct relay *relay = owner;
	bool is_first = relay->has_answer;

	if (is_first)
		response_start(relay->request);
	relay->has_answer = false;
	if (ended) {
		relay->trailers = relay->stream.trailers;
		relay_complete(relay, pieces, count, true);
		return;
	}
	if (count > 0)
		relay->is_paused = !response_write(relay->request, pieces, count);
	else if (is_first)
		response_flush(relay->request);
	if (relay->state == RELAY_OVER)
		return;
	if (!relay->is_paused)
		h2_stream_consume(&relay->stream);
	relay_arm(relay);
}

static void
stream_resume(struct relay *relay)
{
	h2_stream_consume(&relay->stream);
}

/* An answer that broke before it was passed on: what it said is not said. */
static void
answer_forget(struct relay *relay)
{
	struct fields *fields = &relay->request->response.fields;

	if (!relay->has_answer)
		return;
	relay->has_answer = false;
	fields->count = relay->fields_before;
	fields->seen = relay->seen_before;
}

static void
stream_failed(void *owner, enum h2_failure failure, bool was_unread, const char *why)
{
	struct relay *relay = owner;
	bool is_before = relay->state == RELAY_SENT;

	answer_forget(relay);
	why = arena_text(relay->request->arena, span_text(why));
	relay->was_unread = was_unread;
	switch (failure) {
	case H2_FAILED_UNPROCESSED:
		relay->ever_sent = relay->sent_before;
		relay_unprocessed(relay, why);
		break;
	case H2_FAILED_RESET:
		relay_failed(relay, is_before ? RETRY_RESET : 0, 502, why);
		break;
	case H2_FAILED_MALFORMED:
		relay_failed(relay, 0, 502, why);
		break;
	}
}

/* -- the stream ---------------------------------------------------------------------------------------------------- */

static void
stream_connected(void *owner, int error, const char *why)
{
	relay_connected(owner, error, why);
}

static const struct h2_stream_events stream_events = {
	.on_connected	= stream_connected,
	.on_head	= stream_head,
	.on_read	= stream_read_some,
	.on_failed	= stream_failed,
	.on_taken	= stream_taken,
};

static enum borrow_result
stream_borrow(struct relay *relay)
{
	return h2_stream_join(&relay->stream, relay->peer->agent, relay->wants_fresh, !relay->may_repeat,
	    &stream_events, relay);
}

static bool
stream_is_handshaking(const struct relay *relay)
{
	return h2_stream_is_handshaking(&relay->stream);
}

static void
stream_let_go(struct relay *relay, bool is_reusable)
{
	(void)is_reusable;
	h2_stream_leave(&relay->stream);
}

const struct relay_wire relay_h2 = {
	.borrow		= stream_borrow,
	.send		= stream_send,
	.is_waiting	= stream_is_waiting,
	.is_full	= stream_is_full,
	.resume		= stream_resume,
	.is_handshaking	= stream_is_handshaking,
	.let_go		= stream_let_go,
};
