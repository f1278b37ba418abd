/*
 * What nghttp2 asks for when it makes frames. Content goes straight from `waiting` behind what was gathered before, so
 * that it is copied once.
 */
#include "codec/h2_client_inside.h"

#include "codec/h2_nv.h"
#include "codec/trailers.h"

#include <assert.h>

static void
trailers_submit(struct h2_client *client, struct h2_client_stream *stream)
{
	const struct fields *trailers = stream->trailers;
	nghttp2_nv *pairs = arena_alloc(stream->arena, trailers->count * sizeof(*pairs));
	size_t count = h2_nv_lay(pairs, trailers, fields_not_in_trailers, stream->arena);

	nghttp2_submit_trailer(client->session, stream->id, pairs, count);
}

/* What lies in `waiting` is taken by content_lay(), at the moment when it is sent. */
ssize_t
h2_client_content_ask(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *owner)
{
	struct h2_client_stream *stream = h2_client_stream_of(session, id);
	size_t waiting, count;

	(void)to, (void)source;
	if (stream == NULL)
		return NGHTTP2_ERR_DEFERRED;	/* its RST_STREAM is on the way */
	waiting = h2_client_waiting(stream);
	count = waiting < room ? waiting : room;
	if (count == 0 && !stream->has_written_all)
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (count < waiting || !stream->has_written_all)
		return (ssize_t)count;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->trailers != NULL) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		trailers_submit(owner, stream);
	}
	return (ssize_t)count;
}

static int
content_lay(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head, size_t length,
    nghttp2_data_source *source, void *owner)
{
	enum { FRAME_HEAD = 9 };
	struct h2_client *client = owner;
	struct h2_client_stream *stream = h2_client_stream_of(session, frame->hd.stream_id);

	(void)source;
	if (stream == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (client->out->len >= H2_CLIENT_GATHER_MAX)
		return NGHTTP2_ERR_WOULDBLOCK;
	assert(length <= h2_client_waiting(stream));
	text_add(client->out, span_make((const char *)frame_head, FRAME_HEAD));
	if (length > 0)
		text_add(client->out, span_make(stream->waiting.bytes + stream->sent, length));
	client->gathered += FRAME_HEAD + length;
	stream->sent += length;
	if (stream->sent < stream->waiting.len)
		return 0;
	text_clear(&stream->waiting);
	stream->sent = 0;
	client->events->on_taken(stream);
	return 0;
}

/* Where a request's head begins among all bytes: whoever knows what the server has taken knows if that is among it. */
static int
frame_leaves(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2_client *client = owner;
	struct h2_client_stream *stream;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	stream = h2_client_stream_of(session, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	stream->is_laid = true;
	stream->head_at = client->gathered;
	return 0;
}

void
h2_client_send_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, frame_leaves);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, content_lay);
}
