/* rooms: base loop conf http net codec request store upstream */
/* Upstreams that speak TLS: sockets, sessions, what goes wrong, and what waits inside. */
#include "secure.h"

#include "net/tls_inside.h"
#include "upstream/server.h"

#include <linux/tcp.h>
#include <poll.h>

enum { LARGE = 700 * 1000 };

static struct {
	struct identity	root, site, wrong, expired;
} made;

struct fixture {
	struct rig		rig;
	struct secure_server	server;
};

static void
say_hello(struct secure_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	secure_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

static struct fixture *
fixture_open(const struct identity *identity, secure_answer *answer)
{
	static struct fixture fixture;

	rig_init(&fixture.rig);
	secure_server_open(&fixture.server, &fixture.rig, identity, answer);
	return &fixture;
}

static void
fixture_close(struct fixture *fixture)
{
	secure_server_close(&fixture->server);
	rig_fini(&fixture->rig);
}

/* `more`: keys of the upstream, after a comma. */
static struct upstream *
upstream_of(struct fixture *fixture, const char *more)
{
	return rig_upstream(&fixture->rig, yaml("  api: {servers: [\"https://127.0.0.1:%u\"], tls: {ca: root.pem, "
	    "server_name: a.test}%s}", fixture->server.port, more));
}

/* The content, or why there was none. */
static void
get(struct rig *rig, struct upstream *upstream, unsigned status, const char *expected)
{
	struct fake_client client;
	const char *got;

	client_begin(&client, "GET", "/x", NULL);
	fetch(rig, &client, upstream);
	got = client.request.why ? client.request.why : client_content(&client);
	if (client.request.response.status != status || strstr(got, expected) == NULL)
		fail_msg("%u \"%s\", not %u \"%s\"", client.request.response.status, got, status, expected);
	client_end(&client);
}

static struct slot_totals *
totals_of(struct rig *rig)
{
	return &rig->slots->workers[0].totals;
}

/* -- sockets and sessions ------------------------------------------------------------------------------------------ */

static void
test_a_request_and_another(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");

	for (int i = 0; i < 3; i++)
		get(&fixture->rig, upstream, 200, "hello");
	assert_int_equal(fixture->server.conn_count, 1);
	assert_int_equal(fixture->server.requests, 3);
	assert_string_equal(fixture->server.name, "a.test");
	assert_int_equal(totals_of(&fixture->rig)->upstream_tls_handshakes, 1);
	assert_int_equal(totals_of(&fixture->rig)->upstream_tls_resumed, 0);
	assert_non_null(strstr(fixture->server.last.bytes, "Host: a.test\r\n"));
	fixture_close(fixture);
}

static void
test_sessions_are_resumed(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, ", agent: {max_requests: 1}");

	for (int i = 0; i < 4; i++)
		get(&fixture->rig, upstream, 200, "hello");
	assert_int_equal(fixture->server.conn_count, 4);
	assert_int_equal(fixture->server.resumed, 3);
	assert_int_equal(totals_of(&fixture->rig)->upstream_tls_handshakes, 4);
	assert_int_equal(totals_of(&fixture->rig)->upstream_tls_resumed, 3);
	fixture_close(fixture);
}

static void
test_many_at_once(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");
	struct fake_client clients[8];

	get(&fixture->rig, upstream, 200, "hello");
	for (int i = 0; i < 8; i++) {
		client_begin(&clients[i], "GET", "/x", NULL);
		client_send(&clients[i], upstream);
	}
	for (int i = 0; i < 8; i++) {
		assert_true(rig_run_until(&fixture->rig, client_is_over, &clients[i], SOON_MS));
		assert_string_equal(client_content(&clients[i]), "hello");
		client_end(&clients[i]);
	}
	assert_int_equal(fixture->server.conn_count, 8);
	assert_int_equal(fixture->server.resumed, 7);
	fixture_close(fixture);
}

