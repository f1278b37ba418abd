/*
 * From the first bytes of a connection on a TLS listener to the protocol that is spoken inside.
 *
 * A handshake costs as much as a hundred requests, so a turn of the loop has room for a few steps only. Who finds none
 * stands in a queue for the next turns, behind those who came before: epoll alone would give the same ones the first
 * steps in every turn. Connections that are open are served in between.
 */
#include "downstream/conn.h"

#include "base/log.h"
#include "base/memory.h"
#include "downstream/h2.h"
#include "net/tls.h"
#include "net/tls_server.h"
#include "store/slots.h"

enum { FIRST_BYTES_MAX = 4096 };	/* of a ClientHello, in one step */

/* What the requests of a connection are told of its TLS. */
struct secured {
	struct client_tls		 told;
	struct tls_client_identity	*identity;	/* owned; NULL: no client certificate */
	char				*server_name;	/* owned */
};

/* -- what was agreed on -------------------------------------------------------------------------------------------- */

static struct secured *
secured_create(const struct tls *tls, const struct tls_facts *facts)
{
	struct secured *secured = memory_zalloc(sizeof(*secured));

	secured->identity = tls_client_identity_create(tls);
	secured->server_name = memory_zalloc(facts->server_name.len + 1);
	if (facts->server_name.len > 0)
		memcpy(secured->server_name, facts->server_name.at, facts->server_name.len);
	secured->told.version = span_text(facts->version);
	secured->told.cipher = span_text(facts->cipher);
	secured->told.server_name = span_make(secured->server_name, facts->server_name.len);
	if (secured->identity) {
		secured->told.subject = secured->identity->subject;
		secured->told.san = secured->identity->san;
		secured->told.fingerprint = secured->identity->fingerprint;
	}
	return secured;
}

void
secured_free(struct secured *secured)
{
	if (secured == NULL)
		return;
	memory_free(secured->identity);
	memory_free(secured->server_name);
	memory_free(secured);
}

/* -- the handshake ------------------------------------------------------------------------------------------------- */

static bool
turn_has_room(struct downstream *downstream)
{
	uint64_t turn = loop_turns(downstream->loop);

	if (downstream->handshake_turn != turn) {
		downstream->handshake_turn = turn;
		downstream->handshake_steps = 0;
	}
	return downstream->handshake_steps < CONN_HANDSHAKES_A_TURN;
}

/* Its bytes wait in the socket. */
static void
handshake_wait(struct conn *conn)
{
	struct downstream *downstream = conn->downstream;

	if (!list_holds(&conn->turn_node))
		list_add_last(&downstream->handshakes, &conn->turn_node);
	if (!timer_is_armed(&downstream->handshake_timer))
		timer_arm(&downstream->handshake_timer, 0);
	conn_update(conn);
}

/* Whether it is this connection's turn: nobody stands before it, and the turn has room. */
static bool
handshake_may_step(struct conn *conn)
{
	return !list_holds(&conn->turn_node) && list_first(&conn->downstream->handshakes) == NULL &&
	    turn_has_room(conn->downstream);
}

/* Anybody can make handshakes fail by the thousand: they are counted, and told only to who asks for it. */
static void
handshake_failure_tell(struct conn *conn, const char *why)
{
	slot_add(&conn->downstream->slot->totals.tls_failures, 1);
	log_say(MSG_TLS_HANDSHAKE_FAILED, log_span("client", conn->client.ip), log_text("reason", why));
}

static void
handshake_failed(struct conn *conn, const char *why)
{
	handshake_failure_tell(conn, why);
	conn_close(conn);
}

/* The alert that says why must not be destroyed by a reset: whatever comes behind is read, as it is, and forgotten. */
static void
handshake_refused(struct conn *conn)
{
	handshake_failure_tell(conn, stream_why(&conn->stream));
	stream_expose(&conn->stream);
	conn_linger(conn);
}

void
conn_handshake_late(struct conn *conn)
{
	handshake_failed(conn, "it did not end in time (limits.header_timeout)");
}

/*
 * Tickets leave with the first response when its request came along; else at once, because they carry the kernel's word
 * that the client's last flight has come, and one that has Nagle's algorithm on waits 40 ms for that with its request.
 */
