/*
 * nghttp2 keeps the frames, the header compression and the states of streams; a stream's user data is ours, and NULL once
 * nobody listens. Bytes of content are never copied on their way in, and once on their way out of `waiting`.
 */
#include "codec/h2_client.h"

#include "base/count.h"
#include "base/memory.h"
#include "base/put.h"
#include "codec/h2_nv.h"
#include "codec/trailers.h"

#include <assert.h>
#include <stdio.h>

enum {
	ROOM = 64,		/* fields of a response before the arena is needed */
	PSEUDO_MAX = 6,		/* the four of a request, Content-Length, one to spare */
	FIELD_OVERHEAD = 32,	/* RFC 9113 §6.5.2 */
	BOMB_FACTOR = 64,	/* of H2_CLIENT_HEAD_MAX: such a head is no mistake */
	CHATTER_MAX = 10000,	/* frames in a row that say nothing of any response */
	ACKS_MAX = 256,		/* that wait to be sent: who floods us without reading */
	WHY_MAX = 160,
};

struct h2_client {
	nghttp2_session			*session;	/* owned */
	const struct h2_client_events	*events;	/* borrowed: static */
	struct text			*out;		/* during h2_client_gather() */
	uint64_t			 gathered;	/* bytes, ever */
	struct h2_client_stream		*reading;	/* whose header block comes now; NULL: nobody listens */
	struct fields			 fields;	/* of that */
	size_t				 list_size;	/* of that, also of what nobody listens to */
	unsigned			 status;	/* of that; 0: none, as in trailers */
	unsigned			 chatter;
	nghttp2_nv			*pairs;		/* owned: of the request that is being asked */
	size_t				 pair_room;
	const char			*complaint;	/* nghttp2's last; NULL: none */
	char				 why[WHY_MAX];	/* of the end; empty: nobody has said */
	struct field			 room[ROOM];
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

/* The first reason is the one that matters. */
static void
why_set(struct h2_client *client, const char *why)
{
	if (client->why[0] == '\0')
		snprintf(client->why, sizeof(client->why), "%s", why);
}

const char *
h2_client_why(const struct h2_client *client)
{
	if (client->why[0] != '\0')
		return client->why;
	return client->complaint != NULL ? client->complaint : "it ended the HTTP/2 session";
}

/* -- streams ------------------------------------------------------------------------------------------------------- */

static struct h2_client_stream *
stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* nghttp2 knows it no longer; it may still be looked at. */
static void
stream_detach(struct h2_client *client, struct h2_client_stream *stream)
{
	if (client->reading == stream)
		client->reading = NULL;
	nghttp2_session_set_stream_user_data(client->session, stream->id, NULL);
	stream->id = 0;
}

static int
stream_fail(struct h2_client *client, struct h2_client_stream *stream, enum h2_failure failure, const char *why)
{
	int32_t id = stream->id;

	stream_detach(client, stream);
	nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
	client->events->on_failed(stream, failure, why);
	return 0;
}

/* Something that belongs to no response, or is empty. */
static int
chatter_count(struct h2_client *client)
{
	if (++client->chatter > CHATTER_MAX) {
		why_set(client, "it sends control frames without end");
		nghttp2_session_terminate_session(client->session, NGHTTP2_ENHANCE_YOUR_CALM);
	}
	return 0;
}

/* -- heads that come ----------------------------------------------------------------------------------------------- */

static int
header_begins(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2_client *client = owner;

	client->list_size = 0;
	client->status = 0;
	client->chatter = 0;
	client->reading = stream_of(session, frame->hd.stream_id);
	if (client->reading != NULL)
		fields_init(&client->fields, client->reading->arena, client->room, ROOM);
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
		why_set(client, "it sent a header block without end");
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
	    stream_of(client->session, frame->hd.stream_id) == stream)
		head_ended(client, stream);
	return 0;
}

/* -- content and the rest that comes ------------------------------------------------------------------------------- */

static int
content_comes(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *owner)
{
	struct h2_client *client = owner;
	struct h2_client_stream *stream = stream_of(session, id);

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
	stream = stream_of(client->session, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	stream->is_ended = true;
	head_ended(client, stream);
	return 0;
}

static void
reset_comes(struct h2_client *client, const nghttp2_frame *frame)
{
	struct h2_client_stream *stream = stream_of(client->session, frame->hd.stream_id);

	if (stream == NULL)
		return;
	stream->was_reset = true;
	stream->reset_code = frame->rst_stream.error_code;
}

static void
goaway_comes(struct h2_client *client, const nghttp2_frame *frame)
{
	char why[WHY_MAX];

	if (frame->goaway.error_code == NGHTTP2_NO_ERROR)
		return;
	snprintf(why, sizeof(why), "it ended the HTTP/2 session with %s",
	    nghttp2_http2_strerror(frame->goaway.error_code));
	why_set(client, why);
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
		return chatter_count(client);
	}
	return 0;
}

