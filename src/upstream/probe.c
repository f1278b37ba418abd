/*
 * A tiny client: connect, with TLS shake hands as requests do, write at once, read until the head is complete, in the
 * protocol of the upstream. Anything else is a bad probe.
 */
#include "upstream/probe.h"

#include "base/log.h"
#include "base/memory.h"
#include "codec/h1_response.h"
#include "net/tls.h"
#include "upstream/h2_question.h"
#include "upstream/health.h"
#include "upstream/upstream.h"
#include "upstream/world.h"

#include <errno.h>
#include <stdio.h>

#define USER_AGENT "reeve/" REEVE_VERSION " (health check)"

enum { HEAD_MAX = 16 * 1024, FIELDS_MAX = 128, REQUEST_MAX = 2048, REASON_MAX = 96 };

struct probe {
	struct peer		*peer;		/* borrowed: it stops us before it goes */
	probe_fn		*on_result;
	struct watch		 watch;
	struct timeout		 timeout;
	struct later		 later;
	struct stream		 stream;	/* owned */
	bool			 is_connecting;
	bool			 is_handshaking;
	struct h2_question	 h2;		/* zero: HTTP/1.1 is spoken */
	size_t			 len;		/* of head */
	char			 head[HEAD_MAX];
};

/* Later: the sentence of an HTTP/2 session that broke is told after the probe has stopped. */
static void
probe_free(struct later *later)
{
	struct probe *probe = LIST_OWNER(later, struct probe, later);

	h2_question_fini(&probe->h2);
	memory_free(probe);
}

void
probe_stop(struct peer *peer)
{
	struct probe *probe = peer->probe;

	if (probe == NULL)
		return;
	peer->probe = NULL;
	watch_fini(&probe->watch);
	timeout_disarm(&probe->timeout);
	stream_close(&probe->stream);
	loop_free_later(peer->agent->world->loop, &probe->later, probe_free);
}

static void
probe_end(struct probe *probe, bool is_good, const char *reason)
{
	struct peer *peer = probe->peer;
	probe_fn *on_result = probe->on_result;

	probe_stop(peer);
	on_result(peer, is_good, span_text(reason));
}

static void
probe_answered(struct probe *probe, unsigned status)
{
	char reason[REASON_MAX];

	snprintf(reason, sizeof(reason), "status %u", status);
	probe_end(probe, status_ranges_hold(&probe->peer->upstream->options->health.status, status), reason);
}

/* A request this small goes into the buffer of a new socket at once, or something is very wrong. */
static void
probe_say(struct probe *probe, struct span bytes)
{
	const struct iovec piece = span_iovec(bytes);
	size_t count;

	if (stream_write(&probe->stream, &piece, 1, false, &count) != STREAM_OK || count < bytes.len)
		probe_end(probe, false, "the probe cannot be sent");
	else
		watch_want(&probe->watch, WATCH_READ);
}

/* -- HTTP/1.1 ------------------------------------------------------------------------------------------------------ */

static void
h1_parse(struct probe *probe)
{
	static const struct h1_limits limits = { .header_size = HEAD_MAX, .header_count = FIELDS_MAX };
	struct span bytes = span_make(probe->head, probe->len);
	struct h1_response_head head = { .why = NULL };
	enum h1_result result;
	struct fields fields;
	struct arena arena;
	size_t used = 0;

	arena_init(&arena, 4096);
	do {
		bytes = span_skip(bytes, used);
		fields_init(&fields, &arena, NULL, 0);
		result = h1_response_parse(bytes, HTTP_GET, &limits, &fields, &head, &used);
	} while (result == H1_OK && head.status < 200);
	arena_fini(&arena);
	if (result == H1_OK)
		probe_answered(probe, head.status);
	else if (result == H1_BAD)
		probe_end(probe, false, head.why);
	else if (probe->len == HEAD_MAX)
		probe_end(probe, false, "the head is too large");
}

static void
h1_ask(struct probe *probe)
{
	const struct peer *peer = probe->peer;
	struct span path = peer->upstream->options->health.path;
	char request[REQUEST_MAX];
	int len = snprintf(request, sizeof(request),
	    "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: " USER_AGENT "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
	    (int)path.len, path.at, (int)peer->server->authority.len, peer->server->authority.at);

	if (len < (int)sizeof(request))
		probe_say(probe, span_make(request, (size_t)len));
	else
		probe_end(probe, false, "the probe's path is too long");
}

/* -- HTTP/2 -------------------------------------------------------------------------------------------------------- */

static void
h2_say(struct probe *probe)
{
	struct text *out = &probe->h2.out;

	if (out->len > 0)
		probe_say(probe, text_span(out));
	text_clear(out);
}

static void
h2_ask(struct probe *probe)
{
	const struct peer *peer = probe->peer;

	h2_question_init(&probe->h2, peer->agent->tls ? SPAN_OF("https") : SPAN_OF("http"), peer->server->authority,
	    peer->upstream->options->health.path, SPAN_OF(USER_AGENT));
	h2_say(probe);
}