static void
handshake_done(struct conn *conn)
{
	struct slot_totals *totals = &conn->downstream->slot->totals;
	struct tls_facts facts;

	tls_facts(conn->stream.tls, &facts);
	conn->secured = secured_create(conn->stream.tls, &facts);
	conn->client.tls = &conn->secured->told;
	slot_add(&totals->tls_handshakes, 1);
	if (facts.is_resumed)
		slot_add(&totals->tls_resumed, 1);
	if (span_is(facts.protocol, "h2")) {
		h2_begin(conn, span_make(NULL, 0));
		return;
	}
	if (!conn->listener->http1) {
		handshake_failed(conn, "the client did not offer HTTP/2 (ALPN), and nothing else is spoken here");
		return;
	}
	if (!stream_has_input(&conn->stream))
		stream_flush(&conn->stream);
	conn_move(conn, CONN_IDLE);
	conn_arm(conn);
}

static void
handshake_step(struct conn *conn)
{
	conn->downstream->handshake_steps++;
	switch (stream_handshake(&conn->stream)) {
	case STREAM_OK:
		handshake_done(conn);
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_END:
		handshake_failed(conn, "the client left in the middle of it");
		break;
	case STREAM_BROKEN:
		handshake_refused(conn);
		break;
	}
	conn_update(conn);
}

/* -- the first bytes ----------------------------------------------------------------------------------------------- */

static const char told_to_use_tls[] =
	"HTTP/1.1 400 Bad Request\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n"
	"Content-Length: 45\r\n"
	"Connection: close\r\n"
	"\r\n"
	"This port speaks TLS: use https:// to get in\n";

/* A person with the wrong URL gets a sentence, not silence. */
static void
plain_http_refuse(struct conn *conn)
{
	slot_add(&conn->downstream->slot->totals.tls_failures, 1);
	log_say(MSG_TLS_HANDSHAKE_FAILED, log_span("client", conn->client.ip),
	    log_text("reason", "the client speaks HTTP in the clear"));
	conn_say_last(conn, span_text(told_to_use_tls));
}

void
conn_secure_with(struct conn *conn, struct span bytes)
{
	struct tls *tls;

	if (tls_looks_like_http(bytes)) {
		plain_http_refuse(conn);
		return;
	}
	tls = tls_server_accept(conn->listener->tls, conn->stream.fd);
	tls_give(tls, bytes);
	stream_secure(&conn->stream, tls);
}

/* Nothing is spent on a connection that has not said anything yet. */
static void
first_bytes_read(struct conn *conn)
{
	char *buffer = conn->downstream->buffer;
	size_t count;

	switch (stream_read(&conn->stream, buffer, FIRST_BYTES_MAX, &count)) {
	case STREAM_OK:
		conn_secure_with(conn, span_make(buffer, count));
		if (stream_is_secure(&conn->stream))
			handshake_step(conn);
		break;
	case STREAM_AGAIN:
		conn_update(conn);
		break;
	case STREAM_END:
	case STREAM_BROKEN:
		conn_close(conn);
		break;
	}
}

static void
handshake_go_on(struct conn *conn)
{
	if (stream_is_secure(&conn->stream)) {
		handshake_step(conn);
	} else if (conn->listener->tls) {
		first_bytes_read(conn);
	} else {
		/* A reload has made a plain port of it since. */
		conn_move(conn, CONN_IDLE);
		conn_readable(conn);
		conn_update(conn);
	}
}

void
conn_handshake(struct conn *conn)
{
	if (handshake_may_step(conn))
		handshake_go_on(conn);
	else
		handshake_wait(conn);
}

void
handshakes_run(void *owner)
{
	struct downstream *downstream = owner;
	struct list_node *node;

	while (turn_has_room(downstream) && (node = list_first(&downstream->handshakes)) != NULL) {
		list_remove(node);
		handshake_go_on(LIST_OWNER(node, struct conn, turn_node));
	}
	if (list_first(&downstream->handshakes) != NULL)
		timer_arm(&downstream->handshake_timer, 0);
}
