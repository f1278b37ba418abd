/*
 * h2_rig: an HTTP/2 server for the tests of this room, on nghttp2, in the loop of rig.h. It answers what the test says,
 * in frames that nghttp2 makes, or in bytes of the test's own.
 */
#ifndef REEVE_T_UNIT_UPSTREAM_H2_RIG_H
#define REEVE_T_UNIT_UPSTREAM_H2_RIG_H

#include "rig.h"

#include "codec/h2_client.h"

#include <nghttp2/nghttp2.h>

enum { H2_CONNS_MAX = 64, H2_FIELDS_MAX = 16 };

struct h2_server;
struct h2_conn;

/* A request that has come, and what is answered. */
struct h2_asked {
	struct h2_conn	*conn;
	int32_t		 id;
	struct text	 head;			/* "name: value\n" each, as they came */
	struct text	 body;
	struct text	 trailers;
	struct text	 answer;
	size_t		 answered;		/* of answer */
	const char	*answer_trailer;	/* value of x-t */
	bool		 is_open;		/* more of the answer may come */
	bool		 is_ended;		/* all of the request has come */
	bool		 in_trailers;
};

struct h2_conn {
	struct h2_server	*server;
	nghttp2_session		*session;
	struct watch		 watch;
	int			 fd;	/* -1: closed */
	unsigned		 requests;
	struct text		 out;
};

/* A request is complete, or, when is_early, its head is. */
typedef void h2_answer(struct h2_asked *asked);

struct h2_server {
	struct rig	*rig;
	struct watch	 watch;
	int		 fd;
	unsigned	 port;
	h2_answer	*answer;
	h2_answer	*early;		/* NULL: nobody */
	uint32_t	 streams_max;	/* 0: not told */
	uint32_t	 window;	/* 0: the default */
	bool		 keeps_window;	/* gives no window back */
	struct h2_conn	 conns[H2_CONNS_MAX];
	unsigned	 conn_count;	/* ever */
	unsigned	 requests;
	unsigned	 resets;	/* RST_STREAM frames that came */
	unsigned	 most_streams;	/* open at a time on a connection */
	unsigned	 open_streams;
	unsigned	 data_frames;
	unsigned	 pings;
	unsigned	 reads;		/* with bytes */
	struct text	 last;		/* the head of the last request, then its trailers */
	struct text	 last_body;
};

static inline void
h2_conn_close(struct h2_conn *conn)
{
	if (conn->fd < 0)
		return;
	watch_fini(&conn->watch);
	fd_close(&conn->fd);
}

/* Whatever nghttp2 has to say, blocking for a moment when the peer does not read. */
static inline void
h2_conn_flush(struct h2_conn *conn)
{
	const uint8_t *bytes;
	ssize_t count;

	while (conn->fd >= 0 && (count = nghttp2_session_mem_send(conn->session, &bytes)) > 0)
		text_add(&conn->out, span_make((const char *)bytes, (size_t)count));
	if (conn->fd >= 0 && conn->out.len > 0) {
		ssize_t sent = send(conn->fd, conn->out.bytes, conn->out.len, MSG_NOSIGNAL);

		if (sent > 0) {
			memmove(conn->out.bytes, conn->out.bytes + sent, conn->out.len - (size_t)sent);
			conn->out.len -= (size_t)sent;
		}
		watch_want(&conn->watch, WATCH_READ | (conn->out.len > 0 ? WATCH_WRITE : 0));
	}
}

