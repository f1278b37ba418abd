/* rooms: base loop conf http net codec request store upstream */
#include "rig.h"

#include "codec/h1_chunked.h"

static void
get(struct rig *rig, struct upstream *upstream, const char *target, unsigned status)
{
	struct fake_client client;

	client_begin(&client, "GET", target, NULL);
	fetch(rig, &client, upstream);
	assert_int_equal(client.request.response.status, status);
	client_end(&client);
}

/* -- what a server may answer ------------------------------------------------------------------------------------- */

static void
say_hello(struct fake_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	fake_say(conn, "HTTP/1.1 200 OK\r\nX-One: 1\r\nConnection: keep-alive, X-Hop\r\nX-Hop: h\r\nKeep-Alive: "
	    "timeout=5\r\n"
	    "Content-Length: 5\r\n\r\nhello");
}

static void
say_content(struct fake_conn *conn, struct span head, struct span body)
{
	char line[100];

	(void)head;
	snprintf(line, sizeof(line), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.len);
	fake_say(conn, line);
	if (body.len > 0)
		assert_int_equal(send(conn->fd, body.at, body.len, MSG_NOSIGNAL), (ssize_t)body.len);
}

/* The target is the answer: "/HTTP/1.1_200_OK~~…": '_' is a space, '~' a line end. A final '!' closes. */
static void
say_target(struct fake_conn *conn, struct span head, struct span body)
{
	struct span target = span_skip(head, span_find(head, '/') + 1);
	struct text text = { 0 };
	bool closes;

	(void)body;
	target = span_first(target, span_find(target, ' '));
	closes = target.len > 0 && target.at[target.len - 1] == '!';
	for (size_t i = 0; i < target.len - (closes ? 1 : 0); i++) {
		if (target.at[i] == '~')
			text_add_text(&text, "\r\n");
		else
			text_add_byte(&text, target.at[i] == '_' ? ' ' : target.at[i]);
	}
	fake_say(conn, text.bytes ? text.bytes : "");
	text_fini(&text);
	if (closes)
		fake_close(conn);
}

static unsigned failures_left;

static void
say_503_a_few_times(struct fake_conn *conn, struct span head, struct span body)
{
	if (failures_left == 0) {
		say_content(conn, head, body);
		return;
	}
	failures_left--;
	fake_say(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno");
}

static void
close_a_few_times(struct fake_conn *conn, struct span head, struct span body)
{
	if (failures_left == 0) {
		say_content(conn, head, body);
		return;
	}
	failures_left--;
	fake_close(conn);
}

/* -- one exchange ------------------------------------------------------------------------------------------------- */

struct fixture {
	struct rig		 rig;
	struct fake_server	 server;
	struct upstream		*upstream;
};

static int
fixture_open(void **state)
{
	struct fixture *fixture = memory_zalloc(sizeof(*fixture));

	rig_init(&fixture->rig);
	fake_server_open(&fixture->server, &fixture->rig, say_hello);
	*state = fixture;
	return 0;
}

static int
fixture_close(void **state)
{
	struct fixture *fixture = *state;

	fake_server_close(&fixture->server);
	rig_fini(&fixture->rig);
	memory_free(fixture);
	return 0;
}

static struct upstream *
plain(struct fixture *fixture)
{
	return fixture->upstream = rig_upstream(&fixture->rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"], retry: {attempts: 0}, timeouts: {response: 200ms, idle: "
	    "200ms}}",
	    fixture->server.port));
}

