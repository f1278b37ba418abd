/*
 * A link ends in two places only: h2_link_fail(), when its connection has broken, and h2_link_settle() at the end of a
 * turn, when it is not needed any more. So whoever is on the stack of an event may go on using it.
 */
#include "upstream/h2_link.h"

#include "base/memory.h"
#include "store/slots.h"
#include "upstream/h2_link_inside.h"
#include "upstream/peer.h"
#include "upstream/world.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
	STREAMS_ASSUMED = 100,	/* until the server has told */
	FRESH_MS = 1000,	/* a link this young is no kept one that has died unnoticed */
	QUIET_MS = 1000,	/* of silence, after which a request goes with a PING */
	PULSE_MS = 5000,	/* for a sign of life after that */
	OUT_KEPT = 16 * 1024,	/* of an idle link's room */
	WHY_MAX = 256,
};

/* -- room ---------------------------------------------------------------------------------------------------------- */

void
h2_link_update_room(struct h2_link *link)
{
	bool has_room = !link->is_leaving && link->socket != NULL && link->count < link->limit;

	if (has_room == link->has_room)
		return;
	link->has_room = has_room;
	list_remove(&link->node);
	list_add_first(has_room ? &link->agent->links : &link->agent->full_links, &link->node);
	if (has_room)
		peers_hear_of_room(&link->agent->peers);
}

static void
link_count_idle(struct h2_link *link, bool is_idle)
{
	if (link->is_idle == is_idle)
		return;
	link->is_idle = is_idle;
	if (is_idle)
		link->agent->idle_links++;
	else
		link->agent->idle_links--;
}

void
h2_link_look_at_client(struct h2_link *link)
{
	uint32_t limit = h2_client_streams_max(link->client);

	/* Of a server that allows none for now, the codec keeps what it is asked. */
	link->limit = limit < 1 ? 1 : limit < H2_LINK_STREAMS_MAX ? limit : H2_LINK_STREAMS_MAX;
	link->agent->streams_told = link->limit;
	link->is_leaving |= !h2_client_takes_more(link->client);
	h2_link_update_room(link);
}

static bool
link_is_worn(const struct h2_link *link)
{
	const struct agent_limits *limits = &link->agent->limits;

	if (limits->max_requests > 0 && link->requests >= limits->max_requests)
		return true;
	return limits->max_age > 0 && loop_now_ms(link->world->loop) - link->opened_ms >= limits->max_age;
}

static void
link_look_at_age(struct h2_link *link)
{
	if (link->is_leaving || !link_is_worn(link))
		return;
	link->is_leaving = true;
	h2_link_update_room(link);
	loop_later(link->world->loop, &link->turn);
}

/* -- is anybody there? --------------------------------------------------------------------------------------------- */

/*
 * A server that has vanished without a word would take every request with it until their timeouts are over: after a
 * silence nothing more is put on the link. What is on it may still be answered, and has timeouts of its own.
 */
static void
link_silent(void *owner)
{
	struct h2_link *link = owner;

	link->is_leaving = true;
	h2_link_update_room(link);
	loop_later(link->world->loop, &link->turn);
}

void
h2_link_feel_pulse(struct h2_link *link)
{
	struct loop *loop = link->world->loop;

	if (loop_now_ms(loop) - link->heard_ms < QUIET_MS || timeout_is_armed(&link->pulse))
		return;
	h2_client_ping(link->client);
	timeout_arm(&link->pulse, timeout_class_for(loop, PULSE_MS));
}

/* -- the end ------------------------------------------------------------------------------------------------------- */

static void
link_free(struct later *later)
{
	struct h2_link *link = LIST_OWNER(later, struct h2_link, free);

	h2_client_free(link->client);
	text_fini(&link->out);
	memory_free(link);
}

/* The agent may be gone when it returns. */
static void
link_close(struct h2_link *link)
{
	struct agent_socket *socket = link->socket;

	link_count_idle(link, false);
	link->is_leaving = true;
	link->has_room = false;
	link->socket = NULL;
	link->agent->link_count--;
	list_remove(&link->node);
	timeout_disarm(&link->idle);
	timeout_disarm(&link->pulse);
	loop_later_cancel(&link->turn);
	loop_free_later(link->world->loop, &link->free, link_free);
	agent_socket_close(socket);
}

