/*
 * The life of an HTTP/2 connection. What comes in is read once and given to nghttp2; what is to go out is gathered at the
 * end of the turn, of all streams together, and leaves in one write. While the socket does not take it nothing more is
 * laid down, so memory is bounded by what streams may hold.
 */
#include "downstream/h2.h"

#include "base/log.h"
#include "base/memory.h"
#include "codec/h2_session.h"
#include "downstream/h2_exchange.h"
#include "store/slots.h"

#include <assert.h>

enum {
	TURN_QUANTUM = 512 * 1024,		/* bytes written before other connections get their turn */
	QUEUE_HIGH = 2000,			/* frames that wait to go out: nothing more is read */
	ABUSE_LOG_MS = 1000,
	CROSSING_MAX = 64 * 1024 * 1024,	/* bytes of new streams that may cross our last GOAWAY */
};

/* -- abuse --------------------------------------------------------------------------------------------------------- */

void
h2_spend(struct h2 *h2, enum h2_cost cost)
{
	struct downstream *downstream = h2->conn->downstream;

	if (!h2_budget_spend(&h2->budget, cost, downstream->settings.limits->http2.resets_per_second,
	    loop_now_ms(downstream->loop)) && h2->abuse == NULL)
		h2->abuse = h2_cost_text(cost);
}

/* One line a second: whoever attacks must not fill the log, too. */
static void
abuse_log(struct h2 *h2)
{
	static uint64_t next_ms, others;
	uint64_t now_ms = loop_now_ms(h2->conn->downstream->loop);

	if (now_ms < next_ms) {
		others++;
		return;
	}
	next_ms = now_ms + ABUSE_LOG_MS;
	log_say(MSG_H2_ABUSE, log_span("client", h2->conn->client.ip), log_text("what", h2->abuse),
	    log_number("others", others));
	others = 0;
}

/*
 * What nghttp2 still sends is the GOAWAY, what it reads is nothing. Handlers hear that their streams end; the exchanges
 * stay until nghttp2 cannot ask for them any more.
 */
static void
h2_terminate(struct h2 *h2, uint32_t code, const char *why)
{
	struct list_node *node;

	if (h2->terminated)
		return;
	h2->terminated = h2->refuses = true;
	nghttp2_session_terminate_session(h2->session, code);
	for (node = h2->exchanges.next; node != &h2->exchanges; node = node->next) {
		struct h2_exchange *exchange = LIST_OWNER(node, struct h2_exchange, node);

		exchange->is_reset = true;
		h2_exchange_gone(exchange, code, why);
	}
}

/* What the callbacks have found, where nghttp2 is not on the stack. */
static void
errors_end(struct h2 *h2)
{
	if (h2->terminated)
		return;
	if (h2->abuse) {
		slot_add(&h2->conn->downstream->slot->totals.h2_abuse, 1);
		abuse_log(h2);
		h2_terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM, "the connection was ended for abuse");
	} else if (h2->stop_code != NGHTTP2_NO_ERROR) {
		h2_terminate(h2, h2->stop_code, "the client broke the rules of HTTP/2");
	}
}

static bool
has_errors(const struct h2 *h2)
{
	return !h2->terminated && (h2->abuse || h2->stop_code != NGHTTP2_NO_ERROR);
}

/* -- out ----------------------------------------------------------------------------------------------------------- */

static void
out_drop(struct h2 *h2)
{
	text_fini(&h2->out);
	h2->out_sent = 0;
}

/* False: the socket takes no more for now, or nothing ever. */
static bool
bytes_write(struct h2 *h2, struct span bytes, size_t *sent_out)
{
	const struct iovec piece = span_iovec(bytes);

	switch (stream_write(&h2->conn->stream, &piece, 1, false, sent_out)) {
	case STREAM_OK:
		return *sent_out == bytes.len;
	case STREAM_AGAIN:
		*sent_out = 0;
		return false;
	case STREAM_END:
	case STREAM_BROKEN:
		break;
	}
	*sent_out = 0;
	h2->broken = true;
	return false;
}

/* What the socket did not take before. */
static bool
rest_write(struct h2 *h2, bool *moved_io)
{
	bool all;
	size_t sent;

	if (h2->out.len == 0)
		return true;
	all = bytes_write(h2, span_skip(text_span(&h2->out), h2->out_sent), &sent);
	*moved_io |= sent > 0;
	h2->out_sent += sent;
	if (all)
		out_drop(h2);
	return all;
}

