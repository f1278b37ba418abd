/*
 * What one read brings is kept as pieces of the buffer it lies in, and told when all of it has been looked at: so a
 * small response is one call, and a stream that turns out to be broken can still be answered in another way.
 */
#include "upstream/h2_link_inside.h"

#include "upstream/world.h"

#include <assert.h>

enum {
	JOINED_MAX = 2048,	/* pieces that are copied together */
	FRAME_HEAD = 9,
};

void
h2_stream_unlink(struct h2_stream *stream)
{
	struct h2_link *link = stream->link;

	stream->link = NULL;
	list_remove(&stream->node);
	list_remove(&stream->told_node);
	link->count--;
	link->agent->streams--;
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
		h2_stream_unlink(stream);
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

void
h2_link_tell(struct h2_link *link)
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

	h2_stream_unlink(stream);
	h2_link_look_at_client(link);	/* GOAWAY may be the reason: another try must not come here */
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

const struct h2_client_events h2_link_codec_events = {
	.on_head	= codec_head,
	.on_content	= codec_content,
	.on_end		= codec_end,
	.on_failed	= codec_failed,
	.on_taken	= codec_taken,
};

/* -- what owners ask for ------------------------------------------------------------------------------------------- */

void
h2_stream_ask(struct h2_stream *stream, struct arena *arena, struct h2_client_head *head, bool has_content)
{
	struct h2_link *link = stream->link;

	assert(!link->is_connecting);
	h2_link_feel_pulse(link);
	head->scheme = link->socket->stream.tls != NULL ? SPAN_OF("https") : SPAN_OF("http");
	stream->codec.arena = arena;
	if (!h2_client_ask(link->client, &stream->codec, head, has_content)) {
		stream->codec.has_written_all = !has_content;
		stream->was_refused = true;
		stream_tell_later(stream);
		h2_link_look_at_client(link);	/* another try must not come here */
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
		list_remove(&stream->node);	/* of those that have yet to hear that their link is gone */
		text_fini(&stream->codec.waiting);
		stream->codec.sent = 0;
		return;
	}
	h2_stream_unlink(stream);
	h2_client_drop(link->client, &stream->codec);
	h2_link_update_room(link);
	loop_later(link->world->loop, &link->turn);
}
