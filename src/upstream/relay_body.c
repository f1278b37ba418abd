/*
 * The content of a request, on its way to whatever protocol the server speaks: kept as long as another try may need it,
 * and stopped at the client while the server does not keep up.
 */
#include "upstream/relay_parts.h"

bool
relay_is_sent(const struct relay *relay)
{
	return relay->head_sent && relay->body_ended && !relay->send_broken && !relay->wire->is_waiting(relay);
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

/*
 * Is it worth keeping what is sent? While nothing has been taken yet, or all of it is still here. A server that speaks
 * HTTP/2 may say that it has done nothing with it, whatever the method.
 */
static bool
should_keep(const struct relay *relay)
{
	if (relay->body_taken != relay->replay.len)
		return false;
	if (relay->wire == &relay_h2)
		return true;
	return relay->may_repeat && (relay->upstream->options->retry.attempts > 0 || relay->is_reused);
}

void
relay_send(struct relay *relay)
{
	struct request *request = relay->request;

	relay->keeps_body = !relay->body_ended && should_keep(relay);
	if (relay->body_taken > 0 || relay->body_ended)
		relay->wire->send(relay, text_span(&relay->replay), relay->body_ended);
	if (!relay->body_ended && !relay->wire->is_full(relay))
		request_want_body(request, true);
	if (relay->state != RELAY_SENT)
		return;
	if (!relay->head_sent)
		relay->wire->send(relay, span_make(NULL, 0), false);
	relay_arm(relay);
}

/* Stops the client while the server does not keep up, or takes no more. */
static void
client_hold(struct relay *relay)
{
	if (relay->wire->is_full(relay) || relay->send_broken)
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
		relay_tunnel_send(relay, piece);
		client_hold(relay);
		break;
	case RELAY_SENT:
	case RELAY_STREAMING:
		body_keep(relay, piece);
		relay->wire->send(relay, piece, last);
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

void
relay_body_left(struct relay *relay)
{
	if (!relay->body_ended)
		request_want_body(relay->request, true);
}