static void
test_get(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	plain(fixture);
	client_begin(&client, "GET", "/a?b", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_string_equal(fixture->server.last.bytes, "GET /a?b HTTP/1.1\r\nHost: a.test\r\n\r\n");
	assert_int_equal(client.request.response.status, 200);
	assert_string_equal(client_content(&client), "hello");
	assert_true(client.request.response.has_length);
	assert_int_equal(client.request.response.content_length, 5);
	assert_string_equal(client_value(&client, "X-One"), "1");
	assert_string_equal(client_value(&client, "X-Hop"), "");
	assert_string_equal(client_value(&client, "Connection"), "");
	assert_string_equal(client_value(&client, "Keep-Alive"), "");
	assert_string_equal(client_value(&client, "Content-Length"), "");
	assert_int_equal(client.writes, 1);
	assert_int_equal(client.flushes, 0);
	assert_true(span_starts_with(client.request.upstream, SPAN_OF("127.0.0.1:")));
	client_end(&client);
}

static void
test_sockets_are_kept(void **state)
{
	struct fixture *fixture = *state;
	struct slot_totals *totals = &fixture->rig.slots->workers[0].totals;

	plain(fixture);
	for (int i = 0; i < 5; i++)
		get(&fixture->rig, fixture->upstream, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
	assert_int_equal(totals->upstream_connects, 1);
	assert_int_equal(totals->upstream_reuses, 4);
	assert_int_equal(totals->upstream_requests, 5);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 1);
	fake_close(&fixture->server.conns[0]);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 0);
	get(&fixture->rig, fixture->upstream, "/", 200);
	assert_int_equal(fixture->server.conn_count, 2);
}

/* A reload: another site, the same server and limits. */
static void
test_sockets_outlive_a_site(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct rig before;

	plain(fixture);
	get(rig, fixture->upstream, "/", 200);
	before = *rig;
	plain(fixture);
	rig_unload(&before);
	get(rig, fixture->upstream, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
}

static void
test_draining_closes_what_is_free(void **state)
{
	struct fixture *fixture = *state;

	plain(fixture);
	get(&fixture->rig, fixture->upstream, "/", 200);
	upstream_world_drain(fixture->rig.world);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fake_server_open_conns(&fixture->server), 0);
	get(&fixture->rig, fixture->upstream, "/", 200);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fake_server_open_conns(&fixture->server), 0);
}

/* Method, answer, status, content; whether the socket may be used again. */
static const struct {
	const char	*method;
	const char	*answer;
	unsigned	 status;
	const char	*content;
	bool		 is_cut;
	bool		 is_kept;
} answers[] = {
	{ "GET", "HTTP/1.1_200_OK~Content-Length:_0~~", 200, "", false, true },
	{ "GET", "HTTP/1.1_204_No~~", 204, "", false, true },
	{ "GET", "HTTP/1.1_304_No~Content-Length:_5~~", 304, "", false, true },
	{ "HEAD", "HTTP/1.1_200_OK~Content-Length:_5~~", 200, "", false, true },
	{ "HEAD", "HTTP/1.1_200_OK~Content-Length:_5~~hello", 200, "", false, false },
	{ "GET", "HTTP/1.1_200_OK~Transfer-Encoding:_chunked~~5~hello~3~you~0~~", 200, "helloyou", false, true },
	{ "GET", "HTTP/1.1_200_OK~Transfer-Encoding:_chunked~~5~hello~0~X-T:_end~~", 200, "hello", false, true },
	{ "GET", "HTTP/1.1_200_OK~Content-Length:_2~~okmore", 200, "ok", false, false },
	{ "GET", "HTTP/1.1_200_OK~Connection:_close~Content-Length:_2~~ok", 200, "ok", false, false },
	{ "GET", "HTTP/1.0_200_OK~Content-Length:_2~~ok", 200, "ok", false, false },
	{ "GET", "HTTP/1.1_200_OK~~until!", 200, "until", false, false },
	{ "GET", "HTTP/1.1_100_Continue~~HTTP/1.1_200_OK~Content-Length:_2~~ok", 200, "ok", false, true },
	{ "GET", "HTTP/1.1_200_OK~Content-Length:_5~~he!", 200, "he", true, false },
	{ "GET", "HTTP/1.1_200_OK~Transfer-Encoding:_chunked~~5~he!", 200, "he", true, false },
	{ "GET", "HTTP/1.1_200_OK~Transfer-Encoding:_chunked~~zz~", 502, "", false, false },
	{ "GET", "HTTP/1.1_200_OK~Transfer-Encoding:_chunked~~2~ok~zz~", 502, "", false, false },
	{ "GET", "HTTP/1.1_101_Switching~Upgrade:_x~Connection:_upgrade~~", 502, "", false, false },
	{ "GET", "nonsense~~", 502, "", false, false },
	{ "GET", "HTTP/1.1_200_O!", 502, "", false, false },
	{ "GET", "!", 502, "", false, false },
	{ "GET", "HTTP/1.1_200_OK~Content-Length:_2~Transfer-Encoding:_chunked~~", 502, "", false, false },
};

