/*
 * What leaves: nghttp2's scheduler asks for content when a stream has its place (windows, RFC 9218), and it is copied
 * straight into the buffer that one write takes, among the frames that nghttp2 lays down itself.
 *
 * That buffer is one for the whole process: what the socket does not take moves to the connection.
 */
#include "downstream/h2_exchange.h"

#include "base/put.h"
#include "codec/h2_session.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

enum {
	GATHER_HIGH = 64 * 1024,	/* no frame is begun beyond this */
	FRAME_HEAD = 9,
};

static struct {
	size_t	len;
	char	bytes[GATHER_HIGH + H2_HELLO_MAX + 2 * H2_FRAME_MAX];
} gathered;

/* -- what waits ---------------------------------------------------------------------------------------------------- */

uint64_t
h2_out_waiting(const struct h2_exchange *exchange)
{
	return exchange->rest.len + out_waiting(&exchange->out) + exchange->out.file_left;
}

void
h2_out_mark(struct h2_exchange *exchange, bool is_sending)
{
	if (exchange->is_sending == is_sending)
		return;
	exchange->is_sending = is_sending;
	exchange->h2->sending += is_sending ? 1 : -1;
	if (!is_sending)
		timeout_disarm(&exchange->send_timeout);
}

void
h2_out_drop(struct h2_exchange *exchange)
{
	exchange->rest.len = 0;
	out_fini(&exchange->out);
	h2_out_mark(exchange, false);
}

/* Takes `count` bytes, which are there, to `to`. False: the file has become shorter. */
static bool
waiting_take(struct h2_exchange *exchange, char *to, size_t count)
{
	struct out *out = &exchange->out;
	size_t part = count < exchange->rest.len ? count : exchange->rest.len;

	to = put_span(to, span_first(exchange->rest, part));
	exchange->rest = span_skip(exchange->rest, part);
	count -= part;
	part = count < out_waiting(out) ? count : out_waiting(out);
	to = put_span(to, span_first(span_skip(text_span(&out->bytes), out->sent), part));
	out->sent += part;
	count -= part;
	if (out->sent > 0 && out_waiting(out) == 0) {
		text_fini(&out->bytes);
		out->sent = 0;
	}
	while (count > 0) {
		ssize_t got = pread(out->file, to, count, (off_t)out->file_at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		count -= (size_t)got;
		out->file_at += (uint64_t)got;
		out->file_left -= (uint64_t)got;
	}
	return true;
}

/* -- nghttp2 asks for content -------------------------------------------------------------------------------------- */

void
h2_out_end_sent(struct h2_exchange *exchange)
{
	exchange->sent_end = true;
	h2_out_mark(exchange, false);
	if (!exchange->remote_ended && !exchange->is_reset)
		h2_content_linger(exchange);
}

/* How much of what waits the frame takes; the bytes come in h2_out_frame(). */
ssize_t
h2_out_length(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *owner)
{
	struct h2_exchange *exchange = source->ptr;
	uint64_t count = h2_out_waiting(exchange);

	(void)to;
	(void)owner;
	if (count == 0 && !exchange->finished) {
		exchange->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (count > room)
		return (ssize_t)room;
	if (exchange->finished) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (exchange->trailer_count > 0) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			nghttp2_submit_trailer(session, stream_id, exchange->trailers, exchange->trailer_count);
		}
	}
	return (ssize_t)count;
}

int
h2_out_frame(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
    nghttp2_data_source *source, void *owner)
{
	struct h2_exchange *exchange = source->ptr;
	char *to = gathered.bytes + gathered.len;

	(void)session;
	(void)owner;
	assert(frame->data.padlen == 0);
	if (gathered.len >= GATHER_HIGH)
		return NGHTTP2_ERR_WOULDBLOCK;
	memcpy(to, head, FRAME_HEAD);
	if (!waiting_take(exchange, to + FRAME_HEAD, length)) {
		exchange->is_reset = true;	/* nghttp2 does it */
		h2_exchange_gone(exchange, NGHTTP2_INTERNAL_ERROR, "the file became shorter");
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	gathered.len += FRAME_HEAD + length;
	exchange->content_out += length;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		h2_out_end_sent(exchange);
	if (exchange->finished || h2_out_waiting(exchange) > 0)
		return 0;
	h2_out_mark(exchange, false);
	if (exchange->paused)
		h2_exchange_add_work(exchange);
	return 0;
}

bool
h2_gather(struct h2 *h2, struct span *bytes_out)
{
	const uint8_t *bytes;
	ssize_t count = 0;

	gathered.len = 0;
	if (!h2->greeted) {
		h2->greeted = true;
		gathered.len = h2_session_hello(h2->session,
		    (uint32_t)h2->conn->downstream->settings.limits->http2.max_streams, gathered.bytes);
	}
	while (gathered.len < GATHER_HIGH && (count = nghttp2_session_mem_send(h2->session, &bytes)) > 0) {
		assert(gathered.len + (size_t)count <= sizeof(gathered.bytes));
		memcpy(gathered.bytes + gathered.len, bytes, (size_t)count);
		gathered.len += (size_t)count;
	}
	*bytes_out = span_make(gathered.bytes, gathered.len);
	return count >= 0;
}