/* An upstream of a later site: the same options are the same agent, whatever else has changed. */
static void
test_a_reload_keeps_sockets(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct rig *rig = &fixture->rig;
	struct rig before;

	get(rig, upstream_of(fixture, ""), 200, "hello");
	before = *rig;
	get(rig, upstream_of(fixture, ", retry: 0"), 200, "hello");
	rig_unload(&before);
	get(rig, upstreams_at(rig->upstreams, 0), 200, "hello");
	assert_int_equal(fixture->server.conn_count, 1);
	fixture_close(fixture);
}

static const char *const others[] = {
	"tls: {ca: root.pem, server_name: b.test}", "tls: {ca: both.pem, server_name: a.test}",
	"tls: {verify: false, server_name: a.test}",
	"tls: {ca: root.pem, server_name: a.test, cert: site.pem, key: site.key}",
	"tls: {ca: root.pem, server_name: a.test}, protocol: h2",
	"tls: {ca: root.pem, server_name: a.test}, agent: {max_sockets: 7}",
};

static void
test_identities_do_not_mix(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	unsigned port = fixture->server.port;
	struct upstreams *upstreams;
	struct agent *agent;

	for (size_t i = 0; i < COUNT(others); i++) {
		upstreams = rig_load(&fixture->rig, yaml("  one: {servers: [\"https://127.0.0.1:%u\"], tls: {ca: "
		    "root.pem, server_name: a.test}}\n  two: {servers: [\"https://127.0.0.1:%u\"], %s}\n"
		    "  three: {servers: [\"https://127.0.0.1:%u\"], balance: hash, tls: {ca: root.pem, server_name: "
		    "a.test}}\n  four: {servers: [\"http://127.0.0.1:%u\"]}", port, port, others[i], port, port));
		agent = upstreams_at(upstreams, 0)->peers[0]->agent;
		assert_ptr_not_equal(upstreams_at(upstreams, 1)->peers[0]->agent, agent);
		assert_ptr_equal(upstreams_at(upstreams, 2)->peers[0]->agent, agent);
		assert_ptr_not_equal(upstreams_at(upstreams, 3)->peers[0]->agent, agent);
		assert_null(upstreams_at(upstreams, 3)->peers[0]->agent->tls);
		rig_unload(&fixture->rig);
	}
	fixture_close(fixture);
}

/* -- free sockets -------------------------------------------------------------------------------------------------- */

static struct secure_server *watched;

static bool
is_left_alone(void *owner)
{
	(void)owner;
	return secure_server_open_conns(watched) == 0;
}

static struct agent *
agent_of(const struct upstream *upstream)
{
	return upstream->peers[0]->agent;
}

static bool
has_no_free(void *owner)
{
	return agent_of(owner)->free_count == 0;
}

static void
post(struct rig *rig, struct upstream *upstream, unsigned status, const char *expected)
{
	struct fake_client client;

	client_begin(&client, "POST", "/x", "content");
	fetch(rig, &client, upstream);
	if (client.request.response.status != status || !strstr(client.request.why ? client.request.why
	    : client_content(&client), expected))
		fail_msg("%u %s", client.request.response.status, client.request.why);
	client_end(&client);
}

/* close_notify and the end: the socket goes at once. Without close_notify, too. */
static void
test_a_free_socket_ends(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");

	watched = &fixture->server;
	for (unsigned i = 0; i < 2; i++) {
		get(&fixture->rig, upstream, 200, "hello");
		assert_int_equal(agent_of(upstream)->free_count, 1);
		if (i == 0)
			secure_close(&watched->conns[i]);
		else
			secure_cut(&watched->conns[i]);
		assert_true(rig_run_until(&fixture->rig, has_no_free, upstream, SOON_MS));
	}
	get(&fixture->rig, upstream, 200, "hello");
	assert_int_equal(watched->conn_count, 3);
	assert_int_equal(watched->resumed, 2);
	fixture_close(fixture);
}

/* close_notify without the socket's end. */
static void
test_a_free_socket_hears_close_notify(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");

	watched = &fixture->server;
	get(&fixture->rig, upstream, 200, "hello");
	secure_notify(&watched->conns[0]);
	assert_true(rig_run_until(&fixture->rig, is_left_alone, NULL, SOON_MS));
	assert_int_equal(agent_of(upstream)->free_count, 0);
	fixture_close(fixture);
}