static void
test_answers(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = say_target;
	plain(fixture);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct fake_client client;
		char target[256];

		print_message("# %s\n", answers[i].answer);
		snprintf(target, sizeof(target), "/%s", answers[i].answer);
		client_begin(&client, answers[i].method, target, NULL);
		fetch(&fixture->rig, &client, fixture->upstream);
		assert_int_equal(client.request.response.status, answers[i].status);
		assert_int_equal(client.is_aborted, answers[i].is_cut);
		if (answers[i].status != 502)
			assert_string_equal(client_content(&client), answers[i].content);
		rig_run_for(&fixture->rig, 5);
		assert_int_equal(fake_server_open_conns(&fixture->server), answers[i].is_kept);
		for (unsigned c = 0; c < fixture->server.conn_count; c++) {
			fake_close(&fixture->server.conns[c]);
			text_fini(&fixture->server.conns[c].in);
		}
		fixture->server.conn_count = 0;
		rig_run_for(&fixture->rig, 5);
		client_end(&client);
	}
}

static void
test_trailers_and_informational(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = say_target;
	plain(fixture);
	client_begin(&client, "GET",
	    "/HTTP/1.1_103_Early~Link:_x~~HTTP/1.1_102_Wait~~"
	    "HTTP/1.1_200_OK~Transfer-Encoding:_chunked~~2~ok~0~X-T:_end~~",
	    NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_string_equal(client.informed.bytes, "103 102 [end]");
	assert_true(client.has_trailers);
	client_end(&client);
}

static void
test_informational_without_end(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;
	char target[2048] = "/";
	size_t len = 1;

	fixture->server.answer = say_target;
	plain(fixture);
	for (int i = 0; i < RELAY_INFORM_MAX + 2; i++)
		len += (size_t)snprintf(target + len, sizeof(target) - len, "HTTP/1.1_103_Early~~");
	client_begin(&client, "GET", target, NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, 502);
	client_end(&client);
}

static struct fake_conn *slow_conn;

static void
take_and_wait(struct fake_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	slow_conn = conn;
}

static bool
has_slow_conn(void *owner)
{
	(void)owner;
	return slow_conn != NULL;
}

/* More small chunks than a system call takes pieces, and a large one among them. */
static void
test_small_chunks_leave_together(void **state)
{
	struct fixture *fixture = *state;
	struct text answer = { 0 }, content = { 0 };
	struct fake_client client;

	text_add_text(&answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (unsigned i = 0; i < 500; i++) {
		size_t size = i == 100 ? 5000 : 1 + i % 7;
		char head[H1_CHUNK_HEAD_MAX];

		text_add(&answer, span_make(head, h1_chunk_head_write(head, size)));
		for (size_t at = 0; at < size; at++) {
			text_add_byte(&answer, (char)('a' + (i + at) % 26));
			text_add_byte(&content, (char)('a' + (i + at) % 26));
		}
		text_add_text(&answer, "\r\n");
	}
	text_add_text(&answer, "0\r\n\r\n");
	slow_conn = NULL;
	fixture->server.answer = take_and_wait;
	plain(fixture);
	client_begin(&client, "GET", "/", NULL);
	client_send(&client, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_slow_conn, NULL, SOON_MS));
	fake_say(slow_conn, answer.bytes);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_string_equal(client_content(&client), content.bytes);
	assert_true(client.writes <= 2);
	text_fini(&answer);
	text_fini(&content);
	client_end(&client);
}

/* Byte by byte, over many reads. */
static void
test_byte_by_byte(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
	struct fixture *fixture = *state;
	struct fake_client client;

	slow_conn = NULL;
	fixture->server.answer = take_and_wait;
	client_begin(&client, "GET", "/", NULL);
	client_send(&client, rig_upstream(&fixture->rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"]}", fixture->server.port)));
	assert_true(rig_run_until(&fixture->rig, has_slow_conn, NULL, SOON_MS));
	for (size_t i = 0; i < sizeof(answer) - 1; i++) {
		const char byte[2] = { answer[i], '\0' };

		assert_false(client_is_over(&client));
		fake_say(slow_conn, byte);
		rig_run_for(&fixture->rig, 2);
	}
	assert_true(client_is_over(&client));
	assert_string_equal(client_content(&client), "hello");
	assert_true(client.flushes >= 1);
	client_end(&client);
}