/* RFC 9113 §6.8: a connection is ended with GOAWAY. */
static void
link_say_goodbye(struct h2_link *link)
{
	struct iovec piece;
	size_t count;

	if (link->is_connecting || link->send_broken || link->out_sent < link->out.len)
		return;
	text_clear(&link->out);
	link->out_sent = 0;
	h2_client_leave(link->client);
	h2_client_gather(link->client, &link->out);
	piece = span_iovec(text_span(&link->out));
	if (piece.iov_len > 0)
		agent_socket_write(link->socket, &piece, 1, &count);
}

/* What of our bytes the server has taken for certain not to have: those from there on. */
static uint64_t
link_taken(const struct h2_link *link, uint64_t unread)
{
	if (link->socket->stream.tls != NULL || unread == UINT64_MAX || unread > link->written)
		return link->written;
	return link->written - unread;
}

/* Closes it; its streams stand in the caller's list until they are told, or leave. */
static void
link_give_up(struct h2_link *link, struct list_node *streams_out)
{
	struct list_node *node;

	list_init(streams_out);
	while ((node = list_first(&link->streams)) != NULL) {
		h2_stream_unlink(LIST_OWNER(node, struct h2_stream, node));
		list_add_last(streams_out, node);
	}
	link_close(link);
}

/* why may lie in what is closed here, and so for the other. */
void
h2_link_fail(struct h2_link *link, uint64_t unread, const char *why)
{
	uint64_t taken = link_taken(link, unread);
	struct list_node streams, *node;
	char kept[WHY_MAX];

	snprintf(kept, sizeof(kept), "%s", why);
	link_give_up(link, &streams);
	while ((node = list_first(&streams)) != NULL) {
		struct h2_stream *stream = LIST_OWNER(node, struct h2_stream, node);
		bool is_taken = stream->codec.is_laid && stream->codec.head_at < taken;

		list_remove(node);
		stream->codec.id = 0;
		stream->events->on_failed(stream->owner, is_taken ? H2_FAILED_RESET : H2_FAILED_UNPROCESSED, unread > 0,
		    kept);
	}
}

void
h2_link_refuse(struct h2_link *link, int error, const char *why)
{
	struct list_node streams, *node;
	char kept[WHY_MAX];

	snprintf(kept, sizeof(kept), "%s", why);
	link_give_up(link, &streams);
	while ((node = list_first(&streams)) != NULL) {
		struct h2_stream *stream = LIST_OWNER(node, struct h2_stream, node);

		list_remove(node);
		stream->events->on_connected(stream->owner, error, kept);
	}
}

static void
link_idle_too_long(void *owner)
{
	struct h2_link *link = owner;

	link_say_goodbye(link);
	link_close(link);
}

static bool
is_wanted_idle(const struct h2_link *link)
{
	const struct agent *agent = link->agent;

	return !link->is_connecting && !link->is_leaving && !agent->world->is_draining && agent->refs > 0 &&
	    (link->is_idle || agent->idle_links < agent->limits.max_free_sockets);
}

void
h2_link_settle(struct h2_link *link)
{
	link_look_at_age(link);
	if (link->count > 0)
		return;
	if (!is_wanted_idle(link)) {
		link_idle_too_long(link);
		return;
	}
	if (link->is_idle)
		return;
	if (link->out.room > OUT_KEPT && link->out_sent == link->out.len) {
		text_fini(&link->out);
		link->out_sent = 0;
	}
	link_count_idle(link, true);
	timeout_arm(&link->idle, agent_idle_class(link->agent));
}

static void
links_close_idle(struct list_node *links)
{
	struct list_node *next;

	for (struct list_node *node = links->next; node != links; node = next) {
		struct h2_link *link = LIST_OWNER(node, struct h2_link, node);

		next = node->next;
		if (link->is_on_stack)
			loop_later(link->world->loop, &link->turn);
		else if (link->count == 0)
			link_idle_too_long(link);
	}
}

