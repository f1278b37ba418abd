/*
 * What nghttp2 tells of the client's frames becomes requests, content and ends; what costs us and brings the client nothing
 * is counted against his budget.
 *
 * A fatal result from a callback stops nghttp2 at once, so whoever abuses the protocol is not worked for any longer.
 */
#include "downstream/h2_exchange.h"

#include "codec/h2_session.h"
#include "codec/trailers.h"

#include <assert.h>

enum { WINDOW_TINY = 256, WINDOW_SHARE = 4 /* of the connection's, for one stream */, PRIORITY_LENGTH = 5,
	FRAME_HEAD = 9, UNSEEN_CREDIT_MAX = 64 * 1024 * 1024, STOP = NGHTTP2_ERR_CALLBACK_FAILURE };

static struct h2_exchange *
exchange_of(struct h2 *h2, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(h2->session, stream_id);
}

/* -- what costs ---------------------------------------------------------------------------------------------------- */

static int
spend(struct h2 *h2, enum h2_cost cost)
{
	h2_spend(h2, cost);
	return h2->abuse ? STOP : 0;
}

/* Errors of the connection that nghttp2 is too lenient to see. */
static int
stop_with(struct h2 *h2, uint32_t code)
{
	h2->stop_code = code;
	return STOP;
}

/*
 * Frames for streams that are over reach no other callback, and their content none at all: only its bytes are missed
 * (h2->unseen), of which each stream's end explains a window. Some cross every stream's end; whoever sends more of them
 * than streams can explain wants nothing but to keep us busy.
 */
static int
stray_take(struct h2 *h2, int32_t stream_id)
{
	if (stream_id == 0 || nghttp2_session_find_stream(h2->session, stream_id) != NULL)
		return 0;
	if (h2->strays == 0)
		return spend(h2, H2_COST_EMPTIES);
	h2->strays--;
	return 0;
}

static int
continuation_begin(struct h2 *h2)
{
	if (++h2->continuations <= H2_CONTINUATIONS_MAX)
		return 0;
	h2->abuse = "CONTINUATION frames";
	return STOP;
}

/*
 * RFC 9113 §5.1.1: a stream's number may not be used again. What nghttp2 has forgotten it drops in silence; that is right
 * only where trailers crossed our own reset.
 */
static int
headers_begin(struct h2 *h2, int32_t stream_id)
{
	h2->continuations = 0;
	if (stream_id > nghttp2_session_get_last_proc_stream_id(h2->session) || stream_id % 2 == 0 || h2->refuses ||
	    nghttp2_session_find_stream(h2->session, stream_id) != NULL)
		return 0;
	for (unsigned i = 0; i < H2_RESETS_KEPT; i++) {
		if (h2->was_reset[i] == stream_id)
			return stray_take(h2, stream_id);
	}
	return stop_with(h2, NGHTTP2_STREAM_CLOSED);
}

/* RFC 9113 §6.3. They mean nothing any more, but must be well formed. */
static int
priority_begin(struct h2 *h2, const nghttp2_frame_hd *frame)
{
	if (frame->stream_id == 0)
		return stop_with(h2, NGHTTP2_PROTOCOL_ERROR);
	if (frame->length != PRIORITY_LENGTH)
		return stop_with(h2, NGHTTP2_FRAME_SIZE_ERROR);
	return spend(h2, H2_COST_PRIORITIES);
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *owner)
{
	struct h2 *h2 = owner;
	bool is_ack = frame->flags & NGHTTP2_FLAG_ACK;

	(void)session;
	h2->unseen -= FRAME_HEAD + (int64_t)frame->length;
	switch (frame->type) {
	case NGHTTP2_HEADERS:
		return headers_begin(h2, frame->stream_id);
	case NGHTTP2_DATA:
		return 0;
	case NGHTTP2_WINDOW_UPDATE:
		return stray_take(h2, frame->stream_id);
	case NGHTTP2_CONTINUATION:
		return continuation_begin(h2);
	case NGHTTP2_GOAWAY:
	case NGHTTP2_PUSH_PROMISE:
		return 0;
	case NGHTTP2_RST_STREAM:
		return spend(h2, H2_COST_RESETS);
	case NGHTTP2_PING:
		return is_ack ? 0 : spend(h2, H2_COST_PINGS);
	case NGHTTP2_SETTINGS:
		return is_ack ? 0 : spend(h2, H2_COST_SETTINGS);
	case NGHTTP2_PRIORITY:
		return priority_begin(h2, frame);
	case NGHTTP2_PRIORITY_UPDATE:
		return spend(h2, H2_COST_PRIORITIES);
	default:
		return spend(h2, H2_COST_UNKNOWNS);
	}
}