static void
test_a_slow_client_stops_the_server(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;
	size_t got;

	slow_conn = NULL;
	fixture->server.answer = take_and_wait;
	plain(fixture);
	client_begin(&client, "GET", "/", NULL);
	client.is_slow = true;
	client_send(&client, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_slow_conn, NULL, SOON_MS));
	fake_say(slow_conn, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nhello");
	rig_run_for(&fixture->rig, 20);
	assert_string_equal(client_content(&client), "hello");
	fake_say(slow_conn, "12345");
	rig_run_for(&fixture->rig, 300);	/* longer than timeouts.idle: it is the client that is slow */
	got = client.content.len;
	assert_int_equal(got, 5);
	assert_false(client_is_over(&client));
	client_drain(&client);
	rig_run_for(&fixture->rig, 20);
	assert_string_equal(client_content(&client), "hello12345");
	fake_say(slow_conn, "67890");
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_true(client.is_finished);
	client_end(&client);
}

static void
test_a_client_that_leaves(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	slow_conn = NULL;
	fixture->server.answer = take_and_wait;
	plain(fixture);
	client_begin(&client, "GET", "/", NULL);
	client_send(&client, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_slow_conn, NULL, SOON_MS));
	client_leave(&client);
	client_end(&client);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fake_server_open_conns(&fixture->server), 0);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 0);
}

/* -- content ------------------------------------------------------------------------------------------------------ */

static void
test_content_with_a_length(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = say_content;
	plain(fixture);
	client_begin(&client, "POST", "/", "abcdef");
	client.piece_max = 2;
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_string_equal(fixture->server.last.bytes, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: "
	    "6\r\n\r\nabcdef");
	assert_string_equal(client_content(&client), "abcdef");
	client_end(&client);
}

static void
test_content_without_a_length(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = say_content;
	plain(fixture);
	client_begin(&client, "POST", "/", "abcdefghijklmn");
	client.request.has_length = false;
	client.piece_max = 10;
	fields_add_named(&client.request.trailers, SPAN_OF("X-End"), SPAN_OF("yes"));
	fixture->server.answer = NULL;
	client_send(&client, fixture->upstream);
	rig_run_for(&fixture->rig, 50);
	text_add_byte(&fixture->server.conns[0].in, '\0');
	assert_string_equal(fixture->server.conns[0].in.bytes,
	    "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabcdefghij\r\n4\r\nklmn\r\n"
	    "0\r\nX-End: yes\r\n\r\n");
	client_leave(&client);
	client_end(&client);
}

/* Ten megabytes to a server that does not read: only what the kernel and one piece hold is taken from the client. */
static void
test_a_deaf_server_stops_the_client(void **state)
{
	enum { SIZE = 64 * 1024 * 1024 };
	struct fixture *fixture = *state;
	struct fake_client client;
	char *body = memory_alloc(SIZE + 1);

	memset(body, 'x', SIZE);
	body[SIZE] = '\0';
	fixture->server.is_deaf = true;
	plain(fixture);
	client_begin(&client, "POST", "/", body);
	client.piece_max = 16384;
	client_send(&client, fixture->upstream);
	rig_run_for(&fixture->rig, 100);
	assert_false(client.wants_body);
	assert_true(client.body.len > SIZE / 2);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_int_equal(client.request.response.status, 504);
	client_end(&client);
	memory_free(body);
}

