/*
 * One read a readiness, one write a turn. Gathering comes before telling: when nghttp2 finds that content does not
 * agree with its length, it only says so with the RST_STREAM that it sends, and a response that breaks in its first
 * bytes should not be passed on.
 */
#include "upstream/h2_link_inside.h"

#include "upstream/world.h"

enum { WRITES_MAX = 8 };	/* a turn */

static bool
is_waiting(const struct h2_link *link)
{
	return link->out_sent < link->out.len;
}

static void
link_watch(struct h2_link *link)
{
	agent_socket_want(link->socket, WATCH_READ | (is_waiting(link) && !link->send_broken ? WATCH_WRITE : 0));
}

/* A write that fails ends nothing: the server may have answered before. The read that follows tells. */
static bool
out_write(struct h2_link *link)
{
	struct iovec piece = span_iovec(span_skip(text_span(&link->out), link->out_sent));
	size_t count;

	switch (agent_socket_write(link->socket, &piece, 1, &count)) {
	case STREAM_OK:
		link->out_sent += count;
		link->written += count;
		return !is_waiting(link);
	case STREAM_AGAIN:
	case STREAM_END:
		break;
	case STREAM_BROKEN:
		link->send_broken = true;
		link->is_leaving = true;
		h2_link_update_room(link);
		break;
	}
	return false;
}

/* False: the session has broken. */
static bool
link_gather(struct h2_link *link)
{
	if (!is_waiting(link)) {
		text_clear(&link->out);
		link->out_sent = 0;
	}
	return h2_client_gather(link->client, &link->out);
}

static bool
link_send(struct h2_link *link)
{
	if (link->is_connecting || link->send_broken)
		return true;
	for (unsigned i = 0; i < WRITES_MAX; i++) {
		if (!is_waiting(link) && !link_gather(link))
			return false;
		if (!is_waiting(link) || !out_write(link))
			break;
	}
	link_watch(link);
	return true;
}

void
h2_link_turn(struct later *later)
{
	struct h2_link *link = LIST_OWNER(later, struct h2_link, turn);
	bool is_sound;

	link->is_on_stack = true;
	is_sound = link_send(link);
	if (is_sound)
		h2_link_tell(link);
	link->is_on_stack = false;
	if (!is_sound)
		h2_link_fail(link, 0, h2_client_why(link->client));
	else if (!link->is_connecting && h2_client_is_over(link->client) && !is_waiting(link))
		h2_link_fail(link, 0, h2_client_why(link->client));
	else
		h2_link_settle(link);
}

static void
link_received(struct h2_link *link, struct span bytes)
{
	bool is_sound;

	link->heard_ms = loop_now_ms(link->world->loop);
	timeout_disarm(&link->pulse);
	link->is_on_stack = true;
	is_sound = h2_client_receive(link->client, bytes) && link_gather(link);
	h2_link_tell(link);
	link->is_on_stack = false;
	if (!is_sound) {
		h2_link_fail(link, 0, h2_client_why(link->client));
		return;
	}
	h2_link_look_at_client(link);
	loop_later(link->world->loop, &link->turn);
}

static const char *
link_end_why(const struct h2_link *link)
{
	return h2_client_takes_more(link->client) ? "it closed the connection before the response was complete"
	    : h2_client_why(link->client);
}

static void
socket_readable(void *owner)
{
	struct h2_link *link = owner;
	char *buffer = link->world->buffer;
	size_t count;

	switch (agent_socket_read(link->socket, buffer, WORLD_BUFFER_SIZE, &count)) {
	case STREAM_OK:
		link_received(link, span_make(buffer, count));
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_END:
		h2_link_fail(link, agent_socket_unread(link->socket), link_end_why(link));
		break;
	case STREAM_BROKEN:
		h2_link_fail(link, UINT64_MAX, agent_socket_why(link->socket));
		break;
	}
}

static void
socket_writable(void *owner)
{
	struct h2_link *link = owner;

	loop_later(link->world->loop, &link->turn);
}

/* Streams that join while the others are told stand at the end. */
static void
connected_tell(struct h2_link *link)
{
	struct list_node *node;

	while ((node = list_first(&link->streams)) != NULL) {
		struct h2_stream *stream = LIST_OWNER(node, struct h2_stream, node);

		if (!stream->is_connecting)
			break;
		stream->is_connecting = false;
		list_remove(node);
		list_add_last(&link->streams, node);
		stream->events->on_connected(stream->owner, 0, NULL);
	}
}

static void
socket_connected(void *owner, int error, const char *why)
{
	struct h2_link *link = owner;

	if (error != 0) {
		h2_link_refuse(link, error, why);
		return;
	}
	link->is_connecting = false;
	link->heard_ms = loop_now_ms(link->world->loop);
	link->is_on_stack = true;
	connected_tell(link);
	link->is_on_stack = false;
	loop_later(link->world->loop, &link->turn);
}

const struct socket_events h2_link_socket_events = {
	.on_connected	= socket_connected,
	.on_readable	= socket_readable,
	.on_writable	= socket_writable,
};
