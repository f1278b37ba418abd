/* rooms: base http codec */
#include "codec/h2_client.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <nghttp2/nghttp2.h>

#include <cmocka.h>

enum { STREAMS = 8 };

/* A stream of ours and what it heard, one after the other: "200 [a: b] (5) . " */
struct heard {
	struct h2_client_stream	 stream;
	struct arena		 arena;
	struct text		 text;
	struct text		 content;
	bool			 drops_at_head;
	struct h2_client	*client;
};

struct pair {
	struct h2_client	*client;
	nghttp2_session		*server;
	struct text		 came;		/* heads and content that the server got */
	struct text		 body;		/* what it answers with */
	size_t			 body_sent;
	const char		*trailer;	/* name of a trailer behind it */
	size_t			 cut;		/* bytes at a time towards us; 0: all */
	unsigned		 resets;
	uint32_t		 reset_code;
	int32_t			 last_id;
	bool			 is_broken;
	size_t			 to_server;	/* bytes of the last exchange */
};

/* -- our side ------------------------------------------------------------------------------------------------------ */

static struct heard *
heard_of(struct h2_client_stream *stream)
{
	return (struct heard *)(void *)stream;
}

static void
fields_write(struct text *to, const struct fields *fields)
{
	for (uint32_t i = 0; i < fields->count; i++)
		text_format(to, "[%.*s: %.*s] ", (int)fields->items[i].name.len, fields->items[i].name.at,
		    (int)fields->items[i].value.len, fields->items[i].value.at);
}

static void
on_head(struct h2_client_stream *stream, unsigned status, struct fields *fields)
{
	struct heard *heard = heard_of(stream);

	text_format(&heard->text, "%u ", status);
	fields_write(&heard->text, fields);
	if (heard->drops_at_head)
		h2_client_drop(heard->client, stream);
}

static void
on_content(struct h2_client_stream *stream, struct span piece)
{
	text_add(&heard_of(stream)->content, piece);
}

static void
on_end(struct h2_client_stream *stream, const struct fields *trailers)
{
	text_format(&heard_of(stream)->text, "(%zu) ", heard_of(stream)->content.len);
	fields_write(&heard_of(stream)->text, trailers);
	text_add_text(&heard_of(stream)->text, ". ");
}

static void
on_failed(struct h2_client_stream *stream, enum h2_failure failure, const char *why)
{
	static const char *const names[] = {
		[H2_FAILED_UNPROCESSED] = "UNPROCESSED", [H2_FAILED_RESET] = "RESET",
		[H2_FAILED_MALFORMED] = "MALFORMED",
	};

	assert_non_null(why);
	text_format(&heard_of(stream)->text, "%s ", names[failure]);
}

static void
on_taken(struct h2_client_stream *stream)
{
	text_add_text(&heard_of(stream)->text, "taken ");
}

static const struct h2_client_events events = {
	.on_head = on_head, .on_content = on_content, .on_end = on_end, .on_failed = on_failed, .on_taken = on_taken,
};

/* -- the server ---------------------------------------------------------------------------------------------------- */

static int
server_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
    const uint8_t *value, size_t value_length, uint8_t flags, void *owner)
{
	struct pair *pair = owner;

	pair->last_id = frame->hd.stream_id;
	text_format(&pair->came, "%.*s=%.*s%s ", (int)name_length, (const char *)name, (int)value_length,
	    (const char *)value, flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "");
	return 0;
}

static int
server_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length, void *owner)
{
	struct pair *pair = owner;

	text_add(&pair->came, span_make((const char *)bytes, length));
	return 0;
}

static int
server_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct pair *pair = owner;

	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		pair->resets++;
		pair->reset_code = frame->rst_stream.error_code;
	} else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		text_add_text(&pair->came, ". ");
	}
	return 0;
}

static int
pair_open(void **state)
{
	static bool ready;
	struct pair *pair = memory_zalloc(sizeof(*pair));
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;

	if (!ready)
		field_names_init();
	ready = true;
	pair->client = h2_client_create(&events);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, server_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, server_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, server_frame);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_session_server_new2(&pair->server, callbacks, pair, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(pair->server, NGHTTP2_FLAG_NONE, NULL, 0);
	*state = pair;
	return 0;
}