static void
test_an_answer_before_the_content(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = NULL;
	plain(fixture);
	client_begin(&client, "POST", "/", "abc");
	client.request.content_length = 10;
	client.body_is_open = true;
	client_send(&client, fixture->upstream);
	rig_run_for(&fixture->rig, 30);
	assert_int_equal(fixture->server.conn_count, 1);
	fake_say(&fixture->server.conns[0], "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_int_equal(client.request.response.status, 413);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fake_server_open_conns(&fixture->server), 0);
	client_end(&client);
}

/* -- time --------------------------------------------------------------------------------------------------------- */

static void
test_no_answer_in_time(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;
	uint64_t began_ms = clock_ms();

	fixture->server.answer = NULL;
	plain(fixture);
	client_begin(&client, "GET", "/", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, 504);
	assert_in_range(clock_ms() - began_ms, 190, 1000);
	assert_string_equal(client.request.why, "no response in time");
	client_end(&client);
}

static void
test_content_that_stops(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = say_target;
	plain(fixture);
	client_begin(&client, "GET", "/HTTP/1.1_200_OK~Content-Length:_5~~he", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_true(client.is_aborted);
	assert_string_equal(client_content(&client), "he");
	client_end(&client);
}

/* -- trying again ------------------------------------------------------------------------------------------------- */

static unsigned
dead_port(struct rig *rig)
{
	struct fake_server server;

	fake_server_open(&server, rig, NULL);
	fake_server_close(&server);
	return server.port;
}

static void
test_a_refused_connection(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct upstream *upstream = rig_upstream(rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"], eject: {failures: 0}}",
	    dead_port(rig),
	    fixture->server.port));

	for (int i = 0; i < 6; i++) {
		struct fake_client client;

		client_begin(&client, "POST", "/", "x");
		fetch(rig, &client, upstream);
		assert_int_equal(client.request.response.status, 200);
		client_end(&client);
	}
	assert_int_equal(fixture->server.requests, 6);
	assert_int_equal(rig->slots->workers[0].totals.retries, 3);
}

static void
test_statuses_are_tried_again(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct upstream *upstream = rig_upstream(rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"], retry: {attempts: 2, budget: 100%%}}",
	    fixture->server.port));
	struct fake_client client;

	fixture->server.answer = say_503_a_few_times;
	failures_left = 2;
	get(rig, upstream, "/", 200);
	assert_int_equal(fixture->server.requests, 3);
	failures_left = 3;
	get(rig, upstream, "/", 503);
	assert_int_equal(fixture->server.requests, 6);
	failures_left = 1;
	client_begin(&client, "POST", "/", "x");
	fetch(rig, &client, upstream);
	assert_int_equal(client.request.response.status, 503);
	assert_string_equal(client_content(&client), "no");
	assert_int_equal(fixture->server.requests, 7);
	client_end(&client);
}

/* Content is kept and sent again, whole, also when it came in pieces. */
static void
test_content_is_sent_again(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct upstream *upstream = rig_upstream(rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"], retry: {attempts: 1, budget: 100%%}}",
	    fixture->server.port));
	struct fake_client client;

	for (int chunked = 0; chunked < 2; chunked++) {
		fixture->server.answer = close_a_few_times;
		failures_left = 1;
		client_begin(&client, "PUT", "/", "0123456789");
		client.request.has_length = !chunked;
		client.piece_max = 3;
		fetch(rig, &client, upstream);
		assert_int_equal(client.request.response.status, 200);
		assert_int_equal(client.request.retries, 1);
		assert_string_equal(client_content(&client), chunked ? "a\r\n0123456789\r\n0\r\n\r\n" : "0123456789");
		client_end(&client);
	}
}

