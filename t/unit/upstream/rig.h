/*
 * rig: a worker's upstream world in a test: loop, slots, board, and upstreams from YAML; a server that answers what the
 * test says; a client's exchange that keeps what it gets. Everything runs in the one loop of the test.
 */
#ifndef REEVE_T_UNIT_UPSTREAM_RIG_H
#define REEVE_T_UNIT_UPSTREAM_RIG_H

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/memory.h"
#include "request/client.h"
#include "request/response.h"
#include "upstream/relay.h"
#include "upstream/upstream.h"
#include "upstream/upstreams.h"
#include "upstream/world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOON_MS = 3000 };

/* -- the world ---------------------------------------------------------------------------------------------------- */

struct rig_site {
	struct conf_records	upstreams;
};

static const struct option rig_rows[] = {
	OPTION_NAMED(struct rig_site, upstreams, .group = &upstream_group),
	OPTION_END
};
static const struct option_group rig_group = { .name = "site", .rows = rig_rows, .size = sizeof(struct rig_site) };

struct rig {
	struct loop		*loop;
	struct slots		*slots;
	struct board		*board;
	struct upstream_world	*world;
	struct conf		*conf;
	struct conf_problems	 problems;
	struct arena		 arena;
	struct option_reader	 reader;
	struct rig_site		 site;
	struct upstreams	*upstreams;
	struct timer		 ticker;
	bool			 (*is_done)(void *owner);
	void			*done_owner;
	uint64_t		 until_ms;
	bool			 timed_out;
};

static void
rig_silence(void *owner, enum log_level level, struct span line)
{
	(void)owner, (void)level, (void)line;
}

static inline void
rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	field_names_init();
	log_to(rig_silence, NULL);
	rig->loop = loop_create(NULL);
	rig->slots = slots_create(NULL);
	rig->board = board_create(NULL);
	rig->slots->notice.prober = 1;	/* somebody else, unless the test says otherwise */
	rig->world = upstream_world_create(rig->loop, rig->board, rig->slots, &rig->slots->workers[0], 0);
}

/* The next site: YAML below `upstreams:`. */
static inline struct upstreams *
rig_load(struct rig *rig, const char *yaml)
{
	struct text text = { 0 };

	arena_init(&rig->arena, 4096);
	conf_problems_init(&rig->problems);
	text_format(&text, "upstreams:\n%s\n", yaml);
	rig->conf = conf_load_bytes("t.yaml", text_span(&text), &rig->problems);
	text_fini(&text);
	assert_non_null(rig->conf);
	option_reader_init(&rig->reader, rig->conf, &rig->arena, &rig->problems);
	rig->site = (struct rig_site){ { NULL, 0 } };
	if (!option_read(&rig->reader, &rig_group, conf_root(rig->conf), &rig->site)) {
		conf_problems_format(&rig->problems, &text);
		print_message("%s\n", text.bytes);
		text_fini(&text);
		fail();
	}
	rig->upstreams = upstreams_create(&rig->reader, &rig->site.upstreams, rig->world);
	return rig->upstreams;
}

static inline struct upstream *
rig_upstream(struct rig *rig, const char *yaml)
{
	rig_load(rig, yaml);
	upstreams_start(rig->upstreams);
	return upstreams_at(rig->upstreams, 0);
}

static inline void
rig_unload(struct rig *rig)
{
	upstreams_free(rig->upstreams);
	conf_free(rig->conf);
	conf_problems_fini(&rig->problems);
	arena_fini(&rig->arena);
	rig->upstreams = NULL;
}

static inline void
rig_fini(struct rig *rig)
{
	if (rig->upstreams)
		rig_unload(rig);
	upstream_world_free(rig->world);
	timer_fini(&rig->ticker);
	loop_free(rig->loop);
	board_free(rig->board);
	slots_free(rig->slots);
	log_to(NULL, NULL);
}

static inline void
rig_tick(void *owner)
{
	struct rig *rig = owner;

	if (rig->is_done && rig->is_done(rig->done_owner)) {
		loop_stop(rig->loop);
	} else if (clock_ms() >= rig->until_ms) {
		rig->timed_out = true;
		loop_stop(rig->loop);
	} else {
		timer_arm(&rig->ticker, 1);
	}
}