static int
pair_close(void **state)
{
	struct pair *pair = *state;

	h2_client_free(pair->client);
	nghttp2_session_del(pair->server);
	text_fini(&pair->came);
	text_fini(&pair->body);
	memory_free(pair);
	return 0;
}

static void
to_client(struct pair *pair, struct span bytes)
{
	size_t cut = pair->cut ? pair->cut : bytes.len;

	while (bytes.len > 0 && !pair->is_broken) {
		struct text copy = { 0 };	/* so that whoever reads beyond is found out */

		text_add(&copy, span_first(bytes, cut));
		pair->is_broken = !h2_client_receive(pair->client, text_span(&copy));
		text_fini(&copy);
		bytes = span_skip(bytes, cut);
	}
}

/* Until neither has anything to say. */
static void
exchange(struct pair *pair)
{
	bool moved = true;

	pair->to_server = 0;
	while (moved) {
		const uint8_t *bytes;
		struct text out = { 0 };
		ssize_t count;

		moved = false;
		pair->is_broken |= !h2_client_gather(pair->client, &out);
		pair->to_server += out.len;
		if (out.len > 0) {
			moved = true;
			assert_true(nghttp2_session_mem_recv(pair->server, (const uint8_t *)out.bytes, out.len) >= 0);
		}
		text_fini(&out);
		while ((count = nghttp2_session_mem_send(pair->server, &bytes)) > 0) {
			moved = true;
			to_client(pair, span_make((const char *)bytes, (size_t)count));
		}
		if (pair->is_broken)
			return;
	}
}

static ssize_t
server_content(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *owner)
{
	struct pair *pair = owner;
	size_t left = pair->body.len - pair->body_sent, count = left < room ? left : room;

	memcpy(to, pair->body.bytes + pair->body_sent, count);
	pair->body_sent += count;
	if (count < left)
		return (ssize_t)count;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (pair->trailer != NULL) {
		nghttp2_nv trailers[] = {
			{ (uint8_t *)(uintptr_t)pair->trailer, (uint8_t *)(uintptr_t)"t", strlen(pair->trailer), 1, 0 },
			{ (uint8_t *)(uintptr_t)"set-cookie", (uint8_t *)(uintptr_t)"t", 10, 1, 0 },
		};

		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, id, trailers, 2);
	}
	return (ssize_t)count;
}

/* NULL body: none. */
static void
answer(struct pair *pair, int32_t id, const char *status, const char *name, const char *value, const char *body)
{
	const nghttp2_nv head[] = {
		{ (uint8_t *)(uintptr_t)":status", (uint8_t *)(uintptr_t)status, 7, strlen(status), 0 },
		{ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value),
			NGHTTP2_NV_FLAG_NO_COPY_NAME },
	};
	const nghttp2_data_provider provider = { .read_callback = server_content };

	text_clear(&pair->body);
	pair->body_sent = 0;
	if (body != NULL)
		text_add_text(&pair->body, body);
	assert_int_equal(nghttp2_submit_response(pair->server, id, head, name[0] ? 2 : 1, body ? &provider : NULL), 0);
}

/* -- asking -------------------------------------------------------------------------------------------------------- */

static void
heard_init(struct heard *heard, struct pair *pair)
{
	memset(heard, 0, sizeof(*heard));
	arena_init(&heard->arena, 1024);
	heard->stream.arena = &heard->arena;
	heard->client = pair->client;
}

static void
heard_fini(struct heard *heard)
{
	h2_client_drop(heard->client, &heard->stream);
	arena_fini(&heard->arena);
	text_fini(&heard->text);
	text_fini(&heard->content);
}

static bool
ask(struct pair *pair, struct heard *heard, const char *method, bool has_content)
{
	struct fields fields;
	const struct h2_client_head head = {
		.method = span_text(method), .scheme = SPAN("http"), .authority = SPAN("a.test"), .path = SPAN("/p?q"),
		.fields = &fields,
	};

	fields_init(&fields, &heard->arena, NULL, 0);
	fields_add(&fields, FIELD_HOST, SPAN_OF("a.test"));
	fields_add(&fields, FIELD_COOKIE, SPAN_OF("a=b"));
	fields_add(&fields, FIELD_TE, SPAN_OF("trailers"));
	fields_add_named(&fields, SPAN_OF("X-Other"), SPAN_OF(" 1\r\n2 "));
	return h2_client_ask(pair->client, &heard->stream, &head, has_content);
}