/* A frame that a stream's state or the rules of messages forbid. Of stream 0: nghttp2 ends the session. */
static int
frame_is_bad(nghttp2_session *session, const nghttp2_frame *frame, int error, void *owner)
{
	struct h2_client *client = owner;
	struct h2_client_stream *stream = stream_of(session, frame->hd.stream_id);
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
		why_set(client, "it does not speak HTTP/2");
	return 0;
}

/* Also when GOAWAY or nghttp2 itself takes a stream away: then the code is REFUSED_STREAM, and no RST_STREAM was seen. */
static int
stream_closes(nghttp2_session *session, int32_t id, uint32_t code, void *owner)
{
	struct h2_client *client = owner;
	struct h2_client_stream *stream = stream_of(session, id);

	if (stream == NULL)
		return 0;
	stream_detach(client, stream);
	if (stream->is_ended)
		return 0;
	if (code == NGHTTP2_REFUSED_STREAM)
		client->events->on_failed(stream, H2_FAILED_UNPROCESSED, stream->was_reset ? reset_why(code)
		    : "it takes no more requests on this connection");
	else if (stream->was_reset)
		client->events->on_failed(stream, H2_FAILED_RESET, reset_why(code));
	else
		client->events->on_failed(stream, H2_FAILED_MALFORMED, "content that does not agree with its Content-Length");
	return 0;
}

/* -- what goes out ------------------------------------------------------------------------------------------------- */

static void
trailers_submit(struct h2_client *client, struct h2_client_stream *stream)
{
	const struct fields *trailers = stream->trailers;
	nghttp2_nv *pairs = arena_alloc(stream->arena, trailers->count * sizeof(*pairs));
	size_t count = h2_nv_lay(pairs, trailers, fields_not_in_trailers, stream->arena);

	nghttp2_submit_trailer(client->session, stream->id, pairs, count);
}

/* What lies in `waiting` is taken by content_lay(), at the moment when it is sent. */
static ssize_t
content_ask(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *owner)
{
	struct h2_client_stream *stream = stream_of(session, id);
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
	struct h2_client_stream *stream = stream_of(session, frame->hd.stream_id);

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
	stream = stream_of(session, frame->hd.stream_id);
	if (stream == NULL)
		return 0;
	stream->is_laid = true;
	stream->head_at = client->gathered;
	return 0;
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *
callbacks_make(void)
{
	nghttp2_session_callbacks *callbacks;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, header_begins);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, header_comes);
	nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, header_is_bad);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_comes);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, frame_is_bad);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, content_comes);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closes);
	nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, frame_leaves);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, content_lay);
	nghttp2_session_callbacks_set_error_callback2(callbacks, session_complains);
	return callbacks;
}

static nghttp2_option *
option_make(void)
{
	nghttp2_option *option;

	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
	return option;
}

static void *
session_alloc(size_t size, void *owner)
{
	(void)owner;
	return memory_alloc(size);
}

static void
session_free(void *memory, void *owner)
{
	(void)owner;
	memory_free(memory);
}

static void *
session_zalloc(size_t count, size_t size, void *owner)
{
	(void)owner;
	return memory_zalloc(count * size);
}

static void *
session_resize(void *memory, size_t size, void *owner)
{
	(void)owner;
	return memory_resize(memory, size);
}

/* With memory that is never NULL, what nghttp2 makes cannot fail. */
struct h2_client *
h2_client_create(const struct h2_client_events *events)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_CLIENT_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_CLIENT_HEAD_MAX },
	};
	nghttp2_mem memory = { NULL, session_alloc, session_free, session_zalloc, session_resize };
	struct h2_client *client = memory_zalloc(sizeof(*client));
	nghttp2_session_callbacks *callbacks = callbacks_make();
	nghttp2_option *option = option_make();

	client->events = events;
	nghttp2_session_client_new3(&client->session, callbacks, client, option, &memory);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, settings, COUNT(settings));
	nghttp2_session_set_local_window_size(client->session, NGHTTP2_FLAG_NONE, 0, H2_CLIENT_WINDOW);
	return client;
}

void
h2_client_free(struct h2_client *client)
{
	if (client == NULL)
		return;
	nghttp2_session_del(client->session);
	memory_free(client->pairs);
	memory_free(client);
}

/* -- asking -------------------------------------------------------------------------------------------------------- */

static struct span
number_text(struct arena *arena, uint64_t number)
{
	char *text = arena_alloc(arena, NUMBER_DIGITS_MAX);

	return span_between(text, put_number(text, number));
}

