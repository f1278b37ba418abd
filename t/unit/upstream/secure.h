/*
 * secure: a server that speaks TLS, in the loop of the test, beside rig.h's plain one. What it does wrong, the test
 * says.
 */
#ifndef REEVE_T_UNIT_UPSTREAM_SECURE_H
#define REEVE_T_UNIT_UPSTREAM_SECURE_H

#include "rig.h"

#include "net/tls.h"

#include "../net/pki.h"

#include <openssl/ssl.h>

struct secure_server;

struct secure_conn {
	struct secure_server	*server;
	struct watch		 watch;
	struct stream		 stream;
	struct text		 in;		/* not yet taken */
	struct text		 out;		/* not yet sent */
	size_t			 out_sent;
	unsigned		 requests;
	bool			 is_shaken;
	bool			 closes;	/* with close_notify, once all has been sent */
};

/* A request's head and content are complete. */
typedef void secure_answer(struct secure_conn *conn, struct span head, struct span body);

struct secure_server {
	struct rig		*rig;
	struct watch		 watch;
	SSL_CTX			*context;
	int			 fd;
	unsigned		 port;
	secure_answer		*answer;	/* NULL: says nothing */
	struct secure_conn	 conns[SERVER_CONNS_MAX];
	unsigned		 conn_count;	/* ever */
	unsigned		 requests;
	unsigned		 handshakes, resumed;
	char			 name[64];	/* SNI of the last handshake */
	struct text		 last;		/* the last request, whole */
	bool			 is_silent;	/* accepts, and nothing more */
};

static inline void
secure_close(struct secure_conn *conn)
{
	watch_fini(&conn->watch);
	stream_close(&conn->stream);
}

/* Without close_notify: as if cut by somebody in between. */
__attribute__((unused)) static void
secure_cut(struct secure_conn *conn)
{
	watch_fini(&conn->watch);
	tls_free(conn->stream.tls);
	conn->stream.tls = NULL;
	fd_close(&conn->stream.fd);
}

/* close_notify alone. */
__attribute__((unused)) static void
secure_notify(struct secure_conn *conn)
{
	tls_shutdown(conn->stream.tls);
}

static inline void
secure_flush(struct secure_conn *conn)
{
	struct iovec piece = span_iovec(span_skip(text_span(&conn->out), conn->out_sent));
	size_t sent;

	if (conn->stream.fd < 0)
		return;
	if (piece.iov_len > 0) {
		if (stream_write(&conn->stream, &piece, 1, false, &sent) == STREAM_BROKEN) {
			secure_close(conn);
			return;
		}
		conn->out_sent += sent;
	}
	watch_want(&conn->watch, WATCH_READ | (conn->out_sent < conn->out.len ? WATCH_WRITE : 0));
	if (conn->closes && conn->out_sent == conn->out.len)
		secure_close(conn);
}

static inline void
secure_say_span(struct secure_conn *conn, struct span bytes)
{
	text_add(&conn->out, bytes);
	secure_flush(conn);
}

static inline void
secure_say(struct secure_conn *conn, const char *bytes)
{
	secure_say_span(conn, span_text(bytes));
}

static inline void
secure_requests_take(struct secure_conn *conn)
{
	struct secure_server *server = conn->server;
	size_t head, size;

	while (server->answer != NULL && conn->stream.fd >= 0 &&
	    (size = fake_request_size(text_span(&conn->in), &head)) > 0) {
		text_clear(&server->last);
		text_add(&server->last, span_make(conn->in.bytes, size));
		memmove(conn->in.bytes, conn->in.bytes + size, conn->in.len - size);
		conn->in.len -= size;
		conn->requests++;
		server->requests++;
		server->answer(conn, span_make(server->last.bytes, head),
		    span_make(server->last.bytes + head, size - head));
	}
}

static inline void
secure_shake(struct secure_conn *conn)
{
	struct secure_server *server = conn->server;
	struct tls_facts facts;

	switch (stream_handshake(&conn->stream)) {
	case STREAM_OK:
		break;
	case STREAM_AGAIN:
		watch_want(&conn->watch, stream_wants(&conn->stream));
		return;
	default:
		secure_close(conn);
		return;
	}
	conn->is_shaken = true;
	stream_flush(&conn->stream);
	tls_facts(conn->stream.tls, &facts);
	server->handshakes++;
	server->resumed += facts.is_resumed;
	snprintf(server->name, sizeof(server->name), "%.*s", (int)facts.server_name.len, facts.server_name.at);
	watch_want(&conn->watch, WATCH_READ);
}

static inline void
secure_conn_read(struct secure_conn *conn)
{
	char bytes[32768];
	size_t count;

	do {
		switch (stream_read(&conn->stream, bytes, sizeof(bytes), &count)) {
		case STREAM_OK:
			text_add(&conn->in, span_make(bytes, count));
			secure_requests_take(conn);
			break;
		case STREAM_AGAIN:
			return;
		default:
			secure_close(conn);
			return;
		}
	} while (conn->stream.fd >= 0 && stream_has_input(&conn->stream));
}

static inline void
secure_conn_ready(void *owner, unsigned ready)
{
	struct secure_conn *conn = owner;

	if (!conn->is_shaken) {
		secure_shake(conn);
		if (conn->stream.fd < 0 || !conn->is_shaken)
			return;
		ready = WATCH_READ;
	}
	if (ready & WATCH_WRITE)
		secure_flush(conn);
	if ((ready & WATCH_READ) && conn->stream.fd >= 0)
		secure_conn_read(conn);
}

static inline void
secure_server_ready(void *owner, unsigned ready)
{
	struct secure_server *server = owner;
	struct secure_conn *conn = &server->conns[server->conn_count];
	int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)ready;
	if (fd < 0)
		return;
	assert_true(server->conn_count < SERVER_CONNS_MAX);
	server->conn_count++;
	conn->server = server;
	stream_init(&conn->stream, fd);
	stream_secure(&conn->stream, tls_create(server->context, fd, TLS_SERVER));
	watch_init(&conn->watch, server->rig->loop, fd, secure_conn_ready, conn);
	if (!server->is_silent)
		watch_want(&conn->watch, WATCH_READ);
}

static inline void
secure_server_open(struct secure_server *server, struct rig *rig, const struct identity *identity,
    secure_answer *answer)
{
	memset(server, 0, sizeof(*server));
	server->rig = rig;
	server->answer = answer;
	server->context = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(server->context, identity->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server->context, identity->key), 1);
	SSL_CTX_set_session_id_context(server->context, (const unsigned char *)"t", 1);
	server->fd = rig_listen(&server->port);
	watch_init(&server->watch, rig->loop, server->fd, secure_server_ready, server);
	watch_want(&server->watch, WATCH_READ);
}

static inline void
secure_server_close(struct secure_server *server)
{
	watch_fini(&server->watch);
	fd_close(&server->fd);
	for (unsigned i = 0; i < server->conn_count; i++) {
		secure_close(&server->conns[i]);
		text_fini(&server->conns[i].in);
		text_fini(&server->conns[i].out);
	}
	text_fini(&server->last);
	SSL_CTX_free(server->context);
}

static inline unsigned
secure_server_open_conns(const struct secure_server *server)
{
	unsigned count = 0;

	for (unsigned i = 0; i < server->conn_count; i++)
		count += server->conns[i].stream.fd >= 0;
	return count;
}

#endif