static bool
ask_at_length(struct pair *pair, struct heard *heard, struct span value, unsigned count)
{
	struct fields fields;
	const struct h2_client_head head = {
		.method = SPAN("GET"), .scheme = SPAN("http"), .authority = SPAN("a.test"), .path = SPAN("/"),
		.fields = &fields,
	};

	fields_init(&fields, &heard->arena, NULL, 0);
	for (unsigned i = 0; i < count; i++)
		fields_add_named(&fields, SPAN_OF("X-Long"), value);
	return h2_client_ask(pair->client, &heard->stream, &head, false);
}

static void
asked(struct pair *pair, struct heard *heard)
{
	heard_init(heard, pair);
	assert_true(ask(pair, heard, "GET", false));
	exchange(pair);
}

static void
test_a_request(void **state)
{
	struct pair *pair = *state;
	struct heard heard;

	asked(pair, &heard);
	assert_string_equal(pair->came.bytes, ":method=GET :scheme=http :authority=a.test :path=/p?q cookie=a=b! "
	    "te=trailers x-other=1  2 . ");
	answer(pair, 1, "200", "a", "b", "hello");
	pair->trailer = "x-t";
	exchange(pair);
	assert_string_equal(heard.text.bytes, "200 [a: b] (5) [x-t: t] . ");
	assert_string_equal(heard.content.bytes, "hello");
	assert_int_equal(pair->resets, 0);
	assert_true(h2_client_takes_more(pair->client));
	heard_fini(&heard);
}

/* However the bytes are cut. */
/* As large as `limits.header_size` may let a client's be; and what no limit lets through is told as what it is. */
static void
test_a_large_request(void **state)
{
	enum { LONG = 30000, TOO_MANY = 100 };
	struct pair *pair = *state;
	struct heard heard, other;
	char *value = memory_alloc(LONG);

	memset(value, '~', LONG);
	heard_init(&heard, pair);
	assert_true(ask_at_length(pair, &heard, span_make(value, LONG), 3));
	exchange(pair);
	assert_true(pair->came.len > (size_t)3 * LONG);
	answer(pair, 1, "200", "", "", NULL);
	exchange(pair);
	assert_string_equal(heard.text.bytes, "200 (0) . ");
	heard_init(&other, pair);
	assert_true(ask_at_length(pair, &other, span_make(value, LONG), TOO_MANY));
	exchange(pair);
	assert_string_equal(other.text.bytes, "UNPROCESSED ");
	assert_true(h2_client_takes_more(pair->client));
	heard_fini(&heard);
	heard_fini(&other);
	memory_free(value);
}

static void
test_any_cut(void **state)
{
	struct pair *pair = *state;

	for (size_t cut = 1; cut < 40; cut++) {
		struct heard heard;

		pair->cut = cut;
		asked(pair, &heard);
		answer(pair, pair->last_id, "200", "a", "b", "hello");
		exchange(pair);
		assert_string_equal(heard.text.bytes, "200 [a: b] (5) . ");
		assert_string_equal(heard.content.bytes, "hello");
		heard_fini(&heard);
	}
	assert_int_equal(pair->resets, 0);
}

static void
test_informational(void **state)
{
	nghttp2_nv early = { (uint8_t *)(uintptr_t)":status", (uint8_t *)(uintptr_t)"103", 7, 3, 0 };
	struct pair *pair = *state;
	struct heard heard;

	asked(pair, &heard);
	nghttp2_submit_headers(pair->server, 0, 1, NULL, &early, 1, NULL);
	nghttp2_submit_headers(pair->server, 0, 1, NULL, &early, 1, NULL);
	answer(pair, 1, "204", "a", "b", NULL);
	exchange(pair);
	assert_string_equal(heard.text.bytes, "103 103 204 [a: b] (0) . ");
	heard_fini(&heard);
}