static void
work_do(struct h2 *h2)
{
	struct list_node *node;

	while ((node = list_first(&h2->work)) != NULL)
		h2_exchange_work(LIST_OWNER(node, struct h2_exchange, work));
}

/* Gathers and writes until there is nothing more, the socket is full, or others should have their turn. */
static void
frames_write(struct h2 *h2, bool *moved_io)
{
	size_t written = 0;

	h2->has_more = false;
	while (!h2->is_gone && rest_write(h2, moved_io) && !h2->broken) {
		struct span bytes;
		size_t sent;

		work_do(h2);
		errors_end(h2);
		if (h2->is_gone)	/* a handler has closed the connection: nghttp2 must not ask for more content */
			return;
		if (!h2_gather(h2, &bytes))
			h2->broken = true;
		if (bytes.len == 0) {
			if (has_errors(h2))
				continue;
			return;
		}
		if (!bytes_write(h2, bytes, &sent) && !h2->broken)
			text_add(&h2->out, span_skip(bytes, sent));
		*moved_io |= sent > 0;
		written += sent;
		if (written >= TURN_QUANTUM) {
			h2->has_more = true;
			return;
		}
	}
}

/* -- the turn ------------------------------------------------------------------------------------------------------ */

static void
over_release(struct h2 *h2)
{
	struct list_node *node;

	while ((node = list_first(&h2->over)) != NULL)
		h2_exchange_release(LIST_OWNER(node, struct h2_exchange, node));
}

static bool
is_finished(const struct h2 *h2)
{
	if (h2->out.len > 0 || h2->has_more)
		return false;
	return (h2->conn->read_ended && h2->open == 0) ||
	    (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session));
}

/* We have said all; what the client may still send must not make the kernel reset what is on its way to him. */
static void
conn_finish(struct h2 *h2)
{
	struct conn *conn = h2->conn;

	if (conn->read_ended) {
		conn_close(conn);
		return;
	}
	h2_gone(conn, "the connection has ended");
	conn_linger(conn);
}

static void
h2_turn(struct h2 *h2)
{
	struct conn *conn = h2->conn;
	bool moved = false;

	if (h2->is_gone)
		return;
	assert(!h2->receiving && !h2->in_turn);
	loop_later_cancel(&h2->later);
	h2->in_turn = true;
	work_do(h2);
	errors_end(h2);	/* also while the socket takes nothing */
	frames_write(h2, &moved);
	h2->in_turn = false;
	over_release(h2);
	if (h2->is_gone)
		return;
	if (h2->broken) {
		conn_close(conn);
	} else if (is_finished(h2)) {
		conn_finish(h2);
	} else {
		h2_time_streams(h2);
		h2_time_conn(h2, moved);
		conn_update(conn);
	}
}

static void
turn_later(struct later *later)
{
	h2_turn(LIST_OWNER(later, struct h2, later));
}

void
h2_schedule(struct h2 *h2)
{
	if (!h2->in_turn && !h2->receiving && !h2->is_gone)
		loop_later(h2->conn->downstream->loop, &h2->later);
}

/* -- in ------------------------------------------------------------------------------------------------------------ */

static void
bytes_take(struct h2 *h2, struct span bytes)
{
	ssize_t result;

	h2->receiving = true;
	h2->windows_grew = false;
	h2->unseen += (int64_t)bytes.len;
	result = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.at, bytes.len);
	h2->receiving = false;
	if (h2->unseen > H2_UNSEEN_MAX && h2->abuse == NULL)
		h2->abuse = "content for streams that are over";
	if (result >= 0 || h2->is_gone || has_errors(h2))
		return;
	if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
		h2->stop_code = NGHTTP2_PROTOCOL_ERROR;
	else
		h2->abuse = "frames that must be acknowledged";
}

/* The client sends no more: he may still wait for answers, but what is incomplete stays so. */
static void
peer_ended(struct h2 *h2)
{
	struct list_node *node;

	h2->conn->read_ended = true;
	for (node = h2->exchanges.next; node != &h2->exchanges; node = node->next) {
		struct h2_exchange *exchange = LIST_OWNER(node, struct h2_exchange, node);

		if (!exchange->remote_ended)
			h2_exchange_gone(exchange, NGHTTP2_CANCEL, "the client ended before its content did");
	}
}

