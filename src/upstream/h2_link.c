/*
 * A link ends in two places only: link_fail(), when its connection has broken, and link_settle() at the end of a turn,
 * when it is not needed any more. So whoever is on the stack of an event may go on using it.
 */
#include "upstream/h2_link.h"

#include "base/memory.h"
#include "store/slots.h"
#include "upstream/peer.h"
#include "upstream/world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
	STREAMS_ASSUMED = 100,	/* until the server has told */
	FRESH_MS = 1000,	/* a link this young is no kept one that has died unnoticed */
	WRITES_MAX = 8,		/* a turn */
	OUT_KEPT = 16 * 1024,	/* of an idle link's room */
	JOINED_MAX = 2048,	/* pieces that are copied together */
	FRAME_HEAD = 9,
	WHY_MAX = 256,
};

struct h2_link {
	struct list_node	 node;		/* in agent->links or agent->full_links */
	struct later		 turn;
	struct later		 free;
	struct timeout		 idle;
	struct agent		*agent;		/* borrowed: lives while we have its socket */
	struct upstream_world	*world;		/* borrowed */
	struct agent_socket	*socket;	/* borrowed; NULL: closed */
	struct h2_client	*client;	/* owned */
	struct list_node	 streams;	/* struct h2_stream */
	struct list_node	 told;		/* those with something to tell their owners */
	unsigned		 count;		/* of streams */
	unsigned		 limit;
	struct text		 out;		/* gathered, not yet taken by the socket */
	size_t			 out_sent;	/* of it */
	uint64_t		 written;	/* bytes taken by the socket, ever */
	uint64_t		 opened_ms;
	uint64_t		 requests;	/* begun on it */
	bool			 is_connecting;
	bool			 is_leaving;	/* takes no more streams */
	bool			 is_idle;	/* counted in agent->idle_links */
	bool			 has_room;	/* in which list it stands */
	bool			 send_broken;	/* the server takes nothing any more; it may still answer */
	bool			 is_on_stack;	/* its owners are being told: not to be closed now */
};

/* -- room ---------------------------------------------------------------------------------------------------------- */

static void
link_update_room(struct h2_link *link)
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