static void
test_content_out(void **state)
{
	static const struct fields none = { .count = 0 };
	struct pair *pair = *state;
	struct fields trailers;
	struct heard heard;

	heard_init(&heard, pair);
	fields_init(&trailers, &heard.arena, NULL, 0);
	fields_add_named(&trailers, SPAN_OF("X-Sum"), SPAN_OF("6"));
	fields_add(&trailers, FIELD_HOST, SPAN_OF("evil"));
	assert_true(ask(pair, &heard, "POST", true));
	exchange(pair);
	text_clear(&pair->came);
	h2_client_write(pair->client, &heard.stream, SPAN_OF("one"), false, &none);
	h2_client_write(pair->client, &heard.stream, SPAN_OF("two"), false, &none);
	exchange(pair);
	assert_string_equal(pair->came.bytes, "onetwo");
	assert_string_equal(heard.text.bytes, "taken ");
	h2_client_write(pair->client, &heard.stream, SPAN_OF("!"), true, &trailers);
	exchange(pair);
	assert_string_equal(pair->came.bytes, "onetwo!x-sum=6 . ");
	heard_fini(&heard);
	exchange(pair);
	assert_int_equal(pair->resets, 1);	/* nobody waits for the answer */
	assert_int_equal(pair->reset_code, NGHTTP2_CANCEL);
}

/* What the windows do not let go stays, and nothing of it is lost or doubled. */
static void
test_windows_out(void **state)
{
	struct pair *pair = *state;
	struct text text = { 0 };
	struct heard heard;

	for (unsigned i = 0; i < 40000; i++)
		text_format(&text, "%u,", i);
	nghttp2_session_set_local_window_size(pair->server, 0, 0, 65535);
	heard_init(&heard, pair);
	assert_true(ask(pair, &heard, "POST", true));
	exchange(pair);
	text_clear(&pair->came);
	for (size_t at = 0; at < text.len; at += 1000) {
		h2_client_write(pair->client, &heard.stream, span_first(span_skip(text_span(&text), at), 1000),
		    at + 1000 >= text.len, NULL);
		exchange(pair);
	}
	text_add_text(&text, ". ");
	assert_int_equal(pair->came.len, text.len);
	assert_string_equal(pair->came.bytes, text.bytes);
	assert_int_equal(h2_client_waiting(&heard.stream), 0);
	text_fini(&text);
	heard_fini(&heard);
}

/* A server that never reads: gathering ends, and so does a frame flood's memory. */
static void
test_gathering_is_bounded(void **state)
{
	struct pair *pair = *state;
	struct heard heard[STREAMS];
	struct text out = { 0 };
	char piece[16384];

	exchange(pair);
	memset(piece, 'x', sizeof(piece));
	nghttp2_submit_window_update(pair->server, 0, 0, 10000000);
	exchange(pair);
	for (int i = 0; i < STREAMS; i++) {
		heard_init(&heard[i], pair);
		assert_true(ask(pair, &heard[i], "POST", true));
		for (int n = 0; n < 3; n++)
			h2_client_write(pair->client, &heard[i].stream, span_make(piece, sizeof(piece)), false, NULL);
	}
	assert_true(h2_client_gather(pair->client, &out));
	assert_in_range(out.len, H2_CLIENT_GATHER_MAX, H2_CLIENT_GATHER_MAX + 20000);
	for (int i = 0; i < STREAMS; i++)
		heard_fini(&heard[i]);
	text_fini(&out);
}

/* Content that nobody takes: the server may send one window of it, and others are not held up. */
static void
test_windows_in(void **state)
{
	struct pair *pair = *state;
	struct heard slow, other;
	char *body = memory_zalloc(1000001);

	memset(body, 'x', 1000000);
	asked(pair, &slow);
	answer(pair, 1, "200", "a", "b", body);
	exchange(pair);
	assert_int_equal(slow.content.len, H2_CLIENT_STREAM_WINDOW);
	for (int i = 0; i < 30; i++)
		exchange(pair);
	assert_int_equal(slow.content.len, H2_CLIENT_STREAM_WINDOW);
	while (slow.content.len < 1000000) {
		size_t before = slow.content.len;

		h2_client_consume(pair->client, &slow.stream);
		exchange(pair);
		assert_true(slow.content.len > before);
		assert_true(slow.content.len - before <= H2_CLIENT_STREAM_WINDOW);
	}
	assert_string_equal(slow.text.bytes, "200 [a: b] (1000000) . ");
	asked(pair, &other);
	answer(pair, 3, "200", "a", "b", "hello");
	exchange(pair);
	assert_string_equal(other.text.bytes, "200 [a: b] (5) . ");
	heard_fini(&slow);
	heard_fini(&other);
	memory_free(body);
}