static inline void
h2_conn_say_raw(struct h2_conn *conn, const char *bytes, size_t size)
{
	h2_conn_flush(conn);
	assert_int_equal(send(conn->fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* -- answering ---------------------------------------------------------------------------------------------------- */

static inline nghttp2_nv
h2_pair(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
		NGHTTP2_NV_FLAG_NO_COPY_NAME };
}

static inline ssize_t
h2_content(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source,
    void *owner)
{
	struct h2_asked *asked = source->ptr;
	size_t left = asked->answer.len - asked->answered, count = left < room ? left : room;

	(void)owner;
	if (count == 0 && asked->is_open)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(to, asked->answer.bytes + asked->answered, count);
	asked->answered += count;
	if (asked->answered < asked->answer.len || asked->is_open)
		return (ssize_t)count;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (asked->answer_trailer != NULL) {
		nghttp2_nv pair = h2_pair("x-t", asked->answer_trailer);

		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, id, &pair, 1);
	}
	return (ssize_t)count;
}

/* Names and values in turn, NULL ends; ":status" first. content NULL: the head ends it all. */
static inline void
h2_say(struct h2_asked *asked, const char *content, ...)
{
	nghttp2_nv pairs[H2_FIELDS_MAX];
	nghttp2_data_provider provider = { .source.ptr = asked, .read_callback = h2_content };
	size_t count = 0;
	const char *name;
	va_list list;

	va_start(list, content);
	while ((name = va_arg(list, const char *)) != NULL)
		pairs[count++] = h2_pair(name, va_arg(list, const char *));
	va_end(list);
	if (content != NULL)
		text_add_text(&asked->answer, content);
	assert_int_equal(nghttp2_submit_response(asked->conn->session, asked->id, pairs, count,
	    content != NULL ? &provider : NULL), 0);
}

static inline void
h2_inform(struct h2_asked *asked, const char *status)
{
	nghttp2_nv pairs[] = { h2_pair(":status", status), h2_pair("link", "</a>") };

	nghttp2_submit_headers(asked->conn->session, NGHTTP2_FLAG_NONE, asked->id, NULL, pairs, 2, NULL);
}

static inline void
h2_say_more(struct h2_asked *asked, const char *content, bool last)
{
	text_add_text(&asked->answer, content);
	asked->is_open = !last;
	nghttp2_session_resume_data(asked->conn->session, asked->id);
	h2_conn_flush(asked->conn);
}

static inline void
h2_reset(struct h2_asked *asked, uint32_t code)
{
	nghttp2_submit_rst_stream(asked->conn->session, NGHTTP2_FLAG_NONE, asked->id, code);
}

/* -- what comes --------------------------------------------------------------------------------------------------- */

static inline int
h2_header_begins(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2_conn *conn = owner;
	struct h2_asked *asked;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		asked = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
		if (asked)
			asked->in_trailers = true;
		return 0;
	}
	asked = memory_zalloc(sizeof(*asked));
	asked->conn = conn;
	asked->id = frame->hd.stream_id;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, asked);
	conn->server->open_streams++;
	if (conn->server->open_streams > conn->server->most_streams)
		conn->server->most_streams = conn->server->open_streams;
	return 0;
}

static inline int
h2_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
    const uint8_t *value, size_t value_length, uint8_t flags, void *owner)
{
	struct h2_asked *asked = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags, (void)owner;
	text_format(asked->in_trailers ? &asked->trailers : &asked->head, "%.*s: %.*s\n", (int)name_length,
	    (const char *)name, (int)value_length, (const char *)value);
	return 0;
}

static inline int
h2_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *owner)
{
	struct h2_asked *asked = nghttp2_session_get_stream_user_data(session, id);
	struct h2_conn *conn = owner;

	(void)flags;
	conn->server->data_frames++;
	if (asked)
		text_add(&asked->body, span_make((const char *)bytes, length));
	if (!conn->server->keeps_window)
		nghttp2_session_consume(session, id, length);
	return 0;
}

static inline void
h2_request_complete(struct h2_conn *conn, struct h2_asked *asked)
{
	struct h2_server *server = conn->server;

	asked->is_ended = true;
	conn->requests++;
	server->requests++;
	text_clear(&server->last);
	text_clear(&server->last_body);
	text_add(&server->last, text_span(&asked->head));
	text_add(&server->last, text_span(&asked->trailers));
	text_add(&server->last_body, text_span(&asked->body));
	if (server->answer)
		server->answer(asked);
}

