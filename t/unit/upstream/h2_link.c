/* rooms: base loop conf http net codec request store upstream */
#include "h2_rig.h"

enum { MANY = 200 };

/* -- what the server says ------------------------------------------------------------------------------------------ */

static void
say_hello(struct h2_asked *asked)
{
	h2_say(asked, "hello", ":status", "200", "x-one", "1", "content-length", "5", NULL);
}

static void
say_nothing(struct h2_asked *asked)
{
	(void)asked;
}

/* What came. */
static void
say_body(struct h2_asked *asked)
{
	text_add_byte(&asked->body, '\0');
	h2_say(asked, asked->body.bytes, ":status", "200", NULL);
}

static unsigned failures_left;
static uint32_t failure_code;

static void
reset_a_few_times(struct h2_asked *asked)
{
	if (failures_left == 0) {
		say_body(asked);
		return;
	}
	failures_left--;
	h2_reset(asked, failure_code);
}

static void
close_a_few_times(struct h2_asked *asked)
{
	if (failures_left == 0) {
		say_body(asked);
		return;
	}
	failures_left--;
	h2_conn_close(asked->conn);
}

static void
refuse_with_503(struct h2_asked *asked)
{
	if (failures_left == 0) {
		say_body(asked);
		return;
	}
	failures_left--;
	h2_say(asked, "no", ":status", "503", NULL);
}

/* GOAWAY that takes back the request that has just come. */
static void
goaway_a_few_times(struct h2_asked *asked)
{
	if (failures_left == 0) {
		say_body(asked);
		return;
	}
	failures_left--;
	nghttp2_submit_goaway(asked->conn->session, NGHTTP2_FLAG_NONE, asked->id > 2 ? asked->id - 2 : 0,
	    NGHTTP2_NO_ERROR, NULL, 0);
}

/* The server leaves, and sends the last request elsewhere. */
static void
goaway_before_503(struct h2_asked *asked)
{
	if (failures_left > 0)
		nghttp2_submit_goaway(asked->conn->session, NGHTTP2_FLAG_NONE, asked->id, NGHTTP2_NO_ERROR, NULL, 0);
	refuse_with_503(asked);
}

static void
goaway_and_answer(struct h2_asked *asked)
{
	say_hello(asked);
	nghttp2_submit_goaway(asked->conn->session, NGHTTP2_FLAG_NONE, asked->id, NGHTTP2_NO_ERROR, NULL, 0);
}

static struct h2_asked *kept;

static void
keep(struct h2_asked *asked)
{
	kept = asked;
}

static bool
has_kept(void *owner)
{
	(void)owner;
	return kept != NULL;
}

/* -- the fixture --------------------------------------------------------------------------------------------------- */

struct fixture {
	struct rig		 rig;
	struct h2_server	 server;
	struct upstream		*upstream;
	struct slot_totals	*totals;
};

static int
fixture_open(void **state)
{
	struct fixture *fixture = memory_zalloc(sizeof(*fixture));

	rig_init(&fixture->rig);
	h2_server_open(&fixture->server, &fixture->rig, say_hello);
	fixture->totals = &fixture->rig.slots->workers[0].totals;
	kept = NULL;
	*state = fixture;
	return 0;
}

static int
fixture_close(void **state)
{
	struct fixture *fixture = *state;

	h2_server_close(&fixture->server);
	rig_fini(&fixture->rig);
	memory_free(fixture);
	return 0;
}

static struct upstream *
with(struct fixture *fixture, const char *more)
{
	return fixture->upstream = rig_upstream(&fixture->rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"], protocol: h2, timeouts: {response: 300ms, idle: 300ms}"
	    "%s%s}", fixture->server.port, more[0] ? ", " : "", more));
}

static struct upstream *
plain(struct fixture *fixture)
{
	return with(fixture, "retry: {attempts: 0}");
}

static void
get(struct fixture *fixture, const char *target, unsigned status)
{
	struct fake_client client;

	client_begin(&client, "GET", target, NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, status);
	client_end(&client);
}

/* Everybody waits for everybody. */
static bool
all_are_over(void *owner)
{
	struct fake_client *clients = owner;

	for (unsigned i = 0; i < MANY; i++) {
		if (clients[i].request.arena != NULL && !client_is_over(&clients[i]))
			return false;
	}
	return true;
}