/* More streams that nobody reads than the connection's window would hold. */
static void
test_unread_streams_stop_nobody(void **state)
{
	struct pair *pair = *state;
	struct heard slow[20], other;
	char *body = memory_zalloc(H2_CLIENT_STREAM_WINDOW + 1);

	memset(body, 'x', H2_CLIENT_STREAM_WINDOW);
	for (int i = 0; i < 20; i++) {
		asked(pair, &slow[i]);
		answer(pair, pair->last_id, "200", "a", "b", body);
		exchange(pair);
		assert_int_equal(slow[i].content.len, H2_CLIENT_STREAM_WINDOW);
	}
	asked(pair, &other);
	answer(pair, pair->last_id, "200", "a", "b", "hello");
	exchange(pair);
	assert_string_equal(other.content.bytes, "hello");
	for (int i = 0; i < 20; i++)
		heard_fini(&slow[i]);
	heard_fini(&other);
	memory_free(body);
}

/* -- what fails ---------------------------------------------------------------------------------------------------- */

static void
test_malformed(void **state)
{
	static const struct { const char *status, *name, *value, *body, *heard; } rows[] = {
		{ "200", "connection", "close", "x", "MALFORMED " },
		{ "200", "transfer-encoding", "chunked", "x", "MALFORMED " },
		{ "200", "Upper", "case", "x", "MALFORMED " },
		{ "200", "a", "b\nc", "x", "MALFORMED " },
		{ "200", "a", " b", "x", "MALFORMED " },
		{ "200", "a b", "c", "x", "MALFORMED " },
		{ "200", "content-length", "2", "x", "200 [Content-Length: 2] MALFORMED " },
		{ "200", "content-length", "2", "xxx", "200 [Content-Length: 2] MALFORMED " },
		{ "200", "content-length", "-1", "x", "MALFORMED " },
		{ "200", "content-length", "1x", "x", "MALFORMED " },
		{ "200", ":status", "200", "x", "MALFORMED " },
		{ "200", ":method", "GET", "x", "MALFORMED " },
		{ "099", "a", "b", "x", "MALFORMED " },
		{ "600", "a", "b", "x", "MALFORMED " },
		{ "20", "a", "b", "x", "MALFORMED " },
		{ "abc", "a", "b", "x", "MALFORMED " },
		{ "101", "a", "b", "x", "MALFORMED " },
		{ "103", "a", "b", NULL, "MALFORMED " },
		{ "204", "a", "b", "x", "204 [a: b] MALFORMED " },
		{ "304", "a", "b", "x", "304 [a: b] MALFORMED " },
		{ "200", "te", "gzip", "x", "MALFORMED " },
	};
	struct pair *pair = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct heard heard;

		print_message("# %s %s: %s\n", rows[i].status, rows[i].name, rows[i].value);
		pair->resets = 0;
		asked(pair, &heard);
		answer(pair, pair->last_id, rows[i].status, rows[i].name, rows[i].value, rows[i].body);
		exchange(pair);
		assert_string_equal(heard.text.bytes, rows[i].heard);
		assert_int_equal(heard.stream.id, 0);
		assert_false(pair->is_broken);
		heard_fini(&heard);
	}
	assert_true(h2_client_takes_more(pair->client));
}