/* Tickets and updates of keys are TLS's own affair: the socket stays, and is quiet. */
static void
test_a_free_socket_hears_tickets(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");
	SSL *ssl;

	get(&fixture->rig, upstream, 200, "hello");
	ssl = tls_ssl(fixture->server.conns[0].stream.tls);
	for (int i = 0; i < 6; i++) {
		if (i % 2 == 0)
			assert_int_equal(SSL_new_session_ticket(ssl), 1);
		else
			assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		tls_wire_begin(&fixture->server.conns[0].stream.tls->wire);
		assert_int_equal(SSL_do_handshake(ssl), 1);
		assert_true(tls_wire_send(&fixture->server.conns[0].stream.tls->wire));
		if (i < 4)	/* else they lie there when it is lent */
			rig_run_for(&fixture->rig, 20);
		post(&fixture->rig, upstream, 200, "hello");
	}
	assert_int_equal(fixture->server.conn_count, 1);
	assert_int_equal(fixture->server.requests, 7);
	fixture_close(fixture);
}

/* Whoever speaks without being asked is not listened to. */
static void
test_a_free_socket_hears_words(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");

	get(&fixture->rig, upstream, 200, "hello");
	secure_say(&fixture->server.conns[0], "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	post(&fixture->rig, upstream, 200, "hello");
	assert_int_equal(fixture->server.conn_count, 2);
	get(&fixture->rig, upstream, 200, "hello");
	secure_say(&fixture->server.conns[1], "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	assert_true(rig_run_until(&fixture->rig, has_no_free, upstream, SOON_MS));
	fixture_close(fixture);
}

/* The same words behind an answer, in the same record. */
static void
say_too_much(struct secure_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	secure_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
}

static void
test_an_answer_with_more_behind_it(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_too_much);
	struct upstream *upstream = upstream_of(fixture, "");

	for (int i = 0; i < 3; i++)
		post(&fixture->rig, upstream, 200, "hello");
	assert_int_equal(fixture->server.conn_count, 3);
	fixture_close(fixture);
}

static void
say_and_close(struct secure_conn *conn, struct span head, struct span body)
{
	conn->closes = true;
	say_hello(conn, head, body);
}

/* close_notify right behind the answer is read with it, and no readiness will tell of it. */
static void
test_an_answer_with_the_end_behind_it(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_and_close);
	struct upstream *upstream = upstream_of(fixture, "");

	for (int i = 0; i < 3; i++)
		post(&fixture->rig, upstream, 200, "hello");
	assert_int_equal(fixture->server.conn_count, 3);
	fixture_close(fixture);
}

/* -- a kept socket that dies under a request ----------------------------------------------------------------------- */

/* Until what the server has said lies in the socket, where nobody has looked yet. */
static void
wait_at(const struct agent *agent)
{
	const struct agent_socket *socket = LIST_OWNER(agent->free.next, struct agent_socket, node);
	struct pollfd poll_fd = { .fd = socket->stream.fd, .events = POLLIN };

	assert_int_equal(agent->free_count, 1);
	assert_int_equal(poll(&poll_fd, 1, SOON_MS), 1);
}

/*
 * The server closes while the request is on its way: nobody had a turn in between. What must not happen twice is sent
 * elsewhere only because a look tells of the end.
 */
static void
cross(struct fixture *fixture, struct upstream *upstream, const char *method, void (*end)(struct secure_conn *conn),
    unsigned status)
{
	struct fake_client client;

	get(&fixture->rig, upstream, 200, "hello");
	client_begin(&client, method, "/x", strcmp(method, "POST") == 0 ? "content" : NULL);
	end(&fixture->server.conns[fixture->server.conn_count - 1]);
	if (client.request.has_body)
		wait_at(agent_of(upstream));
	client_send(&client, upstream);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	if (client.request.response.status != status)
		fail_msg("%s, %s: %u %s", method,
		    end == secure_close ? "closed" : end == secure_cut ? "cut" : "notified",
		    client.request.response.status, client.request.why);
	assert_int_equal(client.request.retries, 0);
	client_end(&client);
}