static struct fake_client *
get_many(struct fixture *fixture, unsigned count)
{
	struct fake_client *clients = memory_zalloc(MANY * sizeof(*clients));

	for (unsigned i = 0; i < count; i++) {
		client_begin(&clients[i], "GET", "/", NULL);
		client_send(&clients[i], fixture->upstream);
	}
	assert_true(rig_run_until(&fixture->rig, all_are_over, clients, SOON_MS));
	return clients;
}

static void
end_many(struct fake_client *clients, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		client_end(&clients[i]);
	memory_free(clients);
}

/* -- one exchange -------------------------------------------------------------------------------------------------- */

static void
test_get(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	plain(fixture);
	client_begin(&client, "GET", "/a?b", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_string_equal(fixture->server.last.bytes,
	    ":method: GET\n:scheme: http\n:authority: a.test\n:path: /a?b\n");
	assert_int_equal(client.request.response.status, 200);
	assert_string_equal(client_content(&client), "hello");
	assert_true(client.request.response.has_length);
	assert_int_equal(client.request.response.content_length, 5);
	assert_string_equal(client_value(&client, "X-One"), "1");
	assert_string_equal(client_value(&client, "Content-Length"), "");
	assert_string_equal(client_value(&client, "Via"), "2.0 reeve");
	assert_int_equal(client.starts, 1);
	assert_int_equal(client.writes, 1);
	assert_int_equal(client.flushes, 0);
	client_end(&client);
}

static void
test_the_path_of_the_url_goes_before(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->upstream = rig_upstream(&fixture->rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u/base\"], protocol: h2}", fixture->server.port));
	client_begin(&client, "GET", "/a", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_non_null(strstr(fixture->server.last.bytes, ":path: /base/a\n"));
	client_end(&client);
	client_begin(&client, "OPTIONS", "*", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_non_null(strstr(fixture->server.last.bytes, ":path: *\n"));
	client_end(&client);
}

static void
test_a_link_is_kept(void **state)
{
	struct fixture *fixture = *state;

	plain(fixture);
	for (int i = 0; i < 5; i++)
		get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
	assert_int_equal(fixture->totals->upstream_connects, 1);
	assert_int_equal(fixture->totals->upstream_reuses, 4);
	assert_int_equal(fixture->totals->upstream_requests, 5);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 1);
	assert_int_equal(fixture->server.resets, 0);
	h2_conn_close(&fixture->server.conns[0]);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 0);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 2);
}

static void
test_links_outlive_a_site(void **state)
{
	struct fixture *fixture = *state;
	struct rig before;

	plain(fixture);
	get(fixture, "/", 200);
	before = fixture->rig;
	plain(fixture);
	rig_unload(&before);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
}

static void
test_draining_closes_what_is_idle(void **state)
{
	struct fixture *fixture = *state;

	plain(fixture);
	get(fixture, "/", 200);
	upstream_world_drain(fixture->rig.world);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(h2_server_open_conns(&fixture->server), 0);
	get(fixture, "/", 200);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(h2_server_open_conns(&fixture->server), 0);
}

static void
test_many_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client *clients;

	fixture->server.streams_max = 100;
	plain(fixture);
	clients = get_many(fixture, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(clients[i].request.response.status, 200);
		assert_string_equal(client_content(&clients[i]), "hello");
	}
	assert_int_equal(fixture->server.conn_count, 2);
	assert_int_equal(fixture->server.requests, MANY);
	assert_true(fixture->server.reads <= 10);	/* what a turn says leaves together */
	end_many(clients, MANY);
}

/* The second server allows three at a time; the rest waits in the queue. */
static void
test_few_streams_and_a_queue(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client *clients;

	fixture->server.streams_max = 3;
	with(fixture, "retry: {attempts: 0}, agent: {max_sockets: 2}");
	get(fixture, "/", 200);
	clients = get_many(fixture, 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(clients[i].request.response.status, 200);
	assert_int_equal(fixture->server.conn_count, 2);
	assert_true(fixture->server.most_streams <= 6);
	end_many(clients, 50);
}

static void
test_limits_mean_links(void **state)
{
	struct fixture *fixture = *state;

	with(fixture, "retry: {attempts: 0}, agent: {max_requests: 2}");
	for (int i = 0; i < 6; i++)
		get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 3);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(h2_server_open_conns(&fixture->server), 0);
	rig_unload(&fixture->rig);
	with(fixture, "retry: {attempts: 0}, agent: {idle_timeout: 50ms}");
	get(fixture, "/", 200);
	assert_int_equal(h2_server_open_conns(&fixture->server), 1);
	rig_run_for(&fixture->rig, 100);
	assert_int_equal(h2_server_open_conns(&fixture->server), 0);
	rig_unload(&fixture->rig);
	with(fixture, "retry: {attempts: 0}, agent: {max_free_sockets: 0}");
	get(fixture, "/", 200);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(h2_server_open_conns(&fixture->server), 0);
	rig_unload(&fixture->rig);
	with(fixture, "retry: {attempts: 0}, agent: {max_age: 50ms, max_sockets: 1}");
	get(fixture, "/", 200);
	rig_run_for(&fixture->rig, 60);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 7);
}