static void
test_heads_too_large(void **state)
{
	struct pair *pair = *state;
	struct heard heard;
	char *value = memory_zalloc(H2_CLIENT_HEAD_MAX + 1);
	nghttp2_nv many[H2_CLIENT_FIELDS_MAX + 2];

	memset(value, 'v', H2_CLIENT_HEAD_MAX);
	asked(pair, &heard);
	answer(pair, 1, "200", "a", value, NULL);
	exchange(pair);
	assert_string_equal(heard.text.bytes, "MALFORMED ");
	heard_fini(&heard);
	asked(pair, &heard);
	many[0] = (nghttp2_nv){ (uint8_t *)(uintptr_t)":status", (uint8_t *)(uintptr_t)"200", 7, 3, 0 };
	for (size_t i = 1; i < H2_CLIENT_FIELDS_MAX + 2; i++)
		many[i] = (nghttp2_nv){ (uint8_t *)(uintptr_t)"a", (uint8_t *)(uintptr_t)"b", 1, 1, 0 };
	nghttp2_submit_response(pair->server, 3, many, H2_CLIENT_FIELDS_MAX + 2, NULL);
	exchange(pair);
	assert_string_equal(heard.text.bytes, "MALFORMED ");
	heard_fini(&heard);
	asked(pair, &heard);
	nghttp2_submit_response(pair->server, 5, many, H2_CLIENT_FIELDS_MAX + 1, NULL);
	exchange(pair);
	assert_true(span_starts_with(text_span(&heard.text), SPAN_OF("200 [a: b]")));
	heard_fini(&heard);
	memory_free(value);
}

/* ":status: 200" in a HEADERS frame, and so many empty CONTINUATION frames behind it. */
static void
say_in_pieces(struct pair *pair, unsigned char id, unsigned continuations)
{
	const unsigned char first[] = { 0, 0, 1, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 0, 0, 0, id, 0x88 };
	unsigned char next[] = { 0, 0, 0, NGHTTP2_CONTINUATION, 0, 0, 0, 0, id };

	to_client(pair, span_make((const char *)first, sizeof(first)));
	for (unsigned i = 1; i <= continuations; i++) {
		next[4] = i == continuations ? NGHTTP2_FLAG_END_HEADERS : 0;
		to_client(pair, span_make((const char *)next, sizeof(next)));
	}
}

/* Byte by byte, too: a head in many frames is one; a head without end ends the session. */
static void
test_continuations(void **state)
{
	struct pair *pair = *state;
	struct heard heard[3];

	for (unsigned i = 0; i < 3; i++)
		asked(pair, &heard[i]);
	pair->cut = 1;
	say_in_pieces(pair, 1, 64);
	say_in_pieces(pair, 3, 64);
	assert_false(pair->is_broken);
	assert_string_equal(heard[0].text.bytes, "200 (0) . ");
	assert_string_equal(heard[1].text.bytes, "200 (0) . ");
	say_in_pieces(pair, 5, 65);
	assert_true(pair->is_broken);
	assert_string_equal(h2_client_why(pair->client), "it sent a header block without end");
	for (unsigned i = 0; i < 3; i++)
		heard_fini(&heard[i]);
}

static void
test_resets_and_goaway(void **state)
{
	struct pair *pair = *state;
	struct heard first, second, third;

	asked(pair, &first);
	nghttp2_submit_rst_stream(pair->server, 0, 1, NGHTTP2_REFUSED_STREAM);
	exchange(pair);
	assert_string_equal(first.text.bytes, "UNPROCESSED ");
	asked(pair, &second);
	nghttp2_submit_rst_stream(pair->server, 0, 3, NGHTTP2_INTERNAL_ERROR);
	exchange(pair);
	assert_string_equal(second.text.bytes, "RESET ");
	heard_fini(&first);
	heard_fini(&second);
	asked(pair, &first);
	asked(pair, &second);
	assert_int_equal(first.stream.id, 5);
	nghttp2_submit_goaway(pair->server, 0, 5, NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0);
	exchange(pair);
	assert_string_equal(second.text.bytes, "UNPROCESSED ");
	assert_int_equal(first.text.len, 0);
	assert_false(h2_client_takes_more(pair->client));
	assert_false(h2_client_is_over(pair->client));
	heard_init(&third, pair);
	assert_false(ask(pair, &third, "GET", false));
	answer(pair, 5, "200", "a", "b", "hello");
	exchange(pair);
	assert_string_equal(first.text.bytes, "200 [a: b] (5) . ");
	assert_true(h2_client_is_over(pair->client));
	assert_non_null(strstr(h2_client_why(pair->client), "ENHANCE_YOUR_CALM"));
	heard_fini(&first);
	heard_fini(&second);
	heard_fini(&third);
}

