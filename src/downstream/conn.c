/*
 * The life of a connection: opened with a socket, moved through its states, closed at once or politely. What arrives is
 * conn_input.c's, what leaves h1_out.c's and h2.c's.
 */
#include "downstream/conn.h"

#include "base/count.h"
#include "base/log.h"
#include "base/memory.h"
#include "downstream/h1.h"
#include "downstream/h2.h"
#include "store/slots.h"

#include <assert.h>

#define CONN_STATE_NAME(name) #name,
static const char *const state_names[] = { CONN_STATES(CONN_STATE_NAME) };
static_assert(COUNT(state_names) == CONN_STATE_COUNT, "a name for each state");

/* Bit n: a move to state n is allowed. */
static const uint8_t moves[CONN_STATE_COUNT] = {
	[CONN_PROXY] = 1 << CONN_HANDSHAKE | 1 << CONN_IDLE | 1 << CONN_HEAD | 1 << CONN_CLOSED,
	[CONN_HANDSHAKE] = 1 << CONN_IDLE | 1 << CONN_H2 | 1 << CONN_LINGER | 1 << CONN_CLOSED,
	[CONN_IDLE] = 1 << CONN_HEAD | 1 << CONN_REQUEST | 1 << CONN_H2 | 1 << CONN_LINGER | 1 << CONN_CLOSED,
	[CONN_HEAD] = 1 << CONN_IDLE | 1 << CONN_REQUEST | 1 << CONN_H2 | 1 << CONN_LINGER | 1 << CONN_CLOSED,
	[CONN_REQUEST] = 1 << CONN_IDLE | 1 << CONN_LINGER | 1 << CONN_CLOSED,
	[CONN_H2] = 1 << CONN_LINGER | 1 << CONN_CLOSED,
	[CONN_LINGER] = 1 << CONN_CLOSED,
	[CONN_CLOSED] = 0,
};

void
conn_move(struct conn *conn, enum conn_state state)
{
	if (conn->state == state)
		return;
	if (!(moves[conn->state] >> state & 1)) {
		log_say(MSG_IMPOSSIBLE_MOVE, log_text("of", "connection"), log_text("from", state_names[conn->state]),
		    log_text("to", state_names[state]));
		assert(!"a connection's move that is in no table");
	}
	conn->state = (uint8_t)state;
}

/* -- readiness and time -------------------------------------------------------------------------------------------- */

/* While content stands between us and what is pipelined, and nobody wants it, the client waits. */
static bool
conn_wants_input(const struct conn *conn)
{
	const struct exchange *exchange = conn->exchange;

	if (conn->read_ended)
		return false;
	if (exchange == NULL || exchange->ended || h1_content_is_wanted(exchange))
		return true;
	return exchange->body_done && conn->held_len < CONN_HELD_MAX;
}

static unsigned
conn_wants(const struct conn *conn)
{
	const struct exchange *exchange = conn->exchange;
	unsigned wants = conn_wants_input(conn) ? WATCH_READ : WATCH_NOTHING;

	if (conn->state == CONN_HANDSHAKE)
		return list_holds(&conn->turn_node) ? WATCH_NOTHING : stream_wants(&conn->stream);
	if (conn->state == CONN_H2)
		return h2_wants(conn);
	if (exchange && !exchange->broken && !out_is_empty(&exchange->out))
		wants |= WATCH_WRITE;
	return wants;
}

void
conn_update(struct conn *conn)
{
	unsigned wants;

	if (conn->state == CONN_CLOSED)
		return;
	wants = conn_wants(conn);
	/* What TLS has read ahead makes no socket readable. */
	if ((wants & WATCH_READ) && conn->state != CONN_HANDSHAKE && stream_has_input(&conn->stream))
		loop_later(conn->downstream->loop, &conn->later);
	/* A client that nobody listens to for now may still go away, and what is done for him ends then. */
	watch_want(&conn->watch, wants != WATCH_NOTHING ? wants : WATCH_HANGUP);
}