/* -- header blocks ------------------------------------------------------------------------------------------------- */

static int
stream_refuse(struct h2 *h2, int32_t stream_id)
{
	nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_REFUSED_STREAM);
	return spend(h2, H2_COST_ERRORS);
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2 *h2 = owner;
	int32_t stream_id = frame->hd.stream_id;

	h2->in_block = true;
	h2->blocks++;
	h2->reading = NULL;
	if (h2->is_gone)
		return STOP;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		h2->reading = exchange_of(h2, stream_id);
		if (h2->reading)
			h2_trailers_init(&h2->reading->head, &h2->reading->request.trailers,
			    &h2->conn->downstream->head_limits);
		return 0;
	}
	if (h2->refuses || h2->open >= h2->conn->downstream->settings.limits->http2.max_streams)
		return stream_refuse(h2, stream_id);
	h2->reading = h2_exchange_create(h2, stream_id);
	nghttp2_session_set_stream_user_data(session, stream_id, h2->reading);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, uint8_t flags, void *owner)
{
	struct h2 *h2 = owner;

	(void)session;
	(void)frame;
	(void)flags;
	/* Of a stream that is refused nothing is kept, so its size costs nothing either. */
	if (h2->reading == NULL || h2_head_add(&h2->reading->head, span_make((const char *)name, name_len),
	    span_make((const char *)value, value_len)) != H2_BOMB)
		return 0;
	h2->abuse = "header blocks many times as large as allowed (HPACK bomb)";
	return STOP;
}

static int
block_end(struct h2 *h2, const nghttp2_frame *frame)
{
	struct h2_exchange *exchange = h2->reading;
	bool has_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	h2->in_block = false;
	h2->reading = NULL;
	if (exchange == NULL)
		return 0;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		h2_exchange_dispatch(exchange, has_end);
	} else if (h2_head_end(&exchange->head, has_end) == H2_GOOD) {
		h2_content_end(exchange);
	} else {
		h2_exchange_gone(exchange, NGHTTP2_PROTOCOL_ERROR, exchange->head.why);
	}
	return 0;
}

/* -- everything else ----------------------------------------------------------------------------------------------- */

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes, size_t len, void *owner)
{
	struct h2 *h2 = owner;
	struct h2_exchange *exchange = exchange_of(h2, stream_id);

	(void)flags;
	if (exchange)
		h2_content_take(exchange, span_make((const char *)bytes, len));
	else
		nghttp2_session_consume(session, stream_id, len);
	return 0;
}

static int
data_end(struct h2 *h2, const nghttp2_frame *frame)
{
	struct h2_exchange *exchange;

	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return frame->hd.length <= frame->data.padlen ? spend(h2, H2_COST_EMPTIES) : 0;
	exchange = exchange_of(h2, frame->hd.stream_id);
	if (exchange)
		h2_content_end(exchange);
	return 0;
}

static int
settings_take(struct h2 *h2, const nghttp2_settings *settings)
{
	h2->settled = true;
	for (size_t i = 0; i < settings->niv; i++)
		h2->windows_grew |= settings->iv[i].settings_id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE;
	return 0;
}

/* RFC 9218 §7.1. */
static int
priority_update_take(struct h2 *h2, const nghttp2_ext_priority_update *update)
{
	return update->stream_id == 0 ? stop_with(h2, NGHTTP2_PROTOCOL_ERROR) : 0;
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2 *h2 = owner;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		return block_end(h2, frame);
	case NGHTTP2_DATA:
		return data_end(h2, frame);
	case NGHTTP2_SETTINGS:
		return settings_take(h2, &frame->settings);
	case NGHTTP2_PRIORITY_UPDATE:
		return priority_update_take(h2, frame->ext.payload);
	case NGHTTP2_WINDOW_UPDATE:
		return frame->window_update.window_size_increment < WINDOW_TINY ? spend(h2, H2_COST_WINDOWS) : 0;
	default:
		return 0;
	}
}

