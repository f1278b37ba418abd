/*
 * What nghttp2 tells of frames that have come. Its checks of messages are on; what they let pass is judged here. Nobody
 * hears of a stream that failed or was dropped: its user data is NULL.
 */
#include "codec/h2_client_inside.h"

#include "base/count.h"
#include "codec/h2_nv.h"
#include "codec/trailers.h"

#include <stdio.h>

enum {
	FIELD_OVERHEAD = 32,	/* RFC 9113 §6.5.2 */
	BOMB_FACTOR = 64,	/* of H2_CLIENT_HEAD_MAX: such a head is no mistake */
	CHATTER_MAX = 10000,	/* frames in a row that say nothing of any response */
	CONTINUATIONS_MAX = 64,	/* frames of one head: they may be empty */
};

/* -- why ----------------------------------------------------------------------------------------------------------- */

/* By error code, RFC 9113 §7. */
static const char *const reset_whys[] = {
	"it reset the stream: NO_ERROR, before the response was complete",
	"it reset the stream: PROTOCOL_ERROR",
	"it reset the stream: INTERNAL_ERROR",
	"it reset the stream: FLOW_CONTROL_ERROR",
	"it reset the stream: SETTINGS_TIMEOUT",
	"it reset the stream: STREAM_CLOSED",
	"it reset the stream: FRAME_SIZE_ERROR",
	"it refused the stream",
	"it reset the stream: CANCEL",
	"it reset the stream: COMPRESSION_ERROR",
	"it reset the stream: CONNECT_ERROR",
	"it reset the stream: ENHANCE_YOUR_CALM",
	"it reset the stream: INADEQUATE_SECURITY",
	"it wants HTTP/1.1 for this request (HTTP_1_1_REQUIRED)",
};
static_assert(COUNT(reset_whys) == NGHTTP2_HTTP_1_1_REQUIRED + 1, "a sentence for every code");

static const char *
reset_why(uint32_t code)
{
	return code < COUNT(reset_whys) ? reset_whys[code] : "it reset the stream with an unknown code";
}

/* -- streams ------------------------------------------------------------------------------------------------------- */

static int
stream_fail(struct h2_client *client, struct h2_client_stream *stream, enum h2_failure failure, const char *why)
{
	int32_t id = stream->id;

	h2_client_detach(client, stream);
	nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
	client->events->on_failed(stream, failure, why);
	return 0;
}

/* Something that belongs to no response, or is empty. */
static int
chatter_count(struct h2_client *client)
{
	if (++client->chatter > CHATTER_MAX) {
		h2_client_set_why(client, "it sends control frames without end");
		nghttp2_session_terminate_session(client->session, NGHTTP2_ENHANCE_YOUR_CALM);
	}
	return 0;
}

/* -- heads --------------------------------------------------------------------------------------------------------- */