static inline int
h2_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2_conn *conn = owner;
	struct h2_asked *asked = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	conn->server->resets += frame->hd.type == NGHTTP2_RST_STREAM;
	conn->server->pings += frame->hd.type == NGHTTP2_PING;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	if (asked && frame->hd.type == NGHTTP2_HEADERS && conn->server->early && !asked->in_trailers)
		conn->server->early(asked);
	if (asked && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		h2_request_complete(conn, asked);
	return 0;
}

static inline int
h2_stream_closed(nghttp2_session *session, int32_t id, uint32_t code, void *owner)
{
	struct h2_asked *asked = nghttp2_session_get_stream_user_data(session, id);

	(void)code;
	if (asked == NULL)
		return 0;
	((struct h2_conn *)owner)->server->open_streams--;
	text_fini(&asked->head);
	text_fini(&asked->body);
	text_fini(&asked->trailers);
	text_fini(&asked->answer);
	memory_free(asked);
	return 0;
}

/* -- connections -------------------------------------------------------------------------------------------------- */

static inline void
h2_conn_ready(void *owner, unsigned ready)
{
	struct h2_conn *conn = owner;
	char bytes[65536];
	ssize_t count;

	if (ready & WATCH_WRITE)
		h2_conn_flush(conn);
	if (!(ready & WATCH_READ) || conn->fd < 0)
		return;
	count = recv(conn->fd, bytes, sizeof(bytes), 0);
	if (count <= 0) {
		h2_conn_close(conn);
		return;
	}
	conn->server->reads++;
	if (nghttp2_session_mem_recv(conn->session, (const uint8_t *)bytes, (size_t)count) < 0) {
		h2_conn_close(conn);
		return;
	}
	h2_conn_flush(conn);
}

static inline void
h2_conn_open(struct h2_conn *conn, struct h2_server *server, int fd)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_settings_entry settings[2];
	nghttp2_option *option;
	size_t count = 0;

	conn->server = server;
	conn->fd = fd;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, h2_header_begins);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, h2_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, h2_stream_closed);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_http_messaging(option, 1);	/* so that it can say what is wrong */
	nghttp2_session_server_new2(&conn->session, callbacks, conn, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	if (server->streams_max > 0)
		settings[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
			server->streams_max };
	if (server->window > 0)
		settings[count++] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, server->window };
	nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, count);
	watch_init(&conn->watch, server->rig->loop, fd, h2_conn_ready, conn);
	watch_want(&conn->watch, WATCH_READ);
	h2_conn_flush(conn);
}

static inline void
h2_server_ready(void *owner, unsigned ready)
{
	struct h2_server *server = owner;
	int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)ready;
	if (fd < 0)
		return;
	assert_true(server->conn_count < H2_CONNS_MAX);
	h2_conn_open(&server->conns[server->conn_count++], server, fd);
}

static inline void
h2_server_open(struct h2_server *server, struct rig *rig, h2_answer *answer)
{
	memset(server, 0, sizeof(*server));
	server->rig = rig;
	server->answer = answer;
	server->fd = rig_listen(&server->port);
	watch_init(&server->watch, rig->loop, server->fd, h2_server_ready, server);
	watch_want(&server->watch, WATCH_READ);
}

static inline void
h2_server_stop(struct h2_server *server)
{
	watch_fini(&server->watch);
	fd_close(&server->fd);
	for (unsigned i = 0; i < server->conn_count; i++)
		h2_conn_close(&server->conns[i]);
}

static inline void
h2_server_close(struct h2_server *server)
{
	h2_server_stop(server);
	for (unsigned i = 0; i < server->conn_count; i++) {
		struct h2_conn *conn = &server->conns[i];

		for (int32_t id = 1; id < (int32_t)nghttp2_session_get_next_stream_id(conn->session) + 20000; id += 2)
			h2_stream_closed(conn->session, id, 0, conn);
		nghttp2_session_del(conn->session);
		text_fini(&conn->out);
	}
	text_fini(&server->last);
	text_fini(&server->last_body);
}

static inline unsigned
h2_server_open_conns(const struct h2_server *server)
{
	unsigned count = 0;

	for (unsigned i = 0; i < server->conn_count; i++)
		count += server->conns[i].fd >= 0;
	return count;
}

#endif