static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *owner)
{
	struct h2 *h2 = owner;

	(void)session;
	(void)error;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		h2->in_block = false;
		h2->reading = NULL;
	}
	return 0;
}

/* Frames of unknown types are counted and forgotten. */
static int
on_unknown_frame(nghttp2_session *session, void **payload_out, const nghttp2_frame_hd *frame, void *owner)
{
	(void)session;
	(void)frame;
	(void)owner;
	*payload_out = NULL;
	return NGHTTP2_ERR_CANCEL;
}

static int
on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *owner)
{
	struct h2 *h2 = owner;
	struct h2_exchange *exchange = exchange_of(h2, stream_id);

	if (h2->strays < H2_STRAYS_MAX)
		h2->strays += H2_STRAYS;
	if (h2->unseen > -UNSEEN_CREDIT_MAX)
		h2->unseen -= (int64_t)h2->conn->downstream->settings.limits->http2.window / WINDOW_SHARE;
	if (exchange == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(session, stream_id, NULL);
	h2_exchange_closed(exchange, code == NGHTTP2_NO_ERROR ? "the stream was closed" :
	    "the client reset the stream");
	return 0;
}

/* -- what we send -------------------------------------------------------------------------------------------------- */

/* RST_STREAM that the client makes us send (MadeYouReset), by its own errors only. */
static bool
is_clients_error(uint32_t code)
{
	return code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR || code == NGHTTP2_STREAM_CLOSED ||
	    code == NGHTTP2_FRAME_SIZE_ERROR || code == NGHTTP2_COMPRESSION_ERROR;
}

static void
reset_sent(struct h2 *h2, int32_t stream_id, uint32_t code)
{
	h2->was_reset[h2->reset_at++ % H2_RESETS_KEPT] = stream_id;
	if (is_clients_error(code))
		h2_spend(h2, H2_COST_ERRORS);
}

/* RFC 9113 §6.9.2: SETTINGS that make a window overflow end the connection; nghttp2 would reset that stream and go on. */
static bool
is_overflow(const struct h2 *h2, const nghttp2_frame *frame)
{
	return h2->windows_grew && frame->hd.type == NGHTTP2_RST_STREAM &&
	    frame->rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR;
}

static int
on_frame_leaving(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2 *h2 = owner;

	(void)session;
	if (is_overflow(h2, frame)) {
		h2->stop_code = NGHTTP2_FLOW_CONTROL_ERROR;
		return NGHTTP2_ERR_CANCEL;
	}
	/* What nghttp2 itself calls abuse is to be told and counted, too. */
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM &&
	    h2->abuse == NULL)
		h2->abuse = "SETTINGS frames with too many entries";
	return 0;
}

static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2 *h2 = owner;
	struct h2_exchange *exchange;

	(void)session;
	if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		exchange = exchange_of(h2, frame->hd.stream_id);
		if (exchange)
			h2_out_end_sent(exchange);
	} else if (frame->hd.type == NGHTTP2_RST_STREAM) {
		reset_sent(h2, frame->hd.stream_id, frame->rst_stream.error_code);
	}
	return 0;
}

/* A head too large even for us. Of a stream that is closed already nobody waits for it. */
static int
on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *owner)
{
	struct h2_exchange *exchange;

	(void)session;
	(void)error;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	exchange = exchange_of(owner, frame->hd.stream_id);
	if (exchange)
		h2_exchange_gone(exchange, NGHTTP2_INTERNAL_ERROR, "the response's head is too large for HTTP/2");
	return 0;
}

nghttp2_session *
h2_input_session(struct h2 *h2)
{
	static nghttp2_session_callbacks *callbacks;
	const struct limits *limits = h2->conn->downstream->settings.limits;
	const struct h2_session_limits told = { .window = (uint32_t)limits->http2.window,
		.stream_window = (uint32_t)limits->http2.window / WINDOW_SHARE,
		.header_size = (uint32_t)limits->header_size };

	if (callbacks == NULL) {
		if (nghttp2_session_callbacks_new(&callbacks) != 0)
			assert(!"nghttp2 allocates its callbacks with malloc");
		nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
		nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
		nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
		nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unknown_frame);
		nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
		nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_frame_leaving);
		nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
		nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_sent);
		nghttp2_session_callbacks_set_send_data_callback(callbacks, h2_out_frame);
	}
	return h2_session_create(callbacks, h2, &told);
}