void
h2_readable(struct conn *conn)
{
	struct downstream *downstream = conn->downstream;
	size_t count;

	switch (stream_read(&conn->stream, downstream->buffer, downstream->buffer_size, &count)) {
	case STREAM_OK:
		bytes_take(conn->h2, span_make(downstream->buffer, count));
		break;
	case STREAM_AGAIN:
		return;
	case STREAM_END:
		peer_ended(conn->h2);
		break;
	case STREAM_BROKEN:
		conn_close(conn);
		return;
	}
	h2_turn(conn->h2);
}

void
h2_writable(struct conn *conn)
{
	h2_turn(conn->h2);
}

unsigned
h2_wants(const struct conn *conn)
{
	const struct h2 *h2 = conn->h2;
	unsigned wants = WATCH_NOTHING;

	if (h2->out.len > 0 || h2->has_more)
		wants |= WATCH_WRITE;
	if (!conn->read_ended && !h2->terminated && nghttp2_session_want_read(h2->session) &&
	    nghttp2_session_get_outbound_queue_size(h2->session) < QUEUE_HIGH)
		wants |= WATCH_READ;
	return wants;
}

void
h2_timed_out(struct conn *conn)
{
	struct h2 *h2 = conn->h2;
	enum h2_timing timing = (enum h2_timing)h2->timing;

	h2->timing = H2_TIMING_NONE;
	if (timing != H2_TIMING_IDLE)
		slot_add(&conn->downstream->slot->totals.timeouts, 1);
	switch (timing) {
	case H2_TIMING_SEND:
		conn->cut = true;
		conn_close(conn);
		return;
	case H2_TIMING_PREFACE:
		h2_terminate(h2, NGHTTP2_SETTINGS_TIMEOUT, "the client's preface did not arrive in time");
		break;
	case H2_TIMING_HEAD:
		h2_terminate(h2, NGHTTP2_NO_ERROR, "the head of another request did not arrive in time");
		break;
	case H2_TIMING_IDLE:
	case H2_TIMING_NONE:
		h2_terminate(h2, NGHTTP2_NO_ERROR, "the connection was idle");
		break;
	}
	h2_turn(h2);
}

/* -- begin and end ------------------------------------------------------------------------------------------------- */

/*
 * The second step: from here on new streams are refused, by nghttp2 in silence once the GOAWAY has left, because that
 * tells the client the same (RFC 9113 §6.8); and when those that are open are done, so are we.
 */
static void
drain_ends(void *owner)
{
	struct h2 *h2 = owner;

	h2->refuses = true;
	h2->unseen -= CROSSING_MAX;
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
	    NGHTTP2_NO_ERROR, NULL, 0);
	h2_schedule(h2);
}

void
h2_drain(struct conn *conn)
{
	struct h2 *h2 = conn->h2;

	if (h2->draining || h2->terminated || h2->is_gone)
		return;
	h2->draining = true;
	nghttp2_submit_shutdown_notice(h2->session);
	timeout_arm(&h2->drain_timeout, conn->downstream->drain_timeout);
	h2_schedule(h2);
}

void
h2_begin(struct conn *conn, struct span bytes)
{
	struct downstream *downstream = conn->downstream;
	struct h2 *h2 = memory_zalloc(sizeof(*h2));

	conn->h2 = h2;
	h2->conn = conn;
	h2->later.run = turn_later;
	list_init(&h2->exchanges);
	list_init(&h2->over);
	list_init(&h2->work);
	timeout_init(&h2->drain_timeout, drain_ends, h2);
	h2_budget_init(&h2->budget, loop_now_ms(downstream->loop));
	h2->session = h2_input_session(h2);
	timeout_disarm(&conn->timeout);	/* of the state before: h2_time_conn() knows only what it armed itself */
	slot_add(&downstream->slot->totals.h2_connections, 1);
	conn_move(conn, CONN_H2);
	if (bytes.len > 0)
		bytes_take(h2, bytes);
	if (downstream->draining)
		h2_drain(conn);
	h2_turn(h2);
}

void
h2_gone(struct conn *conn, const char *why)
{
	struct h2 *h2 = conn->h2;
	struct list_node *node;

	if (h2->is_gone)
		return;
	h2->is_gone = true;
	timeout_disarm(&h2->drain_timeout);
	loop_later_cancel(&h2->later);
	while ((node = list_first(&h2->exchanges)) != NULL)
		h2_exchange_closed(LIST_OWNER(node, struct h2_exchange, node), why);
	if (!h2->receiving && !h2->in_turn)
		over_release(h2);
}

void
h2_free(struct h2 *h2)
{
	if (h2 == NULL)
		return;
	over_release(h2);
	h2_session_free(h2->session);
	out_drop(h2);
	memory_free(h2);
}