static void
h2_take(struct probe *probe)
{
	struct span bytes = span_make(probe->head, probe->len);

	probe->len = 0;
	switch (h2_question_take(&probe->h2, bytes)) {
	case H2_QUESTION_MORE:
		h2_say(probe);
		break;
	case H2_QUESTION_ANSWERED:
		probe_answered(probe, probe->h2.status);
		break;
	case H2_QUESTION_BAD:
		probe_end(probe, false, probe->h2.why);
		break;
	}
}

/* -- either -------------------------------------------------------------------------------------------------------- */

static bool
is_h2(const struct probe *probe)
{
	return probe->peer->agent->protocol == UPSTREAM_H2;
}

static void
probe_take(struct probe *probe)
{
	size_t count;

	switch (stream_read(&probe->stream, probe->head + probe->len, HEAD_MAX - probe->len, &count)) {
	case STREAM_OK:
		probe->len += count;
		if (is_h2(probe))
			h2_take(probe);
		else
			h1_parse(probe);
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_END:
		probe_end(probe, false, "it closed the connection without an answer");
		break;
	case STREAM_BROKEN:
		probe_end(probe, false, stream_why(&probe->stream));
		break;
	}
}

/* What waits inside of TLS, nobody tells of: until there is none, or the probe is over. */
static void
probe_read(struct probe *probe)
{
	do {
		probe_take(probe);
	} while (probe->stream.fd >= 0 && stream_has_input(&probe->stream));
}

static void
probe_ask(struct probe *probe)
{
	if (is_h2(probe))
		h2_ask(probe);
	else
		h1_ask(probe);
}

/* -- the way there ------------------------------------------------------------------------------------------------- */

/* As for requests: the session is not offered again. */
static void
probe_refused(struct probe *probe, const struct err *err)
{
	tls_session_fini(&probe->peer->agent->session);
	probe_end(probe, false, err->text);
}

static void
probe_secured(struct probe *probe)
{
	struct err err;

	probe->is_handshaking = false;
	if (tls_client_agreed(probe->peer->agent->tls, probe->stream.tls, &err))
		probe_ask(probe);
	else
		probe_refused(probe, &err);
}

static void
probe_handshake(struct probe *probe)
{
	struct err err;

	switch (stream_handshake(&probe->stream)) {
	case STREAM_OK:
		probe_secured(probe);
		break;
	case STREAM_AGAIN:
		watch_want(&probe->watch, stream_wants(&probe->stream));
		break;
	case STREAM_END:
	case STREAM_BROKEN:
		tls_client_explain(probe->stream.tls, &err);
		probe_refused(probe, &err);
		break;
	}
}

/* The agent's session: a probe of a server that is in use costs no full handshake. */
static void
probe_secure(struct probe *probe)
{
	struct agent *agent = probe->peer->agent;
	struct tls *tls = tls_client_connect(agent->tls, probe->stream.fd, span_text(agent->host), &agent->session);

	if (tls == NULL) {
		probe_end(probe, false, "no certificate can be for the host of its URL");
		return;
	}
	stream_secure(&probe->stream, tls);
	probe->is_handshaking = true;
	probe_handshake(probe);
}

static void
probe_connected(struct probe *probe)
{
	socklen_t size = sizeof(int);
	int error = 0;

	probe->is_connecting = false;
	if (getsockopt(probe->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error != 0)
		probe_end(probe, false, strerror(error));
	else if (probe->peer->agent->tls != NULL)
		probe_secure(probe);
	else
		probe_ask(probe);
}

static void
probe_ready(void *owner, unsigned ready)
{
	struct probe *probe = owner;

	(void)ready;
	if (probe->is_connecting)
		probe_connected(probe);
	else if (probe->is_handshaking)
		probe_handshake(probe);
	else
		probe_read(probe);
}

static void
probe_timed_out(void *owner)
{
	struct probe *probe = owner;

	probe_end(probe, false, probe->is_connecting ? "no connection in time"
	    : probe->is_handshaking ? "no TLS handshake in time" : "no answer in time");
}

void
probe_start(struct peer *peer, probe_fn *on_result)
{
	struct loop *loop = peer->upstream->world->loop;
	struct probe *probe;
	bool is_connected;
	int fd = agent_address_dial(&peer->agent->address, &is_connected);

	if (fd < 0) {
		on_result(peer, false, span_text(strerror(errno)));
		return;
	}
	probe = memory_zalloc(sizeof(*probe));
	probe->peer = peer;
	probe->on_result = on_result;
	peer->probe = probe;
	stream_init(&probe->stream, fd);
	probe->is_connecting = true;
	watch_init(&probe->watch, loop, fd, probe_ready, probe);
	watch_want(&probe->watch, WATCH_WRITE);
	timeout_init(&probe->timeout, probe_timed_out, probe);
	timeout_arm(&probe->timeout, timeout_class_for(loop, peer->upstream->options->health.timeout));
}