static void
test_nobody_listens(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client *clients;

	h2_server_stop(&fixture->server);
	plain(fixture);
	clients = get_many(fixture, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(clients[i].request.response.status, 502);
	end_many(clients, 5);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 0);
}

/* -- content ------------------------------------------------------------------------------------------------------- */

static void
test_post(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = say_body;
	plain(fixture);
	client_begin(&client, "POST", "/", "some content");
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_non_null(strstr(fixture->server.last.bytes, "content-length: 12\n"));
	assert_string_equal(client_content(&client), "some content");
	assert_false(client.request.response.has_length);
	client_end(&client);
	client_begin(&client, "POST", "/", "");
	client.body_is_open = false;
	client.request.has_body = false;
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_non_null(strstr(fixture->server.last.bytes, "content-length: 0\n"));
	client_end(&client);
	assert_int_equal(fixture->server.resets, 0);
}

static char *
large_text(size_t size)
{
	char *text = memory_alloc(size + 1);

	for (size_t i = 0; i < size; i++)
		text[i] = (char)('a' + (i * 7 + i / 1000) % 26);
	text[size] = '\0';
	return text;
}

/* Both ways, beyond every window. */
static void
test_large_content(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;
	char *text = large_text(3000000);

	fixture->server.answer = say_body;
	plain(fixture);
	client_begin(&client, "POST", "/", text);
	client.piece_max = 65536;
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, 200);
	assert_int_equal(client.content.len, 3000000);
	assert_string_equal(client_content(&client), text);
	memory_free(text);
	client_end(&client);
}

static void
test_trailers_both_ways(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = keep;
	plain(fixture);
	client_begin(&client, "POST", "/", "abc");
	client.request.has_length = false;
	fields_init(&client.request.trailers, &client.arena, NULL, 0);
	fields_add_named(&client.request.trailers, SPAN_OF("X-Sum"), SPAN_OF("6"));
	fields_add_named(&client.request.trailers, SPAN_OF("Content-Length"), SPAN_OF("9"));
	client_send(&client, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
	assert_string_equal(kept->trailers.bytes, "x-sum: 6\n");
	h2_inform(kept, "103");
	kept->answer_trailer = "end";
	h2_say(kept, "ok", ":status", "200", NULL);
	h2_conn_flush(kept->conn);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_string_equal(client.informed.bytes, "103 [end]");
	assert_string_equal(client_content(&client), "ok");
	client_end(&client);
}

/* Neither side waits for the other: as gRPC's streams. */
static void
test_streaming_both_ways(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.early = keep;
	fixture->server.answer = say_nothing;
	plain(fixture);
	client_begin(&client, "POST", "/", "one");
	client.request.has_length = false;
	client.body_is_open = true;
	client_send(&client, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
	kept->is_open = true;
	h2_say(kept, "1", ":status", "200", NULL);
	h2_conn_flush(kept->conn);
	rig_run_for(&fixture->rig, 20);
	assert_string_equal(client_content(&client), "1");
	assert_string_equal(kept->body.bytes, "one");
	client.body = SPAN_OF("two");
	client_want_body(&client.request, true);
	rig_run_for(&fixture->rig, 20);
	assert_string_equal(kept->body.bytes, "onetwo");
	h2_say_more(kept, "2", false);
	rig_run_for(&fixture->rig, 20);
	assert_string_equal(client_content(&client), "12");
	assert_false(client_is_over(&client));
	client.body_is_open = false;
	client.body = SPAN_OF("!");
	client_want_body(&client.request, true);
	rig_run_for(&fixture->rig, 20);
	assert_true(kept->is_ended);
	h2_say_more(kept, "3", true);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_string_equal(client_content(&client), "123");
	assert_true(client.is_finished);
	client_end(&client);
}

static void
test_a_slow_client_stops_the_server(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client slow, other;
	char *text = large_text(1000000);

	fixture->server.answer = keep;
	with(fixture, "retry: {attempts: 0}, agent: {max_sockets: 1}");
	client_begin(&slow, "GET", "/", NULL);
	slow.is_slow = true;
	client_send(&slow, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
	h2_say(kept, text, ":status", "200", NULL);
	h2_conn_flush(kept->conn);
	rig_run_for(&fixture->rig, 100);
	assert_true(slow.content.len > 0 && slow.content.len <= H2_CLIENT_STREAM_WINDOW);
	fixture->server.answer = say_hello;
	client_begin(&other, "GET", "/", NULL);
	fetch(&fixture->rig, &other, fixture->upstream);
	assert_string_equal(client_content(&other), "hello");
	assert_int_equal(fixture->server.conn_count, 1);
	client_drain(&slow);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &slow, SOON_MS));
	assert_string_equal(client_content(&slow), text);
	memory_free(text);
	client_end(&slow);
	client_end(&other);
}

static void
test_a_slow_server_stops_the_client(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;
	char *text = large_text(2000000);

	fixture->server.window = 1000;
	fixture->server.keeps_window = true;
	with(fixture, "retry: {attempts: 0}");
	client_begin(&client, "POST", "/", text);
	client.piece_max = 16384;
	client_send(&client, fixture->upstream);
	rig_run_for(&fixture->rig, 100);
	assert_false(client.wants_body);
	assert_true(client.body.len > 2000000 - 200000);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));	/* the idle timeout */
	assert_int_equal(client.request.response.status, 504);
	memory_free(text);
	client_end(&client);
}

