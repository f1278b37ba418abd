/*
 * What follows a 101 of an HTTP/1.1 server: bytes as they are, both ways, until either side has said all.
 */
#include "upstream/relay_parts.h"

void
relay_tunnel_take(struct relay *relay, struct span bytes)
{
	struct iovec piece = span_iovec(bytes);

	if (bytes.len > 0)
		relay->is_paused = !response_write(relay->request, &piece, 1);
	if (relay->state != RELAY_OVER)
		relay_arm(relay);
}

void
relay_tunnel_begin(struct relay *relay, const struct relay_answer *answer, struct span rest)
{
	struct request *request = relay->request;

	request->upstream_ms = loop_now_ms(relay->world->loop) - relay->try_ms;
	peer_succeeded(relay->peer, relay->is_trial);
	relay->is_trial = false;
	text_fini(&relay->replay);
	relay->keeps_body = false;
	relay->body_ended = false;
	relay_move(relay, RELAY_TUNNEL);
	relay_fill(relay, answer);
	response_start(request);
	response_upgrade(request);
	if (relay->state == RELAY_OVER)
		return;
	relay_tunnel_take(relay, rest);
	if (relay->state == RELAY_OVER)
		return;
	request_want_body(request, false);
	request_want_body(request, true);
}

void
relay_tunnel_left(struct relay *relay)
{
	if (relay->body_ended)
		agent_socket_shutdown(relay->socket);
}

void
relay_tunnel_send(struct relay *relay, struct span piece)
{
	struct iovec pieces[1] = { span_iovec(piece) };

	if (piece.len > 0)
		relay_bytes_send(relay, pieces, 1);
	if (!relay_out_waits(relay))
		relay_tunnel_left(relay);
}