/* The caller holds the agent: it is not freed with its last socket here. */
void
h2_links_close_idle(struct agent *agent)
{
	links_close_idle(&agent->links);
	links_close_idle(&agent->full_links);
}

/* -- joining ------------------------------------------------------------------------------------------------------- */

static enum borrow_result
link_open(struct agent *agent, struct h2_link **link_out)
{
	struct upstream_world *world = agent->world;
	struct h2_link *link = memory_zalloc(sizeof(*link));
	enum borrow_result result = agent_borrow(agent, true, false, &h2_link_socket_events, link, &link->socket);

	if (result == BORROW_FULL || result == BORROW_FAILED) {
		memory_free(link);
		return result;
	}
	link->agent = agent;
	link->world = world;
	link->client = h2_client_create(&h2_link_codec_events);
	link->limit = agent->streams_told > 0 ? agent->streams_told : STREAMS_ASSUMED;
	link->opened_ms = loop_now_ms(world->loop);
	link->heard_ms = link->opened_ms;
	link->is_connecting = result == BORROW_CONNECTING;
	link->turn.run = h2_link_turn;
	list_init(&link->streams);
	list_init(&link->told);
	timeout_init(&link->idle, link_idle_too_long, link);
	timeout_init(&link->pulse, link_silent, link);
	link->has_room = true;
	list_add_first(&agent->links, &link->node);
	agent->link_count++;
	*link_out = link;
	return result;
}

/* An idle connection with something to be read may have been left by the server: its own turn will find out. */
static bool
link_is_quiet(const struct h2_link *link)
{
	char byte;
	ssize_t count;

	if (link->count > 0 || link->is_connecting)
		return true;
	count = recv(link->socket->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static bool
link_is_fresh(const struct h2_link *link)
{
	return loop_now_ms(link->world->loop) - link->opened_ms < FRESH_MS;
}

/* Those that wait for it have their own timeouts; nobody joins them once it has taken too long. */
static void
link_look_at_connect(struct h2_link *link)
{
	if (!link->is_connecting || link_is_fresh(link))
		return;
	link->is_leaving = true;
	h2_link_update_room(link);
}

/* NULL: none has room. What is wanted of it counts only while another one can be opened. */
static struct h2_link *
link_find(struct agent *agent, bool fresh, bool careful)
{
	bool may_open = agent->count < agent->limits.max_sockets;
	struct list_node *next;

	for (struct list_node *node = agent->links.next; node != &agent->links; node = next) {
		struct h2_link *link = LIST_OWNER(node, struct h2_link, node);

		next = node->next;
		link_look_at_age(link);
		link_look_at_connect(link);
		if (!link->has_room)
			continue;
		if (!may_open || ((!fresh || link_is_fresh(link)) && (!careful || link_is_quiet(link))))
			return link;
	}
	return NULL;
}

enum borrow_result
h2_stream_join(struct h2_stream *stream, struct agent *agent, bool fresh, bool careful,
    const struct h2_stream_events *events, void *owner)
{
	struct h2_link *link = link_find(agent, fresh, careful);
	enum borrow_result result;

	if (link == NULL) {
		result = link_open(agent, &link);
		if (result == BORROW_FULL || result == BORROW_FAILED)
			return result;
	} else {
		result = link->is_connecting ? BORROW_CONNECTING : BORROW_REUSED;
	}
	*stream = (struct h2_stream){ .link = link, .events = events, .owner = owner };
	stream->is_connecting = link->is_connecting;
	list_add_last(&link->streams, &stream->node);
	link->count++;
	link->requests++;
	agent->streams++;
	link_count_idle(link, false);
	timeout_disarm(&link->idle);
	if (result == BORROW_REUSED)
		slot_add(&agent->world->slot->totals.upstream_reuses, 1);
	h2_link_update_room(link);
	link_look_at_age(link);
	return result;
}