/* The answer comes before the request is complete: that is the end of it. */
static void
test_an_early_answer(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.early = say_hello;
	fixture->server.answer = say_nothing;
	plain(fixture);
	client_begin(&client, "POST", "/", "some");
	client.body_is_open = true;
	client.request.content_length = 100;
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_string_equal(client_content(&client), "hello");
	assert_true(client.is_finished);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fixture->server.resets, 1);
	fixture->server.early = NULL;
	fixture->server.answer = say_hello;
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
	client_end(&client);
}

static void
test_a_client_that_leaves(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = keep;
	plain(fixture);
	client_begin(&client, "GET", "/", NULL);
	client_send(&client, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
	client_leave(&client);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fixture->server.resets, 1);
	assert_int_equal(fixture->server.open_streams, 0);
	fixture->server.answer = say_hello;
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
	client_end(&client);
}

/* Before anything of it has left: the server never hears of it. */
static void
test_a_client_that_leaves_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	plain(fixture);
	get(fixture, "/", 200);
	client_begin(&client, "GET", "/", NULL);
	client_send(&client, fixture->upstream);
	client_leave(&client);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fixture->server.requests, 1);
	client_end(&client);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
}

/* -- what a server may do wrong ------------------------------------------------------------------------------------ */

static const char *bad_name, *bad_value;

static void
say_bad_field(struct h2_asked *asked)
{
	h2_say(asked, "hello", ":status", "200", bad_name, bad_value, NULL);
}

static void
test_bad_fields(void **state)
{
	static const char *const bad[][2] = {
		{ "connection", "close" }, { "transfer-encoding", "chunked" }, { "keep-alive", "timeout=5" },
		{ "upgrade", "h2c" }, { "proxy-connection", "close" }, { "content-length", "4" },
		{ "content-length", "6" }, { "content-length", "x" }, { ":status", "200" }, { ":path", "/" },
		{ "x-a", "b\r\nc: d" }, { "x-a", "b\001" }, { "x a", "b" }, { "X-A", "b" }, { "", "b" },
	};
	struct fixture *fixture = *state;

	fixture->server.answer = say_bad_field;
	plain(fixture);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fake_client client;

		print_message("# %s: %s\n", bad[i][0], bad[i][1]);
		bad_name = bad[i][0];
		bad_value = bad[i][1];
		client_begin(&client, "GET", "/", NULL);
		fetch(&fixture->rig, &client, fixture->upstream);
		assert_int_equal(client.request.response.status, 502);
		assert_false(client.is_aborted);
		assert_string_equal(client_value(&client, "X-A"), "");
		assert_string_equal(client_value(&client, "Via"), "");
		client_end(&client);
	}
	fixture->server.answer = say_hello;
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
}