/* Turns the loop until that is so; false: not within the time. */
static inline bool
rig_run_until(struct rig *rig, bool (*is_done)(void *owner), void *owner, uint64_t within_ms)
{
	rig->is_done = is_done;
	rig->done_owner = owner;
	rig->until_ms = clock_ms() + within_ms;
	rig->timed_out = false;
	timer_init(&rig->ticker, rig->loop, rig_tick, rig);
	timer_arm(&rig->ticker, 0);
	loop_run(rig->loop);
	timer_fini(&rig->ticker);
	return !rig->timed_out;
}

static inline void
rig_run_for(struct rig *rig, uint64_t ms)
{
	rig_run_until(rig, NULL, NULL, ms);
}

/* A configuration with something filled in; until the next one. */
static inline const char *
yaml(const char *format, ...)
{
	static char text[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	return text;
}

/* -- a server ----------------------------------------------------------------------------------------------------- */

enum { SERVER_CONNS_MAX = 32 };

struct fake_server;

struct fake_conn {
	struct fake_server	*server;
	struct watch		 watch;
	int			 fd;	/* -1: closed */
	struct text		 in;	/* not yet taken */
	unsigned		 requests;
};

/* A request's head and content are complete (content by Content-Length or chunked). */
typedef void fake_answer(struct fake_conn *conn, struct span head, struct span body);

struct fake_server {
	struct rig		*rig;
	struct watch		 watch;
	int			 fd;
	unsigned		 port;
	fake_answer		*answer;	/* NULL: reads and says nothing */
	struct fake_conn	 conns[SERVER_CONNS_MAX];
	unsigned		 conn_count;	/* ever */
	unsigned		 requests;
	struct text		 last;		/* the last request, whole */
	bool			 is_deaf;	/* reads nothing */
};

static inline void
fake_close(struct fake_conn *conn)
{
	watch_fini(&conn->watch);
	fd_close(&conn->fd);
}

static inline void
fake_say(struct fake_conn *conn, const char *bytes)
{
	struct span rest = span_text(bytes);

	while (conn->fd >= 0 && rest.len > 0) {
		ssize_t count = send(conn->fd, rest.at, rest.len, MSG_NOSIGNAL);

		if (count <= 0)
			return;
		rest = span_skip(rest, (size_t)count);
	}
}

/* The bytes of the first complete request in `in`, 0 when there is none; *head_out counts those of its head. */
static inline size_t
fake_request_size(struct span in, size_t *head_out)
{
	const char *end = in.len ? memmem(in.at, in.len, "\r\n\r\n", 4) : NULL, *field;
	size_t head;

	if (end == NULL)
		return 0;
	head = (size_t)(end - in.at) + 4;
	*head_out = head;
	field = memmem(in.at, head, "Content-Length: ", 16);
	if (field != NULL) {
		size_t size = head + strtoul(field + 16, NULL, 10);

		return in.len >= size ? size : 0;
	}
	if (memmem(in.at, head, "Transfer-Encoding: chunked", 26) == NULL)
		return head;
	end = memmem(in.at + head, in.len - head, "0\r\n\r\n", 5);
	return end ? (size_t)(end - in.at) + 5 : 0;
}

static inline void
fake_requests_take(struct fake_conn *conn)
{
	struct fake_server *server = conn->server;
	size_t head, size;

	while (server->answer != NULL && conn->fd >= 0 &&
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
fake_conn_ready(void *owner, unsigned ready)
{
	struct fake_conn *conn = owner;
	char bytes[16384];
	ssize_t count;

	(void)ready;
	if (conn->server->is_deaf) {
		watch_want(&conn->watch, WATCH_NOTHING);
		return;
	}
	count = recv(conn->fd, bytes, sizeof(bytes), 0);
	if (count <= 0) {
		fake_close(conn);
		return;
	}
	text_add(&conn->in, span_make(bytes, (size_t)count));
	fake_requests_take(conn);
}

static inline void
fake_server_ready(void *owner, unsigned ready)
{
	struct fake_server *server = owner;
	struct fake_conn *conn = &server->conns[server->conn_count];
	int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)ready;
	if (fd < 0)
		return;
	assert_true(server->conn_count < SERVER_CONNS_MAX);
	server->conn_count++;
	conn->server = server;
	conn->fd = fd;
	watch_init(&conn->watch, server->rig->loop, fd, fake_conn_ready, conn);
	watch_want(&conn->watch, WATCH_READ);
}

/* A socket that listens on a port of its own. */
static inline int
rig_listen(unsigned *port_out)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(in4);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&in4, sizeof(in4)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in4, &size), 0);
	*port_out = ntohs(in4.sin_port);
	return fd;
}

