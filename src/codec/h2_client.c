/*
 * nghttp2 keeps the frames, the header compression and the states of streams; a stream's user data is ours, and NULL
 * once nobody listens. Bytes of content are never copied on their way in, and once on their way out of `waiting`.
 */
#include "codec/h2_client.h"

#include "base/count.h"
#include "base/memory.h"
#include "base/put.h"
#include "codec/h2_client_inside.h"
#include "codec/h2_nv.h"

#include <assert.h>
#include <stdio.h>

enum {
	PSEUDO_MAX = 6,		/* the four of a request, Content-Length, one to spare */
	ACKS_MAX = 256,		/* that wait to be sent: who floods us without reading */
	HEAD_OUT_MAX = 2 << 20,	/* more than any client may send (`limits.header_size`); nghttp2 has 64K */
};

/* Newer than the version that nghttp2 says it is, where a distribution has carried it back. */
extern void nghttp2_option_set_max_continuations(nghttp2_option *option, size_t count) __attribute__((weak));

/* -- for all files ------------------------------------------------------------------------------------------------- */

void
h2_client_detach(struct h2_client *client, struct h2_client_stream *stream)
{
	if (client->reading == stream)
		client->reading = NULL;
	nghttp2_session_set_stream_user_data(client->session, stream->id, NULL);
	stream->id = 0;
}

void
h2_client_set_why(struct h2_client *client, const char *why)
{
	if (client->why[0] == '\0')
		snprintf(client->why, sizeof(client->why), "%s", why);
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *
callbacks_make(void)
{
	nghttp2_session_callbacks *callbacks;

	nghttp2_session_callbacks_new(&callbacks);
	h2_client_receive_callbacks(callbacks);
	h2_client_send_callbacks(callbacks);
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
	nghttp2_option_set_max_send_header_block_length(option, HEAD_OUT_MAX);
	/* It counts reads that bring a part of one; we count frames (h2_client_receive.c). */
	if (nghttp2_option_set_max_continuations)
		nghttp2_option_set_max_continuations(option, SIZE_MAX);
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
	const nghttp2_data_provider provider = { .read_callback = h2_client_content_ask };
	size_t count;
	int32_t id;

	if (!h2_client_takes_more(client))
		return false;
	count = pairs_lay(client, stream->arena, head);
	id = nghttp2_submit_request(client->session, NULL, client->pairs, count, has_content ? &provider : NULL,
	    stream);
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
		h2_client_detach(client, stream);
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
	h2_client_set_why(client, count == NGHTTP2_ERR_FLOODED ? "it floods us without reading the answers"
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
	h2_client_set_why(client, nghttp2_strerror((int)count));
	return false;
}

void
h2_client_ping(struct h2_client *client)
{
	nghttp2_submit_ping(client->session, NGHTTP2_FLAG_NONE, NULL);
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

const char *
h2_client_why(const struct h2_client *client)
{
	if (client->why[0] != '\0')
		return client->why;
	return client->complaint != NULL ? client->complaint : "it ended the HTTP/2 session";
}