static struct timeout_class *
body_timeout_of(const struct exchange *exchange)
{
	if (exchange->request.body_timeout_ms > 0)
		return timeout_class_for(exchange->conn->downstream->loop, exchange->request.body_timeout_ms);
	return exchange->conn->downstream->body_timeout;
}

void
conn_arm(struct conn *conn)
{
	const struct downstream *downstream = conn->downstream;
	const struct exchange *exchange = conn->exchange;

	switch ((enum conn_state)conn->state) {
	case CONN_PROXY:
	case CONN_HANDSHAKE:
	case CONN_HEAD:
		timeout_arm(&conn->timeout, downstream->header_timeout);
		break;
	case CONN_IDLE:
		timeout_arm(&conn->timeout, downstream->draining ? downstream->drain_timeout :
		    conn->requests == 0 ? downstream->header_timeout : downstream->keepalive_timeout);
		break;
	case CONN_LINGER:
		timeout_arm(&conn->timeout, downstream->linger_timeout);
		break;
	case CONN_REQUEST:
		if (exchange && !exchange->tunnel && h1_content_is_wanted(exchange))
			timeout_arm(&conn->timeout, body_timeout_of(exchange));
		else
			timeout_disarm(&conn->timeout);
		break;
	case CONN_H2:	/* h2.c does it */
		break;
	case CONN_CLOSED:
	case CONN_STATE_COUNT:
		timeout_disarm(&conn->timeout);
		break;
	}
}

static void
conn_timed_out(void *owner)
{
	struct conn *conn = owner;
	bool was_idle = conn->state == CONN_LINGER || (conn->state == CONN_IDLE && conn->requests > 0);

	if (conn->state == CONN_H2) {
		h2_timed_out(conn);
		return;
	}
	if (!was_idle)
		slot_add(&conn->downstream->slot->totals.timeouts, 1);
	switch ((enum conn_state)conn->state) {
	case CONN_HANDSHAKE:
		conn_handshake_late(conn);
		break;
	case CONN_HEAD:
		exchange_begin(exchange_create(conn));
		exchange_fail(conn->exchange, 408, "the head did not arrive in time");
		break;
	case CONN_REQUEST:
		if (!conn->exchange->ended)
			exchange_fail(conn->exchange, 408, "the content did not arrive in time");
		break;
	default:
		conn_close(conn);
		break;
	}
}

/* Bytes have come: on the socket, or read ahead by TLS. */
static void
conn_read(struct conn *conn)
{
	if (conn->state == CONN_CLOSED || (conn_wants(conn) & WATCH_READ) == 0)
		return;
	if (conn->state == CONN_H2)
		h2_readable(conn);
	else
		conn_readable(conn);
}

static void
conn_ready(void *owner, unsigned ready)
{
	struct conn *conn = owner;

	if (ready & WATCH_HANGUP) {
		conn_close(conn);
		return;
	}
	if (conn->state == CONN_HANDSHAKE) {
		conn_handshake(conn);
		return;
	}
	if ((ready & WATCH_WRITE) && conn->state == CONN_H2)
		h2_writable(conn);
	if ((ready & WATCH_WRITE) && conn->exchange)
		exchange_writable(conn->exchange);
	if (ready & WATCH_READ)
		conn_read(conn);
}

/* -- begin and end ------------------------------------------------------------------------------------------------- */

void
conn_name_client(struct conn *conn)
{
	char text[ADDRESS_TEXT_MAX];
	size_t len = address_format_host(&conn->peer, text);

	len = len < sizeof(conn->ip_text) ? len : sizeof(conn->ip_text) - 1;
	memcpy(conn->ip_text, text, len);
	conn->ip_text[len] = '\0';
	conn->client.peer = &conn->peer;
	conn->client.ip = span_make(conn->ip_text, len);
	conn->client.port = address_port(&conn->peer);
	conn->client.local_port = conn->listener->port;
	conn_trust(conn);
}

void
conn_trust(struct conn *conn)
{
	conn->client.is_trusted = networks_hold(conn->downstream->settings.trusted_proxies, &conn->peer);
}