static inline void
fake_server_open(struct fake_server *server, struct rig *rig, fake_answer *answer)
{
	memset(server, 0, sizeof(*server));
	server->rig = rig;
	server->answer = answer;
	server->fd = rig_listen(&server->port);
	watch_init(&server->watch, rig->loop, server->fd, fake_server_ready, server);
	watch_want(&server->watch, WATCH_READ);
}

/* Nobody listens any more; with what is open closed, too. */
static inline void
fake_server_stop(struct fake_server *server)
{
	watch_fini(&server->watch);
	fd_close(&server->fd);
	for (unsigned i = 0; i < server->conn_count; i++)
		fake_close(&server->conns[i]);
}

static inline void
fake_server_close(struct fake_server *server)
{
	fake_server_stop(server);
	for (unsigned i = 0; i < server->conn_count; i++)
		text_fini(&server->conns[i].in);
	text_fini(&server->last);
}

static inline unsigned
fake_server_open_conns(const struct fake_server *server)
{
	unsigned count = 0;

	for (unsigned i = 0; i < server->conn_count; i++)
		count += server->conns[i].fd >= 0;
	return count;
}

/* -- a client's exchange ------------------------------------------------------------------------------------------ */

struct fake_client {
	struct request	request;	/* first: the transport finds us by it */
	struct arena	arena;
	struct client	client;
	struct address	peer;
	struct text	content;	/* of the response */
	struct text	informed;	/* "103 " for each */
	struct span	body;		/* of the request, not yet given */
	size_t		piece_max;	/* of body, given at a time */
	bool		body_is_open;	/* more will come: no `last` yet */
	bool		wants_body;
	bool		is_giving;
	bool		is_slow;	/* writes say false */
	unsigned	starts;
	unsigned	writes;		/* calls that carried content */
	unsigned	flushes;
	unsigned	upgrades;
	bool		is_finished;
	bool		is_aborted;
	bool		has_trailers;
};

static inline struct fake_client *
client_of(struct request *request)
{
	return (struct fake_client *)(void *)request;
}

static inline bool
client_is_over(void *owner)
{
	struct fake_client *client = owner;

	return client->is_finished || client->is_aborted;
}

static inline void
client_give(struct fake_client *client)
{
	struct request *request = &client->request;

	if (client->is_giving)
		return;
	client->is_giving = true;
	while (client->wants_body && !client_is_over(client) && request->events && client->body.len > 0) {
		struct span piece = span_first(client->body, client->piece_max);
		struct text copy = { 0 };	/* so that whoever keeps the span is found out */

		text_add(&copy, piece);
		client->body = span_skip(client->body, piece.len);
		request->events->on_body(request, text_span(&copy), client->body.len == 0 && !client->body_is_open);
		text_fini(&copy);
	}
	client->is_giving = false;
}

static inline void
client_want_body(struct request *request, bool want)
{
	client_of(request)->wants_body = want;
	if (want)
		client_give(client_of(request));
}

static inline void
client_inform(struct request *request, unsigned status, const struct fields *fields)
{
	(void)fields;
	text_format(&client_of(request)->informed, "%u ", status);
}

static inline void
client_start(struct request *request)
{
	client_of(request)->starts++;
}

static inline bool
client_write(struct request *request, const struct iovec *pieces, unsigned count)
{
	struct fake_client *client = client_of(request);

	client->writes += count > 0;
	for (unsigned i = 0; i < count; i++)
		text_add(&client->content, span_make(pieces[i].iov_base, pieces[i].iov_len));
	return !client->is_slow;
}