static void
test_a_stale_socket(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, ", retry: 0");

	cross(fixture, upstream, "GET", secure_close, 200);
	cross(fixture, upstream, "GET", secure_cut, 200);
	cross(fixture, upstream, "GET", secure_notify, 200);
	cross(fixture, upstream, "POST", secure_close, 200);
	cross(fixture, upstream, "POST", secure_cut, 200);
	cross(fixture, upstream, "POST", secure_notify, 200);
	assert_int_equal(totals_of(&fixture->rig)->upstream_failures, 0);
	fixture_close(fixture);
}

static void
ignore_connected(void *owner, int error, const char *why)
{
	(void)owner, (void)error, (void)why;
}

static void
ignore(void *owner)
{
	(void)owner;
}

static bool
has_requests(void *owner)
{
	const struct secure_server *server = owner;

	return server->requests >= 2;
}

/* With TLS: all of it, or nobody knows. */
static void
test_unread(void **state)
{
	static const struct socket_events events = { ignore_connected, ignore, ignore };
	static const char words[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");
	struct iovec piece = span_iovec(span_text(words));
	struct agent_socket *socket;
	size_t sent;

	for (int is_careful = 0; is_careful < 2; is_careful++) {
		get(&fixture->rig, upstream, 200, "hello");
		fixture->server.requests = 1;
		assert_int_equal(agent_borrow(agent_of(upstream), false, is_careful, &events, NULL, &socket),
		    BORROW_REUSED);
		assert_int_equal(socket->acknowledged == UINT64_MAX, !is_careful);
		assert_int_equal(agent_socket_write(socket, &piece, 1, &sent), STREAM_OK);
		assert_int_equal(sent, sizeof(words) - 1);
		assert_true(rig_run_until(&fixture->rig, has_requests, &fixture->server, SOON_MS));
		assert_true(agent_socket_unread(socket) == UINT64_MAX);
		if (is_careful) {	/* as if nothing had been acknowledged since */
			struct tcp_info info;
			socklen_t size = sizeof(info);

			assert_int_equal(getsockopt(socket->stream.fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
			assert_true(info.tcpi_bytes_acked > socket->acknowledged);
			socket->acknowledged = info.tcpi_bytes_acked;
			assert_int_equal(agent_socket_unread(socket), sizeof(words) - 1);
		}
		agent_socket_close(socket);
	}
	fixture_close(fixture);
}

/* The server reads the request and leaves without an answer. */
static void
leave(struct secure_conn *conn, struct span head, struct span body)
{
	(void)body;
	if (conn->requests == 1 && span_starts_with(head, SPAN_OF("GET")))
		say_hello(conn, head, body);
	else
		secure_close(conn);
}

static void
test_what_was_read_is_not_repeated(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, leave);
	struct upstream *upstream = upstream_of(fixture, ", retry: 3");

	get(&fixture->rig, upstream, 200, "hello");
	post(&fixture->rig, upstream, 502, "it closed the connection without an answer");
	assert_int_equal(fixture->server.requests, 2);
	assert_int_equal(fixture->server.conn_count, 1);
	fixture_close(fixture);
}

/* -- large content ------------------------------------------------------------------------------------------------- */

static char large[LARGE + 1];

static void
say_large(struct secure_conn *conn, struct span head, struct span body)
{
	struct text text = { 0 };

	(void)head, (void)body;
	text_format(&text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", LARGE, large);
	secure_say_span(conn, text_span(&text));
	text_fini(&text);
}

static void
say_body(struct secure_conn *conn, struct span head, struct span body)
{
	struct text text = { 0 };

	(void)head;
	text_format(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.len);
	text_add(&text, body);
	secure_say_span(conn, text_span(&text));
	text_fini(&text);
}

static void
test_large_content(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_large);
	struct upstream *upstream = upstream_of(fixture, "");
	struct fake_client client;

	for (int i = 0; i < 3; i++) {
		client_begin(&client, "GET", "/x", NULL);
		fetch(&fixture->rig, &client, upstream);
		assert_true(client.is_finished);
		assert_true(span_is(text_span(&client.content), large));
		client_end(&client);
	}
	fixture->server.answer = say_body;
	for (int i = 0; i < 3; i++) {
		client_begin(&client, "POST", "/x", large);
		client.piece_max = i == 0 ? 60000 : i == 1 ? 1000 : LARGE;
		fetch(&fixture->rig, &client, upstream);
		assert_true(client.is_finished);
		assert_true(span_is(text_span(&client.content), large));
		client_end(&client);
	}
	assert_int_equal(fixture->server.conn_count, 1);
	fixture_close(fixture);
}

static size_t wanted_size;

static void
say_size_and_close(struct secure_conn *conn, struct span head, struct span body)
{
	struct text text = { 0 };

	(void)head, (void)body;
	text_format(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", wanted_size, (int)wanted_size, large);
	conn->closes = true;
	secure_say_span(conn, text_span(&text));
	text_fini(&text);
}

/* One read's room is full, the rest waits inside, the end of the connection in the socket: which is heard of first? */
static void
test_the_end_behind_large_content(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_size_and_close);
	struct upstream *upstream = upstream_of(fixture, "");
	struct fake_client client;

	for (wanted_size = 60000; fixture->server.conn_count < SERVER_CONNS_MAX - 1; wanted_size += 777) {
		client_begin(&client, "POST", "/x", "content");
		fetch(&fixture->rig, &client, upstream);
		assert_true(client.is_finished);
		assert_int_equal(client.content.len, wanted_size);
		client_end(&client);
		rig_run_for(&fixture->rig, 1);
	}
	fixture_close(fixture);
}

static size_t wanted_len;

static bool
has_content(void *owner)
{
	const struct fake_client *client = owner;

	return client->content.len >= wanted_len;
}

/* A client that does not keep up, again and again: what waits inside is neither lost nor given twice. */
static void
test_a_slow_client(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_large);
	struct upstream *upstream = upstream_of(fixture, "");
	struct fake_client client;
	unsigned turns = 0;

	client_begin(&client, "GET", "/x", NULL);
	client.is_slow = true;
	client_send(&client, upstream);
	while (!client_is_over(&client) && turns++ < 1000) {
		wanted_len = client.content.len + 1;
		assert_true(rig_run_until(&fixture->rig, has_content, &client, SOON_MS));
		wanted_len = client.content.len;
		rig_run_for(&fixture->rig, 2);
		client_drain(&client);
		client.is_slow = true;
	}
	assert_true(client.is_finished);
	assert_true(turns > 3);
	assert_true(span_is(text_span(&client.content), large));
	client_end(&client);
	fixture_close(fixture);
}

/* Who reads with little room: bytes that no readiness tells of. */
struct small_reader {
	struct agent_socket	*socket;
	size_t			 room;
	struct text		 got;
	size_t			 wanted;	/* then it gives the socket back */
	unsigned		 calls;
	unsigned		 pause;		/* every so many calls it stops reading for a while; 0: never */
};

static void
small_readable(void *owner)
{
	struct small_reader *reader = owner;
	char bytes[70000];
	size_t count;

	reader->calls++;
	assert_true(reader->got.len < reader->wanted);
	if (reader->pause > 0 && reader->calls % reader->pause == 0) {
		agent_socket_want(reader->socket, WATCH_NOTHING);
		return;
	}
	if (stream_has_input(&reader->socket->stream) || reader->calls % 2)
		assert_int_not_equal(agent_socket_read(reader->socket, bytes, reader->room, &count), STREAM_BROKEN);
	else
		assert_int_not_equal(agent_socket_read(reader->socket, bytes, sizeof(bytes), &count), STREAM_BROKEN);
	text_add(&reader->got, span_make(bytes, count));
	if (reader->got.len >= reader->wanted)
		agent_socket_give_back(reader->socket);
}

static void
small_resume(void *owner)
{
	struct small_reader *reader = owner;

	if (reader->got.len < reader->wanted)
		agent_socket_want(reader->socket, WATCH_READ);
}

static bool
has_all(void *owner)
{
	struct small_reader *reader = owner;

	small_resume(reader);
	return reader->got.len >= reader->wanted;
}

static void
read_small(size_t room, unsigned pause, size_t size)
{
	static const struct socket_events events = { ignore_connected, small_readable, ignore };
	static const char words[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");
	struct small_reader reader = { .room = room, .pause = pause };
	struct iovec piece = span_iovec(span_text(words));
	char head[64];
	size_t sent;

	get(&fixture->rig, upstream, 200, "hello");
	fixture->server.answer = say_size_and_close;
	wanted_size = size;
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	reader.wanted = strlen(head) + size;
	assert_int_equal(agent_borrow(agent_of(upstream), false, false, &events, &reader, &reader.socket),
	    BORROW_REUSED);
	assert_int_equal(agent_socket_write(reader.socket, &piece, 1, &sent), STREAM_OK);
	assert_true(rig_run_until(&fixture->rig, has_all, &reader, SOON_MS));
	assert_memory_equal(reader.got.bytes + reader.got.len - size, large, size);
	rig_run_for(&fixture->rig, 5);
	assert_int_equal(agent_of(upstream)->count, 0);
	text_fini(&reader.got);
	fixture_close(fixture);
}

static void
test_what_waits_inside(void **state)
{
	for (size_t size = 1; size < 200000; size = size * 3 + 1) {
		read_small(1 + size / 50, 0, size);
		read_small(1 + size / 50, 3, size);
		read_small(1 + size / 2, 0, size);
	}
}

/* -- the end of content that has no length ------------------------------------------------------------------------- */

static void
say_until(struct secure_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	secure_say(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
}

static bool
has_started(void *owner)
{
	const struct fake_client *client = owner;

	return client->content.len == 5;
}

static void
until_close(void (*end)(struct secure_conn *conn), bool is_finished)
{
	struct fixture *fixture = fixture_open(&made.site, say_until);
	struct upstream *upstream = upstream_of(fixture, "");
	struct fake_client client;

	client_begin(&client, "GET", "/x", NULL);
	client_send(&client, upstream);
	assert_true(rig_run_until(&fixture->rig, has_started, &client, SOON_MS));
	assert_false(client_is_over(&client));
	end(&fixture->server.conns[0]);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_int_equal(client.is_finished, is_finished);
	if (!is_finished)
		assert_string_equal(client.request.why, "the peer closed the connection without close_notify");
	client_end(&client);
	fixture_close(fixture);
}

static void
test_until_close(void **state)
{
	until_close(secure_close, true);
	until_close(secure_notify, true);
	until_close(secure_cut, false);
}

/* -- servers that are not to be trusted ---------------------------------------------------------------------------- */

static void
refused(const struct identity *identity, const char *why)
{
	struct fixture *fixture = fixture_open(identity, say_hello);
	struct upstream *upstream = upstream_of(fixture, ", retry: 0");

	get(&fixture->rig, upstream, 502, why);
	assert_int_equal(fixture->server.requests, 0);
	assert_int_equal(fixture->server.handshakes, 0);
	assert_int_equal(totals_of(&fixture->rig)->upstream_tls_handshakes, 0);
	assert_int_equal(totals_of(&fixture->rig)->upstream_failures, 1);
	assert_int_equal(agent_of(upstream)->count, 0);
	fixture_close(fixture);
}

static void
test_bad_certificates(void **state)
{
	refused(&made.wrong, "certificate verify failed: hostname mismatch, it is for b.test; host a.test");
	refused(&made.expired, "certificate verify failed: certificate has expired, it ended on 20");
	refused(&made.root, "certificate verify failed: hostname mismatch, it is for no name");
}

static void
test_another_server_takes_over(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct rig *rig = &fixture->rig;
	struct secure_server bad;
	struct upstream *upstream;

	secure_server_open(&bad, rig, &made.expired, say_hello);
	upstream = rig_upstream(rig, yaml("  api: {servers: [\"https://127.0.0.1:%u\", {url: \"https://127.0.0.1:%u\", "
	    "backup: true}], tls: {ca: root.pem, server_name: a.test}, retry: {on: [connect]}}", bad.port,
	    fixture->server.port));
	post(rig, upstream, 200, "hello");
	assert_int_equal(bad.requests, 0);
	assert_int_equal(fixture->server.requests, 1);
	assert_int_equal(totals_of(rig)->retries, 1);
	secure_server_close(&bad);
	fixture_close(fixture);
}

static void
say_plainly(struct fake_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	fake_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain");
}

/* What comes is a ClientHello, which no request is: servers say 400 and close, or only close. */
static void
hello_taken(void *owner, unsigned ready)
{
	struct fake_conn *conn = owner;
	char bytes[4096];

	(void)ready;
	if (recv(conn->fd, bytes, sizeof(bytes), 0) > 0 && conn->server->answer != NULL)
		fake_say(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	fake_close(conn);
}

static void
strangers_ready(void *owner, unsigned ready)
{
	struct fake_server *server = owner;
	struct fake_conn *conn = &server->conns[server->conn_count];

	fake_server_ready(owner, ready);
	watch_fini(&conn->watch);
	watch_init(&conn->watch, server->rig->loop, conn->fd, hello_taken, conn);
	watch_want(&conn->watch, WATCH_READ);
}

static void
test_plain_servers(void **state)
{
	static const char *const whys[] = {
		"TLS handshake failed: what the peer sent is not TLS",
		"TLS handshake failed: the peer closed the connection during the handshake",
	};

	for (int i = 0; i < 2; i++) {
		struct fixture *fixture = fixture_open(&made.site, say_hello);
		struct fake_server plain;
		struct upstream *upstream;

		fake_server_open(&plain, &fixture->rig, i == 0 ? say_plainly : NULL);
		watch_fini(&plain.watch);
		watch_init(&plain.watch, fixture->rig.loop, plain.fd, strangers_ready, &plain);
		watch_want(&plain.watch, WATCH_READ);
		upstream = rig_upstream(&fixture->rig, yaml("  api: {servers: [\"https://127.0.0.1:%u\"], tls: {ca: "
		    "root.pem}, retry: 0}", plain.port));
		get(&fixture->rig, upstream, 502, whys[i]);
		assert_int_equal(plain.conn_count, 1);
		fake_server_close(&plain);
		fixture_close(fixture);
	}
}

static void
test_a_silent_server(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, ", retry: 0, timeouts: {connect: 100ms}");

	fixture->server.is_silent = true;
	get(&fixture->rig, upstream, 504, "no TLS handshake in time");
	assert_int_equal(agent_of(upstream)->count, 0);
	fixture_close(fixture);
}

/* The client goes away in the middle of the handshake. */
static void
test_a_client_leaves_early(void **state)
{
	struct fixture *fixture = fixture_open(&made.site, say_hello);
	struct upstream *upstream = upstream_of(fixture, "");
	struct fake_client client;

	fixture->server.is_silent = true;
	client_begin(&client, "GET", "/x", NULL);
	client_send(&client, upstream);
	rig_run_for(&fixture->rig, 30);
	assert_true(fixture->server.conn_count == 1);
	client_leave(&client);
	assert_int_equal(agent_of(upstream)->count, 0);
	client_end(&client);
	fixture_close(fixture);
}

/* A server that demands a certificate says so behind our end of the handshake. */
static void
test_mutual(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct fixture *fixture = fixture_open(&made.site, say_hello);
		struct upstream *upstream;

		SSL_CTX_set_verify(fixture->server.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		X509_STORE_add_cert(SSL_CTX_get_cert_store(fixture->server.context), made.root.certificate);
		upstream = rig_upstream(&fixture->rig, yaml("  api: {servers: [\"https://127.0.0.1:%u\"], retry: 0, "
		    "tls: {ca: root.pem, server_name: a.test%s}}", fixture->server.port,
		    i ? ", cert: mine.pem, key: mine.key" : ""));
		if (i)
			get(&fixture->rig, upstream, 200, "hello");
		else
			get(&fixture->rig, upstream, 502, "the peer refused: certificate required");
		assert_int_equal(fixture->server.requests, (unsigned)i);
		fixture_close(fixture);
	}
}

/* -- health probes ------------------------------------------------------------------------------------------------- */

static bool
is_known(void *owner)
{
	const struct upstream *upstream = owner;

	return board_get(upstream->world->board, upstream->peers[0]->key) != BOARD_UNKNOWN;
}

static void
probe(const struct identity *identity, bool is_silent, enum board_state state, const char *reason)
{
	struct fixture *fixture = fixture_open(identity, say_hello);
	struct text report = { 0 };
	struct upstream *upstream;

	fixture->server.is_silent = is_silent;
	fixture->rig.slots->notice.prober = 0;
	upstream = upstream_of(fixture, ", health: {path: /h, timeout: 200ms}");
	assert_true(rig_run_until(&fixture->rig, is_known, upstream, SOON_MS));
	assert_int_equal(board_get(fixture->rig.board, upstream->peers[0]->key), state);
	board_report(fixture->rig.board, &report);
	if (!strstr(report.bytes, reason))
		fail_msg("%s does not say %s", report.bytes, reason);
	if (state == BOARD_UP)
		assert_non_null(strstr(fixture->server.last.bytes, "GET /h HTTP/1.1\r\nHost: 127.0.0.1:"));
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 0);
	text_fini(&report);
	fixture_close(fixture);
}

static void
test_probes(void **state)
{
	probe(&made.site, false, BOARD_UP, "status 200");
	probe(&made.wrong, false, BOARD_DOWN, "certificate verify failed: hostname mismatch, it is for b.test");
	probe(&made.site, true, BOARD_DOWN, "no TLS handshake in time");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_and_another),
		cmocka_unit_test(test_sessions_are_resumed),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_a_reload_keeps_sockets),
		cmocka_unit_test(test_identities_do_not_mix),
		cmocka_unit_test(test_a_free_socket_ends),
		cmocka_unit_test(test_a_free_socket_hears_close_notify),
		cmocka_unit_test(test_a_free_socket_hears_tickets),
		cmocka_unit_test(test_a_free_socket_hears_words),
		cmocka_unit_test(test_an_answer_with_more_behind_it),
		cmocka_unit_test(test_an_answer_with_the_end_behind_it),
		cmocka_unit_test(test_a_stale_socket),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_what_was_read_is_not_repeated),
		cmocka_unit_test(test_large_content),
		cmocka_unit_test(test_the_end_behind_large_content),
		cmocka_unit_test(test_a_slow_client),
		cmocka_unit_test(test_what_waits_inside),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_another_server_takes_over),
		cmocka_unit_test(test_plain_servers),
		cmocka_unit_test(test_a_silent_server),
		cmocka_unit_test(test_a_client_leaves_early),
		cmocka_unit_test(test_mutual),
		cmocka_unit_test(test_probes),
	};
	struct identity mine, other = identity_make(&(struct wish){ .name = "other", .is_authority = true,
	    .key = rsa_key(2048) });
	struct text both = { 0 };
	int failed;

	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)('a' + i * i % 23);
	directory_enter();
	made.root = identity_make(&(struct wish){ .name = "root", .is_authority = true });
	made.site = identity_make(&(struct wish){ .name = "site", .san = "DNS:a.test", .issuer = &made.root });
	made.wrong = identity_make(&(struct wish){ .name = "wrong", .san = "DNS:b.test", .issuer = &made.root });
	made.expired = identity_make(&(struct wish){ .name = "old", .san = "DNS:a.test", .issuer = &made.root,
	    .from = -9 * DAY, .until = -DAY });
	mine = identity_make(&(struct wish){ .name = "mine", .issuer = &made.root, .is_for_clients = true });
	put_identity("root", &made.root, NULL);
	put_identity("site", &made.site, NULL);
	put_identity("mine", &mine, NULL);
	pem_of(&both, &made.root, &other);
	put("both.pem", text_span(&both));
	text_fini(&both);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	identity_fini(&mine);
	identity_fini(&other);
	identity_fini(&made.root);
	identity_fini(&made.site);
	identity_fini(&made.wrong);
	identity_fini(&made.expired);
	directory_leave();
	return failed;
}