static void
test_too_much_content_is_not(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct upstream *upstream = rig_upstream(rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"], retry: {attempts: 1, budget: 100%%}}",
	    fixture->server.port));
	struct fake_client client;
	char *body = memory_alloc(RELAY_REPLAY_MAX + 2);

	memset(body, 'x', RELAY_REPLAY_MAX + 1);
	body[RELAY_REPLAY_MAX + 1] = '\0';
	fixture->server.answer = close_a_few_times;
	for (size_t over = 0; over < 2; over++) {
		failures_left = 1;
		client_begin(&client, "PUT", "/", body + 1 - over);
		client.piece_max = 10000;
		fetch(rig, &client, upstream);
		assert_int_equal(client.request.response.status, over ? 502 : 200);
		client_end(&client);
	}
	memory_free(body);
}

static void
test_post_is_not_sent_twice(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct upstream *upstream = rig_upstream(rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"], retry: {attempts: 3}}", fixture->server.port));
	struct fake_client client;

	fixture->server.answer = close_a_few_times;
	failures_left = 1;
	client_begin(&client, "POST", "/", "x");
	fetch(rig, &client, upstream);
	assert_int_equal(client.request.response.status, 502);
	assert_int_equal(fixture->server.requests, 1);
	client_end(&client);
}

/* The server closes its idle connections without our loop having seen it yet. */
static void
test_a_kept_socket_that_died(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;

	plain(fixture);	/* no retries */
	for (int i = 0; i < 4; i++) {
		struct fake_client client;

		get(rig, fixture->upstream, "/", 200);
		for (unsigned c = 0; c < fixture->server.conn_count; c++)
			fake_close(&fixture->server.conns[c]);
		client_begin(&client, i % 2 ? "POST" : "GET", "/", i % 2 ? "abc" : NULL);
		fetch(rig, &client, fixture->upstream);
		assert_int_equal(client.request.response.status, 200);
		assert_int_equal(client.request.retries, 0);
		client_end(&client);
	}
	assert_int_equal(fixture->server.requests, 8);
}

/* -- the queue ---------------------------------------------------------------------------------------------------- */