/* After the whole response a reset without an error means only that the rest of the request is of no use. */
static void
test_an_early_end(void **state)
{
	struct pair *pair = *state;
	struct heard heard;

	heard_init(&heard, pair);
	assert_true(ask(pair, &heard, "POST", true));
	exchange(pair);
	answer(pair, 1, "200", "a", "b", "hello");
	exchange(pair);
	nghttp2_submit_rst_stream(pair->server, 0, 1, NGHTTP2_NO_ERROR);
	exchange(pair);
	assert_string_equal(heard.text.bytes, "200 [a: b] (5) . ");
	heard_fini(&heard);
}

static void
test_drops(void **state)
{
	struct pair *pair = *state;
	struct heard heard, other;

	exchange(pair);
	text_clear(&pair->came);
	heard_init(&heard, pair);
	assert_true(ask(pair, &heard, "GET", false));
	heard_fini(&heard);	/* before anything was gathered */
	exchange(pair);
	assert_int_equal(pair->came.len, 0);
	asked(pair, &other);
	heard_init(&heard, pair);
	assert_true(ask(pair, &heard, "GET", false));
	exchange(pair);
	heard.drops_at_head = true;	/* in the middle of an event */
	answer(pair, heard.stream.id, "200", "a", "b", "hello");
	exchange(pair);
	assert_string_equal(heard.text.bytes, "200 [a: b] ");
	assert_int_equal(heard.content.len, 0);
	answer(pair, other.stream.id, "200", "a", "b", "hello");
	exchange(pair);
	assert_string_equal(other.text.bytes, "200 [a: b] (5) . ");
	heard_fini(&heard);
	heard_fini(&other);
}

static void
test_no_http2(void **state)
{
	struct pair *pair = *state;
	struct text out = { 0 };
	struct heard heard;

	heard_init(&heard, pair);
	assert_true(ask(pair, &heard, "GET", false));
	h2_client_gather(pair->client, &out);
	h2_client_receive(pair->client, SPAN_OF("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
	text_clear(&out);
	h2_client_gather(pair->client, &out);
	assert_true(h2_client_is_over(pair->client));
	assert_string_equal(h2_client_why(pair->client), "it does not speak HTTP/2");
	assert_int_equal(heard.text.len, 0);	/* the owner of the connection knows */
	text_fini(&out);
	heard_fini(&heard);
}

static void
test_settings_and_leaving(void **state)
{
	const nghttp2_settings_entry few = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 7 };
	struct pair *pair = *state;

	assert_int_equal(h2_client_streams_max(pair->client), 100);
	nghttp2_submit_settings(pair->server, 0, &few, 1);
	exchange(pair);
	assert_int_equal(h2_client_streams_max(pair->client), 7);
	assert_int_equal(nghttp2_session_get_remote_settings(pair->server, NGHTTP2_SETTINGS_ENABLE_PUSH), 0);
	assert_int_equal(nghttp2_session_get_remote_settings(pair->server, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE),
	    H2_CLIENT_STREAM_WINDOW);
	assert_int_equal(nghttp2_session_get_remote_window_size(pair->server), H2_CLIENT_WINDOW);
	h2_client_leave(pair->client);
	exchange(pair);
	assert_true(h2_client_is_over(pair->client));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_open, pair_close)
	const struct CMUnitTest tests[] = {
		TEST(test_a_request),
		TEST(test_a_large_request),
		TEST(test_any_cut),
		TEST(test_informational),
		TEST(test_content_out),
		TEST(test_windows_out),
		TEST(test_gathering_is_bounded),
		TEST(test_windows_in),
		TEST(test_unread_streams_stop_nobody),
		TEST(test_malformed),
		TEST(test_heads_too_large),
		TEST(test_continuations),
		TEST(test_resets_and_goaway),
		TEST(test_an_early_end),
		TEST(test_drops),
		TEST(test_no_http2),
		TEST(test_settings_and_leaving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