static const char *status_text;

static void
say_status(struct h2_asked *asked)
{
	h2_say(asked, NULL, ":status", status_text, NULL);
}

static void
test_statuses(void **state)
{
	static const struct { const char *text; unsigned status; } rows[] = {
		{ "200", 200 }, { "204", 204 }, { "304", 304 }, { "404", 404 }, { "599", 599 }, { "600", 502 },
		{ "999", 502 }, { "000", 502 }, { "20", 502 }, { "2000", 502 }, { "2x0", 502 }, { "101", 502 },
		{ "100", 502 },
	};
	struct fixture *fixture = *state;

	fixture->server.answer = say_status;
	plain(fixture);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i].text);
		status_text = rows[i].text;
		get(fixture, "/", rows[i].status);
	}
	assert_int_equal(fixture->server.conn_count, 1);
}

static void
say_large_head(struct h2_asked *asked)
{
	char *text = large_text(8000);

	h2_say(asked, "hello", ":status", "200", "a", text, "b", text, "c", text, "d", text, NULL);
	memory_free(text);
}

static void
test_a_head_too_large(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = say_large_head;
	plain(fixture);
	get(fixture, "/", 502);
	fixture->server.answer = say_hello;
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
}

static struct upstream_world *drained;

static void
drain_world(struct request *request)
{
	(void)request;
	upstream_world_drain(drained);
}

/* The last request of a link ends while its bytes are being made, and with it the need for the link. */
static void
test_a_request_that_never_leaves(void **state)
{
	static const struct request_guide guide = { .on_response = drain_world };
	struct fixture *fixture = *state;
	struct fake_client client;
	char *target = large_text(3000000);

	target[0] = '/';
	plain(fixture);
	drained = fixture->rig.world;
	client_begin(&client, "GET", target, NULL);
	client.request.guide = &guide;
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, 502);
	assert_string_equal(client.request.why, "the request's head is too large to be sent");
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(h2_server_open_conns(&fixture->server), 0);
	client_end(&client);
	memory_free(target);
}

static void
test_head_and_no_content(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = keep;
	plain(fixture);
	client_begin(&client, "HEAD", "/", NULL);
	client_send(&client, fixture->upstream);
	assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
	h2_say(kept, NULL, ":status", "200", "content-length", "5", NULL);
	h2_conn_flush(kept->conn);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &client, SOON_MS));
	assert_int_equal(client.request.response.status, 200);
	assert_int_equal(client.request.response.content_length, 5);
	client_end(&client);
}

static void
answer_as_h1(struct fake_conn *conn, struct span head, struct span body)
{
	(void)head, (void)body;
	fake_say(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	fake_close(conn);
}

static void
test_no_http2_at_all(void **state)
{
	struct fixture *fixture = *state;
	struct fake_server server;
	struct fake_client client;

	fake_server_open(&server, &fixture->rig, answer_as_h1);
	fixture->upstream = rig_upstream(&fixture->rig,
	    yaml("  api: {servers: [\"http://127.0.0.1:%u\"], protocol: h2, retry: 0}", server.port));
	client_begin(&client, "GET", "/", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, 502);
	assert_string_equal(client.request.why, "it does not speak HTTP/2");
	client_end(&client);
	fake_server_close(&server);
}

static void
test_upgrades_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	plain(fixture);
	client_begin(&client, "GET", "/", NULL);
	client.request.wants_upgrade = true;
	fields_add(&client.request.fields, FIELD_UPGRADE, SPAN_OF("websocket"));
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, 501);
	assert_non_null(strstr(client.request.why, "HTTP/2"));
	assert_int_equal(fixture->server.conn_count, 0);
	client_end(&client);
}

/* -- frames of the test's own -------------------------------------------------------------------------------------- */

static void
frame_add(struct text *to, uint8_t type, uint8_t flags, uint32_t id, size_t length, const char *payload)
{
	const unsigned char head[9] = { (unsigned char)(length >> 16), (unsigned char)(length >> 8),
		(unsigned char)length, type, flags, (unsigned char)(id >> 24), (unsigned char)(id >> 16),
		(unsigned char)(id >> 8), (unsigned char)id };

	text_add(to, span_make((const char *)head, sizeof(head)));
	text_add(to, span_make(payload, length));
}