static void
test_queue(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct upstream *upstream = rig_upstream(rig, yaml(
	    "  api: {servers: [\"http://127.0.0.1:%u\"], agent: {max_sockets: 1}, queue: {size: 2, timeout: 300ms}}",
	    fixture->server.port));
	struct fake_client clients[4];
	uint64_t began_ms;

	fixture->server.answer = take_and_wait;
	slow_conn = NULL;
	for (int i = 0; i < 4; i++) {
		client_begin(&clients[i], "GET", "/", NULL);
		client_send(&clients[i], upstream);
	}
	assert_true(client_is_over(&clients[3]));
	assert_int_equal(clients[3].request.response.status, 503);
	assert_string_not_equal(client_value(&clients[3], "Retry-After"), "");
	assert_int_equal(upstream->queued, 2);
	client_leave(&clients[1]);
	assert_int_equal(upstream->queued, 1);
	assert_true(rig_run_until(rig, has_slow_conn, NULL, SOON_MS));
	assert_false(client_is_over(&clients[2]));
	fake_say(slow_conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	slow_conn = NULL;
	assert_true(rig_run_until(rig, has_slow_conn, NULL, SOON_MS));
	assert_true(client_is_over(&clients[0]));
	assert_int_equal(fixture->server.requests, 2);
	client_end(&clients[3]);
	client_begin(&clients[3], "GET", "/", NULL);
	client_send(&clients[3], upstream);
	began_ms = clock_ms();
	assert_true(rig_run_until(rig, client_is_over, &clients[3], SOON_MS));
	assert_in_range(clock_ms() - began_ms, 280, 1000);
	assert_int_equal(clients[3].request.response.status, 503);
	client_leave(&clients[2]);
	for (int i = 0; i < 4; i++)
		client_end(&clients[i]);
}

/* -- ejection ----------------------------------------------------------------------------------------------------- */

static void
test_ejected(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct upstream *upstream = rig_upstream(rig, yaml("  api: {servers: [\"http://127.0.0.1:%u\"], "
	    "retry: {attempts: 0}, eject: {failures: 3, within: 10s, for: 200ms}}", fixture->server.port));
	struct fake_client client;

	fixture->server.answer = say_503_a_few_times;
	failures_left = 4;
	for (int i = 0; i < 3; i++)
		get(rig, upstream, "/", 503);
	assert_int_equal(fixture->server.requests, 3);
	client_begin(&client, "GET", "/", NULL);
	fetch(rig, &client, upstream);
	assert_int_equal(client.request.response.status, 503);
	assert_string_equal(client_value(&client, "Retry-After"), "1");
	assert_string_equal(client.request.why, "every server is ejected");
	client_end(&client);
	assert_int_equal(fixture->server.requests, 3);
	rig_run_for(rig, 220);
	get(rig, upstream, "/", 503);	/* half-open: it fails again */
	assert_int_equal(fixture->server.requests, 4);
	get(rig, upstream, "/", 503);
	assert_int_equal(fixture->server.requests, 4);
	rig_run_for(rig, 220);
	get(rig, upstream, "/", 200);
	get(rig, upstream, "/", 200);
	assert_int_equal(fixture->server.requests, 6);
}

/* -- tunnels ------------------------------------------------------------------------------------------------------ */

static void
test_tunnel(void **state)
{
	struct fixture *fixture = *state;
	struct rig *rig = &fixture->rig;
	struct fake_client client;
	struct fake_conn *conn = &fixture->server.conns[0];

	fixture->server.answer = say_target;
	plain(fixture);
	client_begin(&client, "GET", "/HTTP/1.1_101_Switching~Upgrade:_echo~Connection:_upgrade~~first", NULL);
	client.request.wants_upgrade = true;
	fields_add(&client.request.fields, FIELD_UPGRADE, SPAN_OF("echo"));
	client.body = SPAN_OF("early");
	client.body_is_open = true;
	client_send(&client, fixture->upstream);
	rig_run_for(rig, 50);
	assert_non_null(strstr(fixture->server.last.bytes, "Connection: upgrade\r\nUpgrade: echo\r\n"));
	assert_int_equal(client.request.response.status, 101);
	assert_int_equal(client.upgrades, 1);
	assert_string_equal(client_value(&client, "Upgrade"), "echo");
	assert_string_equal(client_content(&client), "first");
	assert_int_equal(conn->in.len, 5);
	assert_memory_equal(conn->in.bytes, "early", 5);
	fake_say(conn, "second");
	rig_run_for(rig, 20);
	assert_string_equal(client_content(&client), "firstsecond");
	client.body_is_open = false;
	client.body = SPAN_OF("late");
	client_give(&client);	/* and the client has said all */
	assert_true(rig_run_until(rig, client_is_over, &client, SOON_MS));
	assert_true(client.is_finished);
	assert_memory_equal(conn->in.bytes, "earlylate", 9);
	client_end(&client);
}

static void
test_quiet_tunnel(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = say_target;
	plain(fixture);
	client_begin(&client, "GET", "/HTTP/1.1_101_Switching~Upgrade:_echo~Connection:_upgrade~~", NULL);
	client.request.wants_upgrade = true;
	fields_add(&client.request.fields, FIELD_UPGRADE, SPAN_OF("echo"));
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_true(client.is_aborted);
	client_end(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_sockets_are_kept),
		TEST(test_sockets_outlive_a_site),
		TEST(test_draining_closes_what_is_free),
		TEST(test_answers),
		TEST(test_trailers_and_informational),
		TEST(test_informational_without_end),
		TEST(test_small_chunks_leave_together),
		TEST(test_byte_by_byte),
		TEST(test_a_slow_client_stops_the_server),
		TEST(test_a_client_that_leaves),
		TEST(test_content_with_a_length),
		TEST(test_content_without_a_length),
		TEST(test_a_deaf_server_stops_the_client),
		TEST(test_an_answer_before_the_content),
		TEST(test_no_answer_in_time),
		TEST(test_content_that_stops),
		TEST(test_a_refused_connection),
		TEST(test_statuses_are_tried_again),
		TEST(test_content_is_sent_again),
		TEST(test_too_much_content_is_not),
		TEST(test_post_is_not_sent_twice),
		TEST(test_a_kept_socket_that_died),
		TEST(test_queue),
		TEST(test_ejected),
		TEST(test_tunnel),
		TEST(test_quiet_tunnel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