bool
conn_is_over_client_limit(struct conn *conn)
{
	struct downstream *downstream = conn->downstream;
	uint64_t limit = downstream->settings.limits->connections_per_client;

	if (limit == 0 || (conn->peer.any.sa_family != AF_INET && conn->peer.any.sa_family != AF_INET6))
		return false;
	if (downstream->per_client == NULL)
		downstream->per_client = per_client_create();
	conn->counted = true;
	return per_client_add(downstream->per_client, &conn->peer) > limit;
}

static void
resume_later(struct later *later)
{
	struct conn *conn = LIST_OWNER(later, struct conn, later);

	if (conn->state != CONN_H2)
		conn_resume(conn);
	if (conn->state != CONN_CLOSED && stream_has_input(&conn->stream))
		conn_read(conn);
}

void
conn_open(struct downstream *downstream, int fd, const struct address *peer,
    const struct downstream_listener *listener)
{
	struct conn *conn = memory_zalloc(sizeof(*conn));

	conn->downstream = downstream;
	conn->listener = listener;
	conn->peer = *peer;
	conn->later.run = resume_later;
	stream_init(&conn->stream, fd);
	conn_name_client(conn);
	watch_init(&conn->watch, downstream->loop, fd, conn_ready, conn);
	timeout_init(&conn->timeout, conn_timed_out, conn);
	downstream_add(downstream, conn);
	conn->state = listener->proxy_protocol ? CONN_PROXY : listener->tls ? CONN_HANDSHAKE : CONN_IDLE;
	if (listener->proxy_protocol ? !conn->client.is_trusted : conn_is_over_client_limit(conn)) {
		slot_add(&downstream->slot->totals.connections_refused, 1);
		conn_close(conn);
		return;
	}
	conn_arm(conn);
	/* The request is often there already: then a connection for one request never enters epoll. */
	if (conn->state == CONN_HANDSHAKE)
		conn_handshake(conn);
	else
		conn_readable(conn);
	conn_update(conn);
}

static void
conn_free(struct later *later)
{
	struct conn *conn = LIST_OWNER(later, struct conn, later);

	if (conn->exchange)
		exchange_release(conn->exchange);
	h2_free(conn->h2);
	secured_free(conn->secured);
	memory_free(conn->held);
	memory_free(conn);
}

void
conn_close(struct conn *conn)
{
	struct downstream *downstream = conn->downstream;

	if (conn->state == CONN_CLOSED)
		return;
	if (conn->exchange && !conn->exchange->ended)
		exchange_gone(conn->exchange, "the connection was closed");
	if (conn->h2)
		h2_gone(conn, "the connection was closed");
	if (conn->state == CONN_CLOSED)
		return;
	conn_move(conn, CONN_CLOSED);
	list_remove(&conn->turn_node);
	timeout_disarm(&conn->timeout);
	watch_close(&conn->watch);
	if (conn->cut || (conn->exchange && exchange_is_cut(conn->exchange)))
		stream_reset(&conn->stream);
	else
		stream_close(&conn->stream);
	if (conn->counted)
		per_client_remove(downstream->per_client, &conn->peer);
	conn->later.run = conn_free;
	loop_later(downstream->loop, &conn->later);
	downstream_remove(downstream, conn);
}

/*
 * Input that we have not read would make the kernel answer with a reset, which may destroy the response on its way
 * (RFC 9112 §9.6): so we end our side, and read until the peer ends his.
 */
void
conn_linger(struct conn *conn)
{
	stream_shutdown(&conn->stream);
	conn_move(conn, CONN_LINGER);
	conn_arm(conn);
	conn_update(conn);
}

void
conn_say_last(struct conn *conn, struct span answer)
{
	const struct iovec piece = span_iovec(answer);
	size_t sent;

	if (stream_write(&conn->stream, &piece, 1, false, &sent) == STREAM_OK)
		conn_linger(conn);
	else
		conn_close(conn);
}

/* A response whose head has not left says so; after one that has, the connection is idle for `idle`, as all are. */
void
conn_drain(struct conn *conn)
{
	if (conn->state == CONN_H2)
		h2_drain(conn);
	else if (conn->state == CONN_IDLE || conn->state == CONN_PROXY)
		timeout_arm(&conn->timeout, conn->downstream->drain_timeout);
}