/* After a whole head; each ends at least the stream, and leaves nothing behind. */
static void
test_hostile_frames(void **state)
{
	static const struct {
		const char	*name;
		uint8_t		 type, flags;
		uint32_t	 id;	/* 0xffff: of the request */
		const char	*payload;
		size_t		 length;
		bool		 ends_connection;
	} rows[] = {
		{ "DATA on a stream that is idle", 0, 0, 99, "abc", 3, true },
		{ "DATA on stream 0", 0, 0, 0, "abc", 3, true },
		{ "HEADERS on a stream of even number", 1, 4, 2, "\x88", 1, true },
		{ "PUSH_PROMISE", 5, 4, 0xffff, "\0\0\0\2\x82\x86\x84", 7, true },
		{ "WINDOW_UPDATE of nothing for the connection", 8, 0, 0, "\0\0\0\0", 4, true },
		{ "WINDOW_UPDATE beyond all bounds", 8, 0, 0, "\x7f\xff\xff\xff", 4, true },
		{ "PING of a wrong size", 6, 0, 0, "1234567", 7, true },
		{ "SETTINGS of a wrong size", 4, 0, 0, "12345", 5, true },
		{ "SETTINGS with a wrong window", 4, 0, 0, "\0\4\xff\xff\xff\xff", 6, true },
		{ "CONTINUATION out of nowhere", 9, 4, 0xffff, "\x88", 1, true },
		{ "bad compression", 1, 5, 0xffff, "\xff\xff\xff\xff\xff\xff", 6, true },
		{ "a second head that is no trailer", 1, 4, 0xffff, "\x88", 1, false },
		{ "RST_STREAM of a wrong size", 3, 0, 0xffff, "\0\0", 2, true },
		{ "a frame larger than allowed", 0, 0, 0xffff, NULL, 20000, true },
	};
	struct fixture *fixture = *state;

	fixture->server.answer = keep;
	plain(fixture);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_client client;
		struct text bytes = { 0 };
		char *payload = large_text(20000);
		unsigned conns = fixture->server.conn_count;

		print_message("# %s\n", rows[i].name);
		kept = NULL;
		client_begin(&client, "GET", "/", NULL);
		client_send(&client, fixture->upstream);
		assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
		kept->is_open = true;
		h2_say(kept, "a", ":status", "200", NULL);
		frame_add(&bytes, rows[i].type, rows[i].flags, rows[i].id == 0xffff ? (uint32_t)kept->id : rows[i].id,
		    rows[i].length, rows[i].payload ? rows[i].payload : payload);
		h2_conn_say_raw(kept->conn, bytes.bytes, bytes.len);
		assert_true(rig_run_until(&fixture->rig, client_is_over, &client, 250));
		assert_true(client.is_aborted || client.request.response.status == 502);
		rig_run_for(&fixture->rig, 10);
		if (rows[i].ends_connection)
			assert_int_equal(h2_server_open_conns(&fixture->server), 0);
		assert_true(fixture->server.conn_count <= conns + 1);
		memory_free(payload);
		text_fini(&bytes);
		client_end(&client);
	}
	fixture->server.answer = say_hello;
	get(fixture, "/", 200);
}

static void
test_floods(void **state)
{
	static const uint8_t types[] = { 6, 4, 0 };
	struct fixture *fixture = *state;

	fixture->server.answer = keep;
	plain(fixture);
	for (size_t i = 0; i < sizeof(types); i++) {
		struct fake_client client;
		struct text bytes = { 0 };

		kept = NULL;
		client_begin(&client, "GET", "/", NULL);
		client_send(&client, fixture->upstream);
		assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
		kept->is_open = true;
		h2_say(kept, "a", ":status", "200", NULL);
		h2_conn_flush(kept->conn);
		for (unsigned n = 0; n < 500; n++)
			frame_add(&bytes, types[i], 0, types[i] == 0 ? (uint32_t)kept->id : 0, types[i] == 6 ? 8 : 0,
			    "12345678");
		for (unsigned n = 0; n < 100 && kept->conn->fd >= 0 && !client_is_over(&client); n++) {
			send(kept->conn->fd, bytes.bytes, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
			rig_run_for(&fixture->rig, 1);
		}
		assert_true(client.is_aborted);
		text_fini(&bytes);
		client_end(&client);
	}
	fixture->server.answer = say_hello;
	get(fixture, "/", 200);
}

/* -- trying again -------------------------------------------------------------------------------------------------- */

static void
post_and_expect(struct fixture *fixture, const char *method, unsigned status, unsigned retries)
{
	struct fake_client client;

	client_begin(&client, method, "/", "body");
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, status);
	assert_int_equal(client.request.retries, retries);
	if (status == 200)
		assert_string_equal(client_content(&client), "body");
	client_end(&client);
}