static int
frame_begins(nghttp2_session *session, const nghttp2_frame_hd *head, void *owner)
{
	struct h2_client *client = owner;

	(void)session;
	if (head->type != NGHTTP2_CONTINUATION || ++client->continuations <= CONTINUATIONS_MAX)
		return 0;
	h2_client_set_why(client, "it sent a header block without end");
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
header_begins(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2_client *client = owner;

	client->list_size = 0;
	client->status = 0;
	client->chatter = 0;
	client->continuations = 0;
	client->reading = h2_client_stream_of(session, frame->hd.stream_id);
	if (client->reading != NULL)
		fields_init(&client->fields, client->reading->arena, client->room, H2_CLIENT_ROOM);
	return 0;
}

/* nghttp2 has seen to it that there are three digits. */
static unsigned
status_read(const uint8_t *value, size_t length)
{
	unsigned status = 0;

	for (size_t i = 0; i < length && i < 3; i++)
		status = status * 10 + (value[i] - '0');
	return status;
}

static bool
is_trailer(const struct h2_client *client)
{
	return client->reading->has_head;
}

static int
header_comes(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
    const uint8_t *value, size_t value_length, uint8_t flags, void *owner)
{
	struct h2_client *client = owner;
	struct span name_span = { (const char *)name, name_length };

	(void)session, (void)frame, (void)flags;
	client->list_size += name_length + value_length + FIELD_OVERHEAD;
	if (client->list_size > (size_t)H2_CLIENT_HEAD_MAX * BOMB_FACTOR) {
		h2_client_set_why(client, "it sent a header block without end");
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	if (client->reading == NULL)
		return 0;
	if (name[0] == ':') {
		client->status = status_read(value, value_length);
		return 0;
	}
	if (client->list_size > H2_CLIENT_HEAD_MAX || client->fields.count == H2_CLIENT_FIELDS_MAX)
		return stream_fail(client, client->reading, H2_FAILED_MALFORMED, "the head is too large");
	if (!is_trailer(client) || trailer_is_allowed(field_name_of(name_span)))
		h2_field_take(&client->fields, name_span, span_make((const char *)value, value_length));
	return 0;
}

/* RFC 9113 §8.2.1: such a message is malformed, whole. nghttp2 would only leave the field out. */
static int
header_is_bad(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
    const uint8_t *value, size_t value_length, uint8_t flags, void *owner)
{
	struct h2_client *client = owner;

	(void)session, (void)frame, (void)name, (void)name_length, (void)value, (void)value_length, (void)flags;
	if (client->reading != NULL)
		stream_fail(client, client->reading, H2_FAILED_MALFORMED, "a field with bytes that none may have");
	return 0;
}

static void
head_ended(struct h2_client *client, struct h2_client_stream *stream)
{
	static const struct fields none = { .count = 0 };

	client->events->on_end(stream, &none);
}

/* The events may drop the stream: it is asked for anew after each. */
static int
head_complete(struct h2_client *client, const nghttp2_frame *frame)
{
	struct h2_client_stream *stream = client->reading;
	unsigned status = client->status;

	if (stream == NULL)
		return 0;
	client->reading = NULL;
	stream->is_ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	if (stream->has_head) {
		client->events->on_end(stream, &client->fields);
		return 0;
	}
	if (status < 100 || status > 599) {
		stream->is_ended = false;
		return stream_fail(client, stream, H2_FAILED_MALFORMED, "a status that is none");
	}
	stream->has_head = status >= 200;
	client->events->on_head(stream, status, &client->fields);
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    h2_client_stream_of(client->session, frame->hd.stream_id) == stream)
		head_ended(client, stream);
	return 0;
}

/* -- content and the rest ------------------------------------------------------------------------------------------ */

static int
content_comes(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *owner)
{
	struct h2_client *client = owner;
	struct h2_client_stream *stream = h2_client_stream_of(session, id);

	(void)flags;
	nghttp2_session_consume_connection(session, length);
	client->chatter = 0;
	if (stream == NULL)
		return 0;
	stream->unconsumed += (uint32_t)length;
	client->events->on_content(stream, span_make((const char *)bytes, length));
	return 0;
}

static int
data_comes(struct h2_client *client, const nghttp2_frame *frame)
{
	struct h2_client_stream *stream;

	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return frame->hd.length == 0 ? chatter_count(client) : 0;
	stream = h2_client_stream_of(client->session, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	stream->is_ended = true;
	head_ended(client, stream);
	return 0;
}

static void
reset_comes(struct h2_client *client, const nghttp2_frame *frame)
{
	struct h2_client_stream *stream = h2_client_stream_of(client->session, frame->hd.stream_id);

	if (stream == NULL)
		return;
	stream->was_reset = true;
	stream->reset_code = frame->rst_stream.error_code;
}

static void
goaway_comes(struct h2_client *client, const nghttp2_frame *frame)
{
	char why[H2_CLIENT_WHY_MAX];

	if (frame->goaway.error_code == NGHTTP2_NO_ERROR)
		return;
	snprintf(why, sizeof(why), "it ended the HTTP/2 session with %s",
	    nghttp2_http2_strerror(frame->goaway.error_code));
	h2_client_set_why(client, why);
}

static int
frame_comes(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2_client *client = owner;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		return head_complete(client, frame);
	case NGHTTP2_DATA:
		return data_comes(client, frame);
	case NGHTTP2_RST_STREAM:
		reset_comes(client, frame);
		break;
	case NGHTTP2_GOAWAY:
		goaway_comes(client, frame);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		break;
	default:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			return chatter_count(client);
		break;
	}
	return 0;
}

/* A frame that a stream's state or the rules of messages forbid. Of stream 0: nghttp2 ends the session. */
static int
frame_is_bad(nghttp2_session *session, const nghttp2_frame *frame, int error, void *owner)
{
	struct h2_client *client = owner;
	struct h2_client_stream *stream = h2_client_stream_of(session, frame->hd.stream_id);
	bool is_message = error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING;

	client->complaint = nghttp2_strerror(error);
	if (stream == NULL)
		return 0;
	return stream_fail(client, stream, H2_FAILED_MALFORMED,
	    is_message ? "a response that the rules of HTTP/2 forbid" : client->complaint);
}

static int
session_complains(nghttp2_session *session, int error, const char *text, size_t length, void *owner)
{
	struct h2_client *client = owner;

	(void)session, (void)text, (void)length;
	client->complaint = nghttp2_strerror(error);
	if (error == NGHTTP2_ERR_SETTINGS_EXPECTED)
		h2_client_set_why(client, "it does not speak HTTP/2");
	return 0;
}

/* By the server, by GOAWAY, or by nghttp2, which could not make the frames: the last two without RST_STREAM. */
static const char *
refused_why(const struct h2_client *client, const struct h2_client_stream *stream)
{
	if (stream->was_reset)
		return reset_why(NGHTTP2_REFUSED_STREAM);
	if (!stream->is_laid && h2_client_takes_more(client))
		return "the request's head is too large to be sent";
	return "it takes no more requests on this connection";
}

static int
stream_closes(nghttp2_session *session, int32_t id, uint32_t code, void *owner)
{
	struct h2_client *client = owner;
	struct h2_client_stream *stream = h2_client_stream_of(session, id);

	if (stream == NULL)
		return 0;
	h2_client_detach(client, stream);
	if (stream->is_ended)
		return 0;
	if (code == NGHTTP2_REFUSED_STREAM)
		client->events->on_failed(stream, H2_FAILED_UNPROCESSED, refused_why(client, stream));
	else if (stream->was_reset)
		client->events->on_failed(stream, H2_FAILED_RESET, reset_why(code));
	else
		client->events->on_failed(stream, H2_FAILED_MALFORMED,
		    "content that does not agree with its Content-Length");
	return 0;
}

void
h2_client_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, frame_begins);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, header_begins);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, header_comes);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, header_is_bad);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_comes);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, frame_is_bad);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, content_comes);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closes);
	nghttp2_session_callbacks_set_error_callback2(callbacks, session_complains);
}