/* RFC 9113 §8.3.1: pseudo-fields come first. */
static size_t
pairs_lay(struct h2_client *client, struct arena *arena, const struct h2_client_head *head)
{
	size_t room = head->fields->count + PSEUDO_MAX, count = 0;
	nghttp2_nv *pairs;

	if (client->pair_room < room) {
		client->pairs = memory_resize(client->pairs, room * sizeof(*pairs));
		client->pair_room = room;
	}
	pairs = client->pairs;
	pairs[count++] = h2_nv_make(SPAN_OF(":method"), head->method);
	pairs[count++] = h2_nv_make(SPAN_OF(":scheme"), head->scheme);
	pairs[count++] = h2_nv_make(SPAN_OF(":authority"), head->authority);
	pairs[count++] = h2_nv_make(SPAN_OF(":path"), head->path);
	count += h2_nv_lay(pairs + count, head->fields, H2_BIT(HOST) | H2_BIT(CONTENT_LENGTH) | H2_BIT(EXPECT) |
	    H2_BIT(HTTP2_SETTINGS), arena);
	if (head->has_length)
		pairs[count++] = h2_nv_make(SPAN_OF("content-length"), number_text(arena, head->content_length));
	return count;
}

bool
h2_client_ask(struct h2_client *client, struct h2_client_stream *stream, const struct h2_client_head *head,
    bool has_content)
{
	const nghttp2_data_provider provider = { .read_callback = content_ask };
	size_t count;
	int32_t id;

	if (!h2_client_takes_more(client))
		return false;
	count = pairs_lay(client, stream->arena, head);
	id = nghttp2_submit_request(client->session, NULL, client->pairs, count, has_content ? &provider : NULL, stream);
	if (id < 0)
		return false;
	stream->id = id;
	stream->has_written_all = !has_content;
	return true;
}

/* What was sent already must not make the text grow for ever. */
static void
waiting_compact(struct h2_client_stream *stream)
{
	size_t left = h2_client_waiting(stream);

	if (stream->sent < left || stream->sent == 0)
		return;
	memmove(stream->waiting.bytes, stream->waiting.bytes + stream->sent, left);
	stream->waiting.len = left;
	stream->sent = 0;
}

void
h2_client_write(struct h2_client *client, struct h2_client_stream *stream, struct span piece, bool last,
    const struct fields *trailers)
{
	assert(!stream->has_written_all);
	waiting_compact(stream);
	text_add(&stream->waiting, piece);
	stream->has_written_all = last;
	stream->trailers = last && trailers != NULL && trailers->count > 0 ? trailers : NULL;
	if (stream->id > 0)
		nghttp2_session_resume_data(client->session, stream->id);
}

void
h2_client_consume(struct h2_client *client, struct h2_client_stream *stream)
{
	if (stream->unconsumed == 0)
		return;
	if (stream->id > 0 && !stream->is_ended)
		nghttp2_session_consume_stream(client->session, stream->id, stream->unconsumed);
	stream->unconsumed = 0;
}

void
h2_client_drop(struct h2_client *client, struct h2_client_stream *stream)
{
	int32_t id = stream->id;

	if (id > 0) {
		stream_detach(client, stream);
		if (!stream->is_ended || nghttp2_session_get_stream_local_close(client->session, id) == 0)
			nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	}
	text_fini(&stream->waiting);
	*stream = (struct h2_client_stream){ .id = 0 };
}

/* -- bytes --------------------------------------------------------------------------------------------------------- */

bool
h2_client_receive(struct h2_client *client, struct span bytes)
{
	ssize_t count = nghttp2_session_mem_recv(client->session, (const uint8_t *)bytes.at, bytes.len);

	if (count >= 0)
		return true;
	why_set(client, count == NGHTTP2_ERR_FLOODED ? "it floods us without reading the answers"
	    : nghttp2_strerror((int)count));
	return false;
}

bool
h2_client_gather(struct h2_client *client, struct text *out)
{
	const uint8_t *bytes;
	ssize_t count = 0;

	client->out = out;
	while (out->len < H2_CLIENT_GATHER_MAX && (count = nghttp2_session_mem_send(client->session, &bytes)) > 0) {
		text_add(out, span_make((const char *)bytes, (size_t)count));
		client->gathered += (size_t)count;
	}
	client->out = NULL;
	if (count >= 0)
		return true;
	why_set(client, nghttp2_strerror((int)count));
	return false;
}

void
h2_client_leave(struct h2_client *client)
{
	nghttp2_session_terminate_session(client->session, NGHTTP2_NO_ERROR);
}

bool
h2_client_is_over(const struct h2_client *client)
{
	return !nghttp2_session_want_read(client->session) && !nghttp2_session_want_write(client->session);
}

bool
h2_client_takes_more(const struct h2_client *client)
{
	return nghttp2_session_check_request_allowed(client->session) != 0;
}

uint32_t
h2_client_streams_max(const struct h2_client *client)
{
	return nghttp2_session_get_remote_settings(client->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}