/* Refused streams have not been processed: any method is sent again, and it is no retry. */
static void
test_refused_streams(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = reset_a_few_times;
	failure_code = NGHTTP2_REFUSED_STREAM;
	plain(fixture);
	failures_left = 2;
	post_and_expect(fixture, "POST", 200, 0);
	assert_int_equal(fixture->server.requests, 3);
	assert_int_equal(fixture->totals->retries, 0);
	assert_int_equal(fixture->totals->upstream_failures, 0);
	failures_left = 100;
	post_and_expect(fixture, "POST", 502, 0);
	assert_int_equal(failures_left, 100 - 4);	/* but not for ever */
	assert_int_equal(fixture->totals->upstream_failures, 1);
	assert_int_equal(fixture->server.conn_count, 1);
}

static void
test_goaway_takes_back(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = goaway_a_few_times;
	plain(fixture);
	failures_left = 1;
	post_and_expect(fixture, "POST", 200, 0);
	assert_int_equal(fixture->server.conn_count, 2);
	assert_int_equal(fixture->totals->upstream_failures, 0);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(h2_server_open_conns(&fixture->server), 1);	/* the first was left */
}

static void
test_goaway_behind_an_answer(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = goaway_and_answer;
	plain(fixture);
	for (int i = 0; i < 3; i++)
		get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 3);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(h2_server_open_conns(&fixture->server), 0);
}

/* The other try goes out while the bytes with GOAWAY are still looked at: not on that link. */
static void
test_goaway_before_503(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = goaway_before_503;
	with(fixture, "retry: {attempts: 1}");
	failures_left = 1;
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 2);
	assert_int_equal(fixture->totals->upstream_failures, 1);
	assert_int_equal(fixture->totals->retries, 1);
}

static void
test_resets(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = reset_a_few_times;
	failure_code = NGHTTP2_INTERNAL_ERROR;
	with(fixture, "retry: {attempts: 2}");
	failures_left = 2;
	post_and_expect(fixture, "PUT", 200, 2);
	failures_left = 1;
	post_and_expect(fixture, "POST", 502, 0);
	failures_left = 3;
	post_and_expect(fixture, "PUT", 502, 2);
	for (uint32_t code = 0; code < 16; code++) {
		if (code == NGHTTP2_REFUSED_STREAM)
			continue;
		failure_code = code;
		failures_left = 1;
		post_and_expect(fixture, "POST", 502, 0);
	}
	assert_int_equal(fixture->server.conn_count, 1);
}

static void
test_503_is_tried_again(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = refuse_with_503;
	with(fixture, "retry: {attempts: 1}");
	failures_left = 1;
	post_and_expect(fixture, "PUT", 200, 1);
	failures_left = 2;
	post_and_expect(fixture, "PUT", 503, 1);
	assert_int_equal(fixture->server.conn_count, 1);
}

static void
test_a_link_that_dies(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = close_a_few_times;
	with(fixture, "retry: {attempts: 1}");
	failures_left = 1;
	post_and_expect(fixture, "PUT", 200, 1);
	failures_left = 1;
	post_and_expect(fixture, "POST", 502, 0);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 0);
}