static void
link_look_at_client(struct h2_link *link)
{
	uint32_t limit = h2_client_streams_max(link->client);

	link->limit = limit < H2_LINK_STREAMS_MAX ? limit : H2_LINK_STREAMS_MAX;
	link->is_leaving |= !h2_client_takes_more(link->client);
	link_update_room(link);
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
	link_update_room(link);
	loop_later(link->world->loop, &link->turn);
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

static void
stream_unlink(struct h2_stream *stream)
{
	struct h2_link *link = stream->link;

	stream->link = NULL;
	list_remove(&stream->node);
	list_remove(&stream->told_node);
	link->count--;
	link->agent->streams--;
}

/* What of our bytes the server has taken for certain not to have: those from there on. */
static uint64_t
link_taken(const struct h2_link *link, uint64_t unread)
{
	if (link->socket->stream.tls != NULL || unread == UINT64_MAX || unread > link->written)
		return link->written;
	return link->written - unread;
}

/* The connection is gone. unread: as agent_socket_unread() has it. why may lie in what is closed here. */
static void
link_fail(struct h2_link *link, uint64_t unread, const char *why)
{
	uint64_t taken = link_taken(link, unread);
	char kept[WHY_MAX];
	struct list_node *node;
	struct list_node streams;

	snprintf(kept, sizeof(kept), "%s", why);
	list_init(&streams);
	while ((node = list_first(&link->streams)) != NULL) {
		stream_unlink(LIST_OWNER(node, struct h2_stream, node));
		list_add_last(&streams, node);
	}
	link_close(link);
	while ((node = list_first(&streams)) != NULL) {
		struct h2_stream *stream = LIST_OWNER(node, struct h2_stream, node);
		bool is_taken = stream->codec.is_laid && stream->codec.head_at < taken;

		list_remove(node);
		stream->codec.id = 0;
		stream->events->on_failed(stream->owner, is_taken ? H2_FAILED_RESET : H2_FAILED_UNPROCESSED, unread > 0,
		    kept);
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

/* Between two turns: whether it stays. */
static void
link_settle(struct h2_link *link)
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

	for (struct list_node *node = links->next; node != NULL && node != links; node = next) {
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

/* -- what owners are told ------------------------------------------------------------------------------------------ */

static void
stream_tell_later(struct h2_stream *stream)
{
	if (!list_holds(&stream->told_node))
		list_add_last(&stream->link->told, &stream->told_node);
}

/* The owner may leave in any of them. */
static void
stream_tell(struct h2_stream *stream)
{
	struct iovec pieces[H2_STREAM_PIECES_MAX];
	unsigned count = stream->piece_count;
	bool was_taken = stream->was_taken, has_news = stream->has_news;

	if (stream->was_refused) {
		stream_unlink(stream);
		stream->events->on_failed(stream->owner, H2_FAILED_UNPROCESSED, false,
		    "it takes no more requests on this connection");
		return;
	}
	memcpy(pieces, stream->pieces, count * sizeof(*pieces));
	stream->piece_count = 0;
	stream->was_taken = false;
	stream->has_news = false;
	if (was_taken)
		stream->events->on_taken(stream->owner);
	if (has_news && stream->link != NULL)
		stream->events->on_read(stream->owner, pieces, count, stream->has_ended);
}

static void
link_tell(struct h2_link *link)
{
	struct list_node *node;

	while ((node = list_first(&link->told)) != NULL) {
		list_remove(node);
		stream_tell(LIST_OWNER(node, struct h2_stream, told_node));
	}
}

/* -- what the codec tells ------------------------------------------------------------------------------------------ */

static struct h2_stream *
stream_of(struct h2_client_stream *codec)
{
	return LIST_OWNER(codec, struct h2_stream, codec);
}

static void
codec_head(struct h2_client_stream *codec, unsigned status, struct fields *fields)
{
	struct h2_stream *stream = stream_of(codec);

	if (status >= 200) {
		stream->has_news = true;
		stream_tell_later(stream);
	}
	stream->events->on_head(stream->owner, status, fields);
}

/*
 * The frame right behind the piece before: small ones move up to it, over the frame's head, for the buffer is ours and
 * nghttp2 has read past it.
 */
static bool
piece_join(struct h2_stream *stream, struct span piece)
{
	struct iovec *last = &stream->pieces[stream->piece_count - 1];
	char *end;

	if (stream->piece_count == 0 || piece.len > JOINED_MAX)
		return false;
	end = (char *)last->iov_base + last->iov_len;
	if (piece.at < end || piece.at > end + FRAME_HEAD)
		return false;
	memmove(end, piece.at, piece.len);
	last->iov_len += piece.len;
	return true;
}

static void
codec_content(struct h2_client_stream *codec, struct span piece)
{
	struct h2_stream *stream = stream_of(codec);

	stream->has_news = true;
	if (!piece_join(stream, piece))
		stream->pieces[stream->piece_count++] = span_iovec(piece);
	if (stream->piece_count < H2_STREAM_PIECES_MAX) {
		stream_tell_later(stream);
		return;
	}
	list_remove(&stream->told_node);
	stream_tell(stream);
}

static void
codec_end(struct h2_client_stream *codec, const struct fields *trailers)
{
	struct h2_stream *stream = stream_of(codec);

	fields_init(&stream->trailers, codec->arena, NULL, 0);
	for (uint32_t i = 0; i < trailers->count; i++)
		fields_add_known(&stream->trailers, trailers->items[i].id, trailers->items[i].name,
		    trailers->items[i].value);
	stream->has_ended = true;
	stream->has_news = true;
	stream_tell_later(stream);
}

static void
codec_failed(struct h2_client_stream *codec, enum h2_failure failure, const char *why)
{
	struct h2_stream *stream = stream_of(codec);
	struct h2_link *link = stream->link;

	stream_unlink(stream);
	link_look_at_client(link);	/* GOAWAY may be the reason: another try must not come here */
	loop_later(link->world->loop, &link->turn);
	stream->events->on_failed(stream->owner, failure, false, why);
}

static void
codec_taken(struct h2_client_stream *codec)
{
	struct h2_stream *stream = stream_of(codec);

	stream->was_taken = true;
	stream_tell_later(stream);
}

static const struct h2_client_events codec_events = {
	.on_head	= codec_head,
	.on_content	= codec_content,
	.on_end		= codec_end,
	.on_failed	= codec_failed,
	.on_taken	= codec_taken,
};

/* -- bytes --------------------------------------------------------------------------------------------------------- */

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
		link_update_room(link);
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

/* The end of a turn in which something happened. */
static void
link_turn(struct later *later)
{
	struct h2_link *link = LIST_OWNER(later, struct h2_link, turn);

	if (!link_send(link)) {
		link_fail(link, 0, h2_client_why(link->client));
		return;
	}
	link->is_on_stack = true;
	link_tell(link);
	link->is_on_stack = false;
	if (!link->is_connecting && h2_client_is_over(link->client) && !is_waiting(link))
		link_fail(link, 0, h2_client_why(link->client));
	else
		link_settle(link);
}

/*
 * Gathering comes before telling: when nghttp2 finds that content does not agree with its length, it only says so with
 * the RST_STREAM that it sends, and a response that breaks in its first bytes should not be passed on.
 */
static void
link_received(struct h2_link *link, struct span bytes)
{
	bool is_sound;

	link->is_on_stack = true;
	is_sound = h2_client_receive(link->client, bytes) && link_gather(link);
	link_tell(link);
	link->is_on_stack = false;
	if (!is_sound) {
		link_fail(link, 0, h2_client_why(link->client));
		return;
	}
	link_look_at_client(link);
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
		link_fail(link, agent_socket_unread(link->socket), link_end_why(link));
		break;
	case STREAM_BROKEN:
		link_fail(link, UINT64_MAX, agent_socket_why(link->socket));
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
link_refuse(struct h2_link *link, int error, const char *why)
{
	struct list_node streams, *node;
	char kept[WHY_MAX];

	snprintf(kept, sizeof(kept), "%s", why);
	list_init(&streams);
	while ((node = list_first(&link->streams)) != NULL) {
		stream_unlink(LIST_OWNER(node, struct h2_stream, node));
		list_add_last(&streams, node);
	}
	link_close(link);
	while ((node = list_first(&streams)) != NULL) {
		struct h2_stream *stream = LIST_OWNER(node, struct h2_stream, node);

		list_remove(node);
		stream->events->on_connected(stream->owner, error, kept);
	}
}

static void
socket_connected(void *owner, int error, const char *why)
{
	struct h2_link *link = owner;

	if (error != 0) {
		link_refuse(link, error, why);
		return;
	}
	link->is_connecting = false;
	link->is_on_stack = true;
	connected_tell(link);
	link->is_on_stack = false;
	loop_later(link->world->loop, &link->turn);
}

static const struct socket_events link_events = {
	.on_connected	= socket_connected,
	.on_readable	= socket_readable,
	.on_writable	= socket_writable,
};

/* -- joining ------------------------------------------------------------------------------------------------------- */

static enum borrow_result
link_open(struct agent *agent, struct h2_link **link_out)
{
	struct upstream_world *world = agent->world;
	struct h2_link *link = memory_zalloc(sizeof(*link));
	enum borrow_result result = agent_borrow(agent, true, false, &link_events, link, &link->socket);

	if (result == BORROW_FULL || result == BORROW_FAILED) {
		memory_free(link);
		return result;
	}
	link->agent = agent;
	link->world = world;
	link->client = h2_client_create(&codec_events);
	link->limit = STREAMS_ASSUMED;
	link->opened_ms = loop_now_ms(world->loop);
	link->is_connecting = result == BORROW_CONNECTING;
	link->turn.run = link_turn;
	list_init(&link->streams);
	list_init(&link->told);
	timeout_init(&link->idle, link_idle_too_long, link);
	link->has_room = true;
	list_add_first(&agent->links, &link->node);
	agent->link_count++;
	*link_out = link;
	return result;
}

/* An idle connection with something to be read may have been left by the server: that is for its own turn to find out. */
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
	return link->is_connecting || loop_now_ms(link->world->loop) - link->opened_ms < FRESH_MS;
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
	link_update_room(link);
	link_look_at_age(link);
	return result;
}

/* -- a stream's verbs ---------------------------------------------------------------------------------------------- */

void
h2_stream_ask(struct h2_stream *stream, struct arena *arena, struct h2_client_head *head, bool has_content)
{
	struct h2_link *link = stream->link;

	assert(!link->is_connecting);
	head->scheme = link->socket->stream.tls != NULL ? SPAN_OF("https") : SPAN_OF("http");
	stream->codec.arena = arena;
	if (!h2_client_ask(link->client, &stream->codec, head, has_content)) {
		stream->codec.has_written_all = !has_content;
		stream->was_refused = true;
		stream_tell_later(stream);
	}
	loop_later(link->world->loop, &link->turn);
}

void
h2_stream_write(struct h2_stream *stream, struct span piece, bool last, const struct fields *trailers)
{
	h2_client_write(stream->link->client, &stream->codec, piece, last, trailers);
	loop_later(stream->link->world->loop, &stream->link->turn);
}

void
h2_stream_consume(struct h2_stream *stream)
{
	if (stream->link == NULL)
		return;
	h2_client_consume(stream->link->client, &stream->codec);
	loop_later(stream->link->world->loop, &stream->link->turn);
}

bool
h2_stream_is_handshaking(const struct h2_stream *stream)
{
	return stream->link != NULL && stream->link->socket->is_handshaking;
}

void
h2_stream_leave(struct h2_stream *stream)
{
	struct h2_link *link = stream->link;

	if (link == NULL) {
		text_fini(&stream->codec.waiting);
		stream->codec.sent = 0;
		return;
	}
	stream_unlink(stream);
	h2_client_drop(link->client, &stream->codec);
	link_update_room(link);
	loop_later(link->world->loop, &link->turn);
}