static inline bool
client_send_file(struct request *request, int fd, uint64_t offset, uint64_t length)
{
	(void)request, (void)fd, (void)offset, (void)length;
	fail_msg("an upstream sends no file");
	return true;
}

static inline void
client_flush(struct request *request)
{
	client_of(request)->flushes++;
}

static inline void
client_finish(struct request *request, const struct fields *trailers)
{
	struct fake_client *client = client_of(request);

	client->has_trailers = trailers != NULL && trailers->count > 0;
	if (client->has_trailers)
		text_format(&client->informed, "[%.*s]", (int)trailers->items[0].value.len,
		    trailers->items[0].value.at);
	client->is_finished = true;
	request->events = NULL;
}

static inline void
client_finish_with(struct request *request, const struct iovec *pieces, unsigned count)
{
	client_write(request, pieces, count);
	client_finish(request, NULL);
}

static inline void
client_abort(struct request *request)
{
	client_of(request)->is_aborted = true;
	request->events = NULL;
}

static inline void
client_upgrade(struct request *request)
{
	client_of(request)->upgrades++;
}

static const struct transport client_transport = {
	.name = "HTTP/1.1",
	.want_body = client_want_body,
	.inform = client_inform,
	.start = client_start,
	.write = client_write,
	.send_file = client_send_file,
	.flush = client_flush,
	.finish = client_finish,
	.finish_with = client_finish_with,
	.abort = client_abort,
	.upgrade = client_upgrade,
};

/* body NULL: none. */
static inline void
client_begin(struct fake_client *client, const char *method, const char *target, const char *body)
{
	struct request *request = &client->request;

	memset(client, 0, sizeof(*client));
	arena_init(&client->arena, 4096);
	assert_true(address_parse_host(SPAN_OF("192.0.2.1"), 40000, &client->peer));
	client->client = (struct client){ .peer = &client->peer, .ip = SPAN("192.0.2.1"), .port = 40000 };
	request_init(request, &client_transport, &client->arena, &client->client);
	request->method_name = span_text(method);
	request->method = http_method_of(request->method_name);
	request->target = request->path = span_text(target);
	request->client_ip = client->client.ip;
	request->minor = 1;
	client->piece_max = SIZE_MAX;
	if (body != NULL) {
		client->body = span_text(body);
		request->has_body = true;
		request->has_length = true;
		request->content_length = client->body.len;
	}
}

static inline void
client_send(struct fake_client *client, struct upstream *upstream)
{
	struct fields fields;
	const struct relay_head head = { .target = client->request.target, .fields = &fields, .may_upgrade = true };

	fields_init(&fields, &client->arena, NULL, 0);
	fields_add(&fields, FIELD_HOST, SPAN_OF("a.test"));
	relay_start(upstream, &client->request, &head);
}

/* Sends it and waits for its end. */
static inline void
fetch(struct rig *rig, struct fake_client *client, struct upstream *upstream)
{
	client_send(client, upstream);
	assert_true(rig_run_until(rig, client_is_over, client, SOON_MS));
}

/* The client has gone away. */
static inline void
client_leave(struct fake_client *client)
{
	const struct request_events *events = client->request.events;

	client->request.events = NULL;
	client->is_aborted = true;
	if (events != NULL)
		events->on_gone(&client->request);
}

static inline void
client_drain(struct fake_client *client)
{
	client->is_slow = false;
	if (client->request.events != NULL)
		client->request.events->on_drained(&client->request);
}

static inline const char *
client_content(const struct fake_client *client)
{
	return client->content.bytes ? client->content.bytes : "";
}

static inline const char *
client_value(struct fake_client *client, const char *name)
{
	const struct field *field = fields_find_named(&client->request.response.fields, span_text(name));

	return field ? arena_text(&client->arena, field->value) : "";
}

static inline void
client_end(struct fake_client *client)
{
	text_fini(&client->content);
	text_fini(&client->informed);
	arena_fini(&client->arena);
}

#endif