/* All of its streams, each by the rules. */
static void
test_a_link_that_dies_with_many(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client *clients;

	fixture->server.answer = close_a_few_times;
	with(fixture, "retry: {attempts: 1, budget: 100%}, eject: {failures: 0}");
	failures_left = 1;
	clients = get_many(fixture, 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(clients[i].request.response.status, 200);
	assert_int_equal(fixture->server.conn_count, 2);
	end_many(clients, 50);
}

static struct fake_client *companion;

static void
companion_leaves(struct request *request)
{
	(void)request;
	client_leave(companion);
}

/* What one stream is told ends another one that was to be told next. */
static void
test_a_link_that_dies_under_friends(void **state)
{
	static const struct request_guide guide = { .on_response = companion_leaves };
	struct fixture *fixture = *state;
	struct fake_client clients[2];

	fixture->server.answer = keep;
	plain(fixture);
	for (int i = 0; i < 2; i++) {
		client_begin(&clients[i], "GET", "/", NULL);
		client_send(&clients[i], fixture->upstream);
	}
	clients[0].request.guide = &guide;
	companion = &clients[1];
	assert_true(rig_run_until(&fixture->rig, has_kept, NULL, SOON_MS));
	rig_run_for(&fixture->rig, 10);
	h2_conn_close(kept->conn);
	assert_true(rig_run_until(&fixture->rig, client_is_over, &clients[0], SOON_MS));
	assert_int_equal(clients[0].request.response.status, 502);
	assert_true(clients[1].is_aborted);
	assert_int_equal(clients[1].request.response.status, 0);
	client_end(&clients[0]);
	client_end(&clients[1]);
}

/* The server has closed while nobody looked: nothing of the request has reached it. */
static void
test_a_stale_link(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	fixture->server.answer = say_body;
	plain(fixture);
	post_and_expect(fixture, "POST", 200, 0);
	h2_conn_close(&fixture->server.conns[0]);
	post_and_expect(fixture, "POST", 200, 0);	/* looked at before it was used */
	h2_conn_close(&fixture->server.conns[1]);
	client_begin(&client, "GET", "/", NULL);
	fetch(&fixture->rig, &client, fixture->upstream);
	assert_int_equal(client.request.response.status, 200);
	assert_int_equal(client.request.retries, 0);
	client_end(&client);
}

static void
test_no_answer_in_time(void **state)
{
	struct fixture *fixture = *state;

	fixture->server.answer = say_nothing;
	plain(fixture);
	get(fixture, "/", 504);
	rig_run_for(&fixture->rig, 20);
	assert_int_equal(fixture->server.resets, 1);
	fixture->server.answer = say_hello;
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 1);
}

/* A server that is there no longer, though nobody has said so: its link gets no more requests after a while. */
static void
test_a_server_that_has_vanished(void **state)
{
	struct fixture *fixture = *state;
	struct fake_client client;

	plain(fixture);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.pings, 0);
	rig_run_for(&fixture->rig, 1100);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.pings, 1);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.pings, 1);
	rig_run_for(&fixture->rig, 1100);
	watch_want(&fixture->server.conns[0].watch, WATCH_NOTHING);
	for (int i = 0; i < 40 && fixture->server.conn_count == 1; i++) {
		client_begin(&client, "GET", "/", NULL);
		fetch(&fixture->rig, &client, fixture->upstream);
		assert_int_equal(client.request.response.status, fixture->server.conn_count == 1 ? 504 : 200);
		client_end(&client);
	}
	assert_int_equal(fixture->server.conn_count, 2);
	get(fixture, "/", 200);
	assert_int_equal(fixture->server.conn_count, 2);
	rig_run_for(&fixture->rig, 10);
	assert_int_equal(fixture->rig.slots->workers[0].upstream_sockets, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_the_path_of_the_url_goes_before),
		TEST(test_a_link_is_kept),
		TEST(test_links_outlive_a_site),
		TEST(test_draining_closes_what_is_idle),
		TEST(test_many_at_once),
		TEST(test_few_streams_and_a_queue),
		TEST(test_limits_mean_links),
		TEST(test_nobody_listens),
		TEST(test_post),
		TEST(test_large_content),
		TEST(test_trailers_both_ways),
		TEST(test_streaming_both_ways),
		TEST(test_a_slow_client_stops_the_server),
		TEST(test_a_slow_server_stops_the_client),
		TEST(test_an_early_answer),
		TEST(test_a_client_that_leaves),
		TEST(test_a_client_that_leaves_at_once),
		TEST(test_bad_fields),
		TEST(test_statuses),
		TEST(test_a_head_too_large),
		TEST(test_a_request_that_never_leaves),
		TEST(test_head_and_no_content),
		TEST(test_no_http2_at_all),
		TEST(test_upgrades_are_refused),
		TEST(test_hostile_frames),
		TEST(test_floods),
		TEST(test_refused_streams),
		TEST(test_goaway_takes_back),
		TEST(test_goaway_behind_an_answer),
		TEST(test_goaway_before_503),
		TEST(test_resets),
		TEST(test_503_is_tried_again),
		TEST(test_a_link_that_dies),
		TEST(test_a_link_that_dies_with_many),
		TEST(test_a_link_that_dies_under_friends),
		TEST(test_a_stale_link),
		TEST(test_no_answer_in_time),
		TEST(test_a_server_that_has_vanished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
