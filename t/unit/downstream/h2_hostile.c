/* rooms: base loop conf http net codec request downstream store */
/* HTTP/2 from those who are slow, wrong or hostile: RFC 9113's errors, budgets, timeouts. */
#include "h2_guest.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION,
	PRIORITY_UPDATE = 0x10 };

enum { END_STREAM = 1, END_HEADERS = 4 };

/* HPACK without compression: a literal without indexing, name and value shorter than 127 bytes. */
static void
field_put(struct text *block, const char *name, const char *value)
{
	text_add_byte(block, 0);
	text_add_byte(block, (char)strlen(name));
	text_add_text(block, name);
	text_add_byte(block, (char)strlen(value));
	text_add_text(block, value);
}

static void
get_put(struct text *block)
{
	field_put(block, ":method", "GET");
	field_put(block, ":scheme", "http");
	field_put(block, ":path", "/raw");
	field_put(block, ":authority", "a");
}

/* An answer slot for a stream that the session does not know: nghttp2's client would not forgive that. */
struct raw_guest {
	struct guest	guest;
	struct text	in;
	unsigned	frames[256];	/* that came, by type */
	uint32_t	code;		/* of the last RST_STREAM or GOAWAY */
	uint32_t	reset_stream;
	uint32_t	last_stream;	/* GOAWAY's */
	unsigned	acks;
	uint32_t	window;		/* WINDOW_UPDATE's sum for the connection */
};

static uint32_t
be32(const char *at)
{
	const unsigned char *bytes = (const unsigned char *)at;

	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void
raw_frame(struct raw_guest *guest, unsigned type, unsigned flags, uint32_t stream_id, struct span payload)
{
	const unsigned char head[9] = { payload.len >> 16 & 0xff, payload.len >> 8 & 0xff, payload.len & 0xff,
		(unsigned char)type, (unsigned char)flags, stream_id >> 24 & 0xff, stream_id >> 16 & 0xff,
		stream_id >> 8 & 0xff, stream_id & 0xff };
	struct text frame = { 0 };

	text_add(&frame, span_make((const char *)head, sizeof(head)));
	if (payload.len > 0)
		text_add(&frame, payload);
	guest_send(&guest->guest, text_span(&frame));
	text_fini(&frame);
}

static void
raw_open(struct house *house, struct raw_guest *guest)
{
	memset(guest, 0, sizeof(*guest));
	house->listener.h2c = true;
	guest_open(house, &guest->guest);
	guest_say(&guest->guest, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	raw_frame(guest, SETTINGS, 0, 0, SPAN_OF(""));
}

static void
raw_leave(struct raw_guest *guest)
{
	text_fini(&guest->in);
	guest_leave(&guest->guest);
}

/* Counts what has come. */
static void
raw_hear(struct raw_guest *guest)
{
	struct span rest;

	house_run(guest->guest.house, 1);
	guest_read(&guest->guest);
	text_add(&guest->in, text_span(&guest->guest.in));
	text_clear(&guest->guest.in);
	rest = text_span(&guest->in);
	while (rest.len >= 9) {
		size_t length = be32(rest.at) >> 8;
		unsigned type = (unsigned char)rest.at[3];
		const char *payload = rest.at + 9;

		if (rest.len < 9 + length)
			break;
		guest->frames[type]++;
		guest->acks += (type == SETTINGS || type == PING) && (rest.at[4] & 1);
		if (type == RST_STREAM) {
			guest->code = be32(payload);
			guest->reset_stream = be32(rest.at + 5);
		} else if (type == GOAWAY) {
			guest->last_stream = be32(payload);
			guest->code = be32(payload + 4);
		} else if (type == WINDOW_UPDATE && be32(rest.at + 5) == 0) {
			guest->window += be32(payload);
		}
		rest = span_skip(rest, 9 + length);
	}
	memmove(guest->in.bytes, rest.at, rest.len);
	guest->in.len = rest.len;
}

static bool
raw_await(struct raw_guest *guest, unsigned type, unsigned count)
{
	uint64_t until_ms = clock_ms() + PATIENCE_MS;

	while (guest->frames[type] < count && !guest->guest.ended && !guest->guest.reset && clock_ms() < until_ms)
		raw_hear(guest);
	return guest->frames[type] >= count;
}

static void
raw_get(struct raw_guest *guest, uint32_t stream_id, unsigned flags)
{
	struct text block = { 0 };

	get_put(&block);
	raw_frame(guest, HEADERS, END_HEADERS | flags, stream_id, text_span(&block));
	text_fini(&block);
}

/* The connection is ended with that code, and the counter says whether it was abuse. */
static void
raw_expect_goaway(struct raw_guest *guest, uint32_t code, bool is_abuse)
{
	assert_true(raw_await(guest, GOAWAY, 1));
	assert_int_equal(guest->code, code);
	assert_true(guest_is_ended(&guest->guest, PATIENCE_MS));
	assert_int_equal(guest->guest.house->slot->totals.h2_abuse, is_abuse);
}

static void
raw_expect_reset(struct raw_guest *guest, uint32_t stream_id, uint32_t code)
{
	assert_true(raw_await(guest, RST_STREAM, 1));
	assert_int_equal(guest->code, code);
	assert_int_equal(guest->reset_stream, stream_id);
}

/* The connection goes on. */
static void
raw_is_in_step(struct raw_guest *guest, uint32_t stream_id)
{
	visit_fn *serve = guest->guest.house->serve;
	unsigned heads = guest->frames[HEADERS];

	guest->guest.house->serve = serve_path;
	raw_get(guest, stream_id, END_STREAM);
	assert_true(raw_await(guest, HEADERS, heads + 1));
	guest->guest.house->serve = serve;
}

#define RAW_BEGIN(serve) \
	struct house house; \
	struct raw_guest guest; \
	house_open(&house, serve); \
	raw_open(&house, &guest)

#define RAW_END() \
	raw_leave(&guest); \
	house_close(&house)

static void
serve_never(struct visit *visit)
{
}

/* -- the connection's beginning -------------------------------------------------------------------------------------- */

/* RFC 9113 §3.4: SETTINGS first; §6.5: the client's are acknowledged. */
static void
test_the_preface(void **state)
{
	struct house house;
	struct raw_guest guest;
	struct span first;

	house_open(&house, serve_path);
	house.listener.h2c = true;
	memset(&guest, 0, sizeof(guest));
	guest_open(&house, &guest.guest);
	guest_say(&guest.guest, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	house_run(&house, 20);
	guest_read(&guest.guest);
	first = text_span(&guest.guest.in);
	assert_true(first.len > 9);
	assert_int_equal(first.at[3], SETTINGS);
	assert_int_equal(first.at[4], 0);
	/* MAX_CONCURRENT_STREAMS is the configured one. */
	for (const char *at = first.at + 9; at < first.at + 9 + first.at[2]; at += 6) {
		if (at[1] == 3)
			assert_int_equal(be32(at + 2), 100);
		if (at[1] == 4)
			assert_int_equal(be32(at + 2), 1 << 18);
		if (at[1] == 6)
			assert_int_equal(be32(at + 2), 32768);
		if (at[1] == 9)
			assert_int_equal(be32(at + 2), 1);
		assert_int_not_equal(at[1], 8);	/* no extended CONNECT */
	}
	raw_frame(&guest, SETTINGS, 0, 0, SPAN_OF(""));
	assert_true(raw_await(&guest, SETTINGS, 2));
	assert_int_equal(guest.acks, 1);
	assert_int_equal(guest.window, (1 << 20) - 65535);
	RAW_END();
}

static void
test_a_preface_without_settings(void **state)
{
	struct house house;
	struct raw_guest guest = { 0 };

	house_open(&house, serve_path);
	house.limits.header_timeout = 50;
	house_configure(&house);
	house.listener.h2c = true;
	guest_open(&house, &guest.guest);
	guest_say(&guest.guest, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	raw_expect_goaway(&guest, NGHTTP2_SETTINGS_TIMEOUT, false);
	assert_int_equal(house.slot->totals.timeouts, 1);
	RAW_END();
}

static void
test_a_first_frame_that_is_not_settings(void **state)
{
	struct house house;
	struct raw_guest guest = { 0 };

	house_open(&house, serve_path);
	house.listener.h2c = true;
	guest_open(&house, &guest.guest);
	guest_say(&guest.guest, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	raw_frame(&guest, PING, 0, 0, SPAN_OF("12345678"));
	raw_expect_goaway(&guest, NGHTTP2_PROTOCOL_ERROR, false);
	RAW_END();
}

/* -- streams -------------------------------------------------------------------------------------------------------- */

/* RFC 9113 §8.1.1: nobody hears of a malformed request, and the connection goes on. */
static void
test_malformed_requests(void **state)
{
	static const struct { const char *name, *value; } fields[] = {
		{ "X-Upper", "1" }, { "x", "a\nb" }, { "x", " a" }, { "connection", "close" }, { "te", "gzip" },
		{ ":path", "/twice" }, { ":status", "200" }, { "transfer-encoding", "chunked" }, { "content-length", "x" },
		{ "content-length", "1" },
	};
	uint32_t stream_id = 1;

	RAW_BEGIN(serve_path);
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++, stream_id += 2) {
		struct text block = { 0 };

		guest.frames[RST_STREAM] = 0;
		get_put(&block);
		field_put(&block, fields[i].name, fields[i].value);
		raw_frame(&guest, HEADERS, END_HEADERS | END_STREAM, stream_id, text_span(&block));
		raw_expect_reset(&guest, stream_id, NGHTTP2_PROTOCOL_ERROR);
		text_fini(&block);
	}
	assert_int_equal(house.visit_count, 0);
	assert_int_equal(house.slot->totals.requests, 0);
	raw_is_in_step(&guest, stream_id);
	RAW_END();
}

static void
test_content_that_differs_from_its_length(void **state)
{
	struct text block = { 0 };

	RAW_BEGIN(serve_echo);
	get_put(&block);
	field_put(&block, "content-length", "5");
	raw_frame(&guest, HEADERS, END_HEADERS, 1, text_span(&block));
	raw_frame(&guest, DATA, END_STREAM, 1, SPAN_OF("four"));
	raw_expect_reset(&guest, 1, NGHTTP2_PROTOCOL_ERROR);
	raw_frame(&guest, HEADERS, END_HEADERS, 3, text_span(&block));
	raw_frame(&guest, DATA, 0, 3, SPAN_OF("sixsix"));
	guest.frames[RST_STREAM] = 0;
	raw_expect_reset(&guest, 3, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.visits[1]->gone, 1);
	raw_is_in_step(&guest, 5);
	text_fini(&block);
	RAW_END();
}

static void
hear_trailers(struct visit *visit)
{
	const struct field *field = fields_find_named(&visit->request->trailers, SPAN_OF("x-sum"));

	assert_int_equal(visit->request->trailers.count, 1);
	visit_answer(visit, field && span_is(field->value, "42") ? 200 : 500, "");
}

static void
serve_hear_trailers(struct visit *visit)
{
	visit->on_last = hear_trailers;
	request_want_body(visit->request, true);
}

static void
test_trailers_in(void **state)
{
	struct text trailers = { 0 };

	RAW_BEGIN(serve_hear_trailers);
	field_put(&trailers, "x-sum", "42");
	field_put(&trailers, "content-length", "42");
	raw_get(&guest, 1, 0);
	raw_frame(&guest, DATA, 0, 1, SPAN_OF("content"));
	raw_frame(&guest, HEADERS, END_HEADERS | END_STREAM, 1, text_span(&trailers));
	assert_true(raw_await(&guest, HEADERS, 1));
	assert_int_equal(house.slot->totals.responses_2xx, 1);
	/* Without an end they are malformed. */
	raw_get(&guest, 3, 0);
	raw_frame(&guest, HEADERS, END_HEADERS, 3, text_span(&trailers));
	raw_expect_reset(&guest, 3, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(house.visits[1]->lasts, 0);
	raw_is_in_step(&guest, 5);
	text_fini(&trailers);
	RAW_END();
}

/* RFC 9113 §5.1.2. */
static void
test_streams_over_the_limit_are_refused(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_never);
	house.limits.http2.max_streams = 3;
	raw_open(&house, &guest);
	for (uint32_t i = 0; i < 3; i++)
		raw_get(&guest, 1 + 2 * i, END_STREAM);
	raw_get(&guest, 7, END_STREAM);
	raw_expect_reset(&guest, 7, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(house.visit_count, 3);
	raw_frame(&guest, RST_STREAM, 0, 1, SPAN_OF("\0\0\0\x8"));
	raw_is_in_step(&guest, 9);
	assert_int_equal(house.visits[0]->gone, 1);
	RAW_END();
}

static void
test_heads_over_the_limits(void **state)
{
	struct text block = { 0 };
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_path);
	house.limits.header_size = 1024;
	house_configure(&house);
	raw_open(&house, &guest);
	get_put(&block);
	for (unsigned i = 0; i < 40; i++)
		field_put(&block, "x-some", "value");
	raw_frame(&guest, HEADERS, END_HEADERS | END_STREAM, 1, text_span(&block));
	assert_true(raw_await(&guest, HEADERS, 1));
	assert_int_equal(house.refused, 1);
	assert_int_equal(house.refused_status, 431);
	raw_is_in_step(&guest, 3);
	text_fini(&block);
	RAW_END();
}

/* -- errors of the connection ---------------------------------------------------------------------------------------- */

static void
test_errors_of_the_connection(void **state)
{
	static const struct { unsigned type, flags; uint32_t stream_id; struct span payload; uint32_t code; } rows[] = {
		{ DATA, 0, 0, SPAN("x"), NGHTTP2_PROTOCOL_ERROR },
		{ DATA, 0, 1, SPAN("x"), NGHTTP2_PROTOCOL_ERROR },	/* idle */
		{ HEADERS, END_HEADERS, 0, SPAN("\x82"), NGHTTP2_PROTOCOL_ERROR },
		{ HEADERS, END_HEADERS, 2, SPAN("\x82"), NGHTTP2_PROTOCOL_ERROR },
		{ HEADERS, END_HEADERS, 1, SPAN("\xff\xff\xff\xff\xff\xff"), NGHTTP2_COMPRESSION_ERROR },
		{ PRIORITY, 0, 0, SPAN("\0\0\0\0\x10"), NGHTTP2_PROTOCOL_ERROR },
		{ PRIORITY, 0, 1, SPAN("\0\0\0\0"), NGHTTP2_FRAME_SIZE_ERROR },
		{ PRIORITY_UPDATE, 0, 0, SPAN("\0\0\0\0u=1"), NGHTTP2_PROTOCOL_ERROR },
		{ RST_STREAM, 0, 1, SPAN("\0\0\0\0"), NGHTTP2_PROTOCOL_ERROR },
		{ RST_STREAM, 0, 1, SPAN("\0\0\0"), NGHTTP2_FRAME_SIZE_ERROR },
		{ SETTINGS, 0, 0, SPAN("\0"), NGHTTP2_FRAME_SIZE_ERROR },
		{ SETTINGS, 1, 0, SPAN("\0\1\0\0\0\0"), NGHTTP2_FRAME_SIZE_ERROR },
		{ SETTINGS, 0, 0, SPAN("\0\4\xff\xff\xff\xff"), NGHTTP2_FLOW_CONTROL_ERROR },
		{ PING, 0, 0, SPAN("1234567"), NGHTTP2_FRAME_SIZE_ERROR },
		{ PING, 0, 1, SPAN("12345678"), NGHTTP2_PROTOCOL_ERROR },
		{ WINDOW_UPDATE, 0, 0, SPAN("\0\0\0\0"), NGHTTP2_PROTOCOL_ERROR },
		{ WINDOW_UPDATE, 0, 0, SPAN("\x7f\xff\xff\xff"), NGHTTP2_FLOW_CONTROL_ERROR },
		{ CONTINUATION, END_HEADERS, 1, SPAN("\x82"), NGHTTP2_PROTOCOL_ERROR },
		{ PUSH_PROMISE, END_HEADERS, 1, SPAN("\0\0\0\2\x82"), NGHTTP2_PROTOCOL_ERROR },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		RAW_BEGIN(serve_path);
		raw_frame(&guest, rows[i].type, rows[i].flags, rows[i].stream_id, rows[i].payload);
		if (!raw_await(&guest, GOAWAY, 1) || guest.code != rows[i].code)
			fail_msg("row %zu: %u", i, guest.code);
		assert_true(guest_is_ended(&guest.guest, PATIENCE_MS));
		assert_int_equal(house.visit_count, 0);
		RAW_END();
	}
}

/* RFC 9113 §5.1.1. */
static void
test_a_number_is_used_once(void **state)
{
	RAW_BEGIN(serve_path);
	raw_get(&guest, 3, END_STREAM);
	assert_true(raw_await(&guest, DATA, 1));
	raw_get(&guest, 1, END_STREAM);
	raw_expect_goaway(&guest, NGHTTP2_STREAM_CLOSED, false);
	assert_int_equal(house.visit_count, 1);
	RAW_END();
}

/* Trailers that crossed our reset are nobody's error. */
static void
test_trailers_cross_a_reset(void **state)
{
	struct text trailers = { 0 };

	RAW_BEGIN(serve_path);
	field_put(&trailers, "x-sum", "42");
	raw_get(&guest, 1, 0);
	raw_expect_reset(&guest, 1, NGHTTP2_NO_ERROR);
	raw_frame(&guest, DATA, 0, 1, SPAN_OF("late"));
	raw_frame(&guest, HEADERS, END_HEADERS | END_STREAM, 1, text_span(&trailers));
	raw_is_in_step(&guest, 3);
	text_fini(&trailers);
	RAW_END();
}

/* What is in flight on other streams ends with the connection, once. */
static void
test_an_error_of_the_connection_ends_all_streams(void **state)
{
	RAW_BEGIN(serve_never);
	for (uint32_t i = 0; i < 5; i++)
		raw_get(&guest, 1 + 2 * i, i % 2 ? END_STREAM : 0);
	raw_frame(&guest, PING, 0, 1, SPAN_OF("12345678"));
	raw_expect_goaway(&guest, NGHTTP2_PROTOCOL_ERROR, false);
	guest_leave(&guest.guest);
	assert_true(house_is_empty(&house, PATIENCE_MS));
	assert_int_equal(house.visit_count, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(house.visits[i]->gone, 1);
	text_fini(&guest.in);
	house_close(&house);
}

/* -- abuse ---------------------------------------------------------------------------------------------------------- */

enum { MUCH = 3000 };

static void
flood_pings(struct raw_guest *guest, uint32_t i)
{
	raw_frame(guest, PING, 0, 0, SPAN_OF("12345678"));
}

static void
flood_settings(struct raw_guest *guest, uint32_t i)
{
	raw_frame(guest, SETTINGS, 0, 0, SPAN_OF("\0\1\0\0\x10\0"));
}

static void
flood_resets(struct raw_guest *guest, uint32_t i)
{
	raw_get(guest, 1 + 2 * i, END_STREAM);
	raw_frame(guest, RST_STREAM, 0, 1 + 2 * i, SPAN_OF("\0\0\0\x8"));
}

/* MadeYouReset: we are made to reset streams, by windows that overflow. */
static void
flood_errors(struct raw_guest *guest, uint32_t i)
{
	raw_get(guest, 1 + 2 * i, END_STREAM);
	raw_frame(guest, WINDOW_UPDATE, 0, 1 + 2 * i, SPAN_OF("\x7f\xff\xff\xff"));
}

static void
flood_malformed(struct raw_guest *guest, uint32_t i)
{
	raw_frame(guest, HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, SPAN_OF("\x82"));
}

static void
flood_empty_data(struct raw_guest *guest, uint32_t i)
{
	if (i == 0)
		raw_get(guest, 1, 0);
	raw_frame(guest, DATA, 0, 1, SPAN_OF(""));
}

static void
flood_padding(struct raw_guest *guest, uint32_t i)
{
	if (i == 0)
		raw_get(guest, 1, 0);
	raw_frame(guest, DATA, 8, 1, SPAN_OF("\3\0\0\0"));
}

static void
flood_priorities(struct raw_guest *guest, uint32_t i)
{
	raw_frame(guest, PRIORITY, 0, 1 + 2 * (i % 50), SPAN_OF("\0\0\0\0\x10"));
}

static void
flood_priority_updates(struct raw_guest *guest, uint32_t i)
{
	if (i == 0)
		raw_get(guest, 1, 0);
	raw_frame(guest, PRIORITY_UPDATE, 0, 0, SPAN_OF("\0\0\0\1u=1"));
}

static void
flood_tiny_windows(struct raw_guest *guest, uint32_t i)
{
	raw_frame(guest, WINDOW_UPDATE, 0, 0, SPAN_OF("\0\0\0\1"));
}

/* For streams that were answered long ago. */
static void
flood_closed_windows(struct raw_guest *guest, uint32_t i)
{
	if (i == 0)
		raw_is_in_step(guest, 1);
	raw_frame(guest, WINDOW_UPDATE, 0, 1, SPAN_OF("\0\0\x10\0"));
}

static void
flood_closed_data(struct raw_guest *guest, uint32_t i)
{
	static const char nothing[16384];

	if (i == 0)
		raw_is_in_step(guest, 1);
	raw_frame(guest, DATA, 0, 1, span_make(nothing, sizeof(nothing)));
}

static void
flood_unknown(struct raw_guest *guest, uint32_t i)
{
	raw_frame(guest, 0x42, 0, 0, SPAN_OF("what?"));
}

static void
flood_continuations(struct raw_guest *guest, uint32_t i)
{
	if (i == 0)
		raw_frame(guest, HEADERS, 0, 1, SPAN_OF("\x82"));
	raw_frame(guest, CONTINUATION, 0, 1, SPAN_OF(""));
}

/* One entry of 4 KB in the table, named a thousand times. */
static void
flood_bomb(struct raw_guest *guest, uint32_t i)
{
	struct text block = { 0 };
	static char value[3900];

	memset(value, 'b', sizeof(value));
	get_put(&block);
	if (i == 0) {
		text_add(&block, SPAN_OF("\x40\1x\x7f\xbd\x1d"));	/* literal with indexing, value of 3900 bytes */
		text_add(&block, span_make(value, sizeof(value)));
	}
	for (unsigned n = 0; n < 8000; n++)
		text_add_byte(&block, '\xbe');	/* index 62: the newest */
	raw_frame(guest, HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, text_span(&block));
	text_fini(&block);
}

static void
test_abuse_is_cut_off(void **state)
{
	static const struct { const char *what; void (*flood)(struct raw_guest *guest, uint32_t i); } rows[] = {
		{ "pings", flood_pings }, { "settings", flood_settings }, { "resets", flood_resets },
		{ "errors", flood_errors }, { "malformed", flood_malformed }, { "empty data", flood_empty_data },
		{ "padding", flood_padding }, { "priorities", flood_priorities },
		{ "priority updates", flood_priority_updates }, { "tiny windows", flood_tiny_windows },
		{ "closed: windows", flood_closed_windows }, { "closed: data", flood_closed_data },
		{ "unknown", flood_unknown }, { "continuations", flood_continuations }, { "bomb", flood_bomb },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct h2_guest other;

		RAW_BEGIN(serve_never);
		h2_guest_open(&house, &other);
		h2_guest_is_in_step(&other);
		for (uint32_t n = 0; n < MUCH && guest.frames[GOAWAY] == 0; n++) {
			rows[i].flood(&guest, n);
			if (n % 100 == 0)
				raw_hear(&guest);
		}
		if (!raw_await(&guest, GOAWAY, 1) || guest.code != NGHTTP2_ENHANCE_YOUR_CALM)
			fail_msg("%s: code %u", rows[i].what, guest.code);
		assert_int_equal(house.slot->totals.h2_abuse, 1);
		h2_guest_is_in_step(&other);	/* no harm to others */
		h2_guest_leave(&other);
		RAW_END();
	}
}

/* Windows that cross the ends of streams are what any client sends. */
static void
test_frames_that_cross_the_end_are_no_abuse(void **state)
{
	RAW_BEGIN(serve_path);
	house.limits.http2.resets_per_second = 1;
	for (uint32_t i = 0; i < 50; i++) {
		raw_is_in_step(&guest, 1 + 2 * i);
		raw_frame(&guest, WINDOW_UPDATE, 0, 1 + 2 * i, SPAN_OF("\0\0\x10\0"));
		raw_frame(&guest, WINDOW_UPDATE, 0, 1 + 2 * i, SPAN_OF("\0\0\x10\0"));
	}
	raw_is_in_step(&guest, 101);
	assert_int_equal(guest.frames[GOAWAY], 0);
	RAW_END();
}

/* A page that is left: a hundred requests cancelled at once are no abuse. */
static void
test_leaving_a_page_is_no_abuse(void **state)
{
	RAW_BEGIN(serve_never);
	for (uint32_t i = 0; i < 100; i++)
		raw_get(&guest, 1 + 2 * i, END_STREAM);
	for (uint32_t i = 0; i < 100; i++)
		raw_frame(&guest, RST_STREAM, 0, 1 + 2 * i, SPAN_OF("\0\0\0\x8"));
	raw_is_in_step(&guest, 1001);
	assert_int_equal(guest.frames[GOAWAY], 0);
	RAW_END();
}

/* -- time ----------------------------------------------------------------------------------------------------------- */

static void
test_a_head_that_does_not_end(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_path);
	house.limits.header_timeout = 60;
	house_configure(&house);
	raw_open(&house, &guest);
	raw_is_in_step(&guest, 1);
	raw_frame(&guest, HEADERS, 0, 3, SPAN_OF("\x82"));
	raw_expect_goaway(&guest, NGHTTP2_NO_ERROR, false);
	assert_int_equal(house.slot->totals.timeouts, 1);
	RAW_END();
}

/* What is timed is the head: a request that came with the preface, all in one, may take longer. */
static void
test_a_slow_answer_to_the_first_request(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	struct house house;
	struct raw_guest guest = { 0 };
	struct text bytes = { 0 }, block = { 0 };
	char head[9] = { 0, 0, 0, HEADERS, END_HEADERS | END_STREAM, 0, 0, 0, 1 };

	house_open(&house, serve_never);
	house.limits.header_timeout = 30;
	house.listener.h2c = true;
	house_configure(&house);
	get_put(&block);
	head[2] = (char)block.len;
	text_add(&bytes, span_make(preface, sizeof(preface) - 1));
	text_add(&bytes, span_make(head, sizeof(head)));
	text_add(&bytes, text_span(&block));
	guest_open(&house, &guest.guest);
	guest_send(&guest.guest, text_span(&bytes));
	house_run(&house, 100);
	assert_int_equal(house.visit_count, 1);
	assert_int_equal(house.visits[0]->gone, 0);
	assert_int_equal(house.slot->totals.timeouts, 0);
	visit_answer(house.visits[0], 200, "late");
	assert_true(raw_await(&guest, DATA, 1));
	assert_int_equal(guest.frames[GOAWAY], 0);
	text_fini(&bytes);
	text_fini(&block);
	RAW_END();
}

static void
test_content_that_does_not_come(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_echo);
	house.limits.body_timeout = 40;
	house_configure(&house);
	raw_open(&house, &guest);
	raw_get(&guest, 1, 0);
	raw_frame(&guest, DATA, 0, 1, SPAN_OF("some"));
	assert_true(raw_await(&guest, HEADERS, 1));
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.slot->totals.timeouts, 1);
	assert_int_equal(house.slot->totals.responses_4xx, 1);
	raw_is_in_step(&guest, 3);
	RAW_END();
}

static void
serve_much(struct visit *visit)
{
	static char much[200000];

	response_send(visit->request, 200, SPAN_OF("text/plain"), span_make(much, sizeof(much)));
}

/* A window of nothing, or of a byte at a time. */
static void
test_a_stream_without_a_window(void **state)
{
	struct house house;
	struct raw_guest guest;
	uint64_t until_ms;

	house_open(&house, serve_much);
	house.limits.send_timeout = 60;
	house_configure(&house);
	raw_open(&house, &guest);
	raw_frame(&guest, SETTINGS, 0, 0, SPAN_OF("\0\4\0\0\0\0"));
	raw_get(&guest, 1, END_STREAM);
	raw_expect_reset(&guest, 1, NGHTTP2_CANCEL);
	assert_int_equal(house.visits[0]->end_state, REQUEST_ABORTED);
	guest.frames[RST_STREAM] = 0;
	raw_get(&guest, 3, END_STREAM);
	until_ms = clock_ms() + PATIENCE_MS;
	while (guest.frames[RST_STREAM] == 0 && clock_ms() < until_ms) {
		raw_frame(&guest, WINDOW_UPDATE, 0, 3, SPAN_OF("\0\0\0\1"));
		raw_hear(&guest);
		raw_hear(&guest);
		raw_hear(&guest);
	}
	raw_expect_reset(&guest, 3, NGHTTP2_CANCEL);
	raw_is_in_step(&guest, 5);
	RAW_END();
}

static void
serve_five_bytes(struct visit *visit)
{
	visit_start(visit, 200, -1);
	visit_write_text(visit, "bytes");
	visit_wait(visit, 20, visit_finish);
}

/* All content has left and used the window up: the end alone is waited for, too. */
static void
test_a_window_that_is_used_up_exactly(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_five_bytes);
	house.limits.send_timeout = 60;
	house_configure(&house);
	raw_open(&house, &guest);
	raw_frame(&guest, SETTINGS, 0, 0, SPAN_OF("\0\4\0\0\0\5"));
	raw_get(&guest, 1, END_STREAM);
	raw_expect_reset(&guest, 1, NGHTTP2_CANCEL);
	raw_frame(&guest, SETTINGS, 0, 0, SPAN_OF("\0\4\0\0\0\6"));
	raw_is_in_step(&guest, 3);
	RAW_END();
}

static void
test_a_client_that_does_not_read(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_much);
	house.limits.send_timeout = 60;
	house.buffer = 4096;
	house_configure(&house);
	raw_open(&house, &guest);
	raw_frame(&guest, WINDOW_UPDATE, 0, 0, SPAN_OF("\x0f\0\0\0"));
	raw_frame(&guest, SETTINGS, 0, 0, SPAN_OF("\0\4\x0f\0\0\0"));
	for (uint32_t i = 0; i < 20; i++)
		raw_get(&guest, 1 + 2 * i, END_STREAM);
	assert_true(house_is_empty(&house, PATIENCE_MS));
	assert_true(house.slot->totals.timeouts > 0);
	for (unsigned i = 0; i < house.visit_count; i++)
		assert_int_equal(house.visits[i]->ended, 1);
	RAW_END();
}

/* Whoever does not even read the end is not listened to either, and is told of and counted at once. */
static void
test_abuse_by_who_does_not_read(void **state)
{
	struct house house;
	struct raw_guest guest;
	uint64_t until_ms;

	house_open(&house, serve_much);
	house.buffer = 4096;
	raw_open(&house, &guest);
	raw_frame(&guest, WINDOW_UPDATE, 0, 0, SPAN_OF("\x0f\0\0\0"));
	raw_frame(&guest, SETTINGS, 0, 0, SPAN_OF("\0\4\x0f\0\0\0"));
	for (uint32_t i = 0; i < 20; i++)
		raw_get(&guest, 1 + 2 * i, END_STREAM);
	while (house.visit_count < 20)
		house_run(&house, 1);
	house_run(&house, 5);
	for (unsigned i = 0; i < 300; i++) {
		raw_frame(&guest, PING, 0, 0, SPAN_OF("12345678"));
		if (i % 10 == 0)
			house_run(&house, 0);
	}
	until_ms = clock_ms() + PATIENCE_MS;
	while (house.slot->totals.h2_abuse == 0 && clock_ms() < until_ms)
		house_run(&house, 1);
	assert_int_equal(house.slot->totals.h2_abuse, 1);
	assert_int_equal(house.slot->connections, 1);	/* the end still waits to be sent */
	RAW_END();
}

static void
test_an_idle_connection_is_let_go(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_path);
	house.limits.keepalive_timeout = 50;
	house_configure(&house);
	raw_open(&house, &guest);
	raw_is_in_step(&guest, 1);
	raw_expect_goaway(&guest, NGHTTP2_NO_ERROR, false);
	assert_int_equal(guest.last_stream, 1);
	assert_int_equal(house.slot->totals.timeouts, 0);
	RAW_END();
}

/* -- leaving -------------------------------------------------------------------------------------------------------- */

/* RFC 9113 §6.8 in two steps; what is in flight ends well. */
static void
test_drain(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_never);
	raw_open(&house, &guest);
	raw_get(&guest, 1, END_STREAM);
	raw_hear(&guest);
	downstream_drain(house.downstream, 60);
	assert_true(raw_await(&guest, GOAWAY, 1));
	assert_int_equal(guest.last_stream, INT32_MAX);
	raw_get(&guest, 3, END_STREAM);	/* crossed the first GOAWAY: served */
	while (house.visit_count < 2)
		raw_hear(&guest);
	assert_true(raw_await(&guest, GOAWAY, 2));
	assert_int_equal(guest.last_stream, 3);
	raw_get(&guest, 5, END_STREAM);
	house_run(&house, 20);
	assert_int_equal(house.visit_count, 2);
	assert_int_equal(house.empty, 0);
	visit_answer(house.visits[0], 200, "a");
	visit_answer(house.visits[1], 200, "b");
	assert_true(raw_await(&guest, HEADERS, 2));
	assert_true(raw_await(&guest, DATA, 2));
	assert_true(guest_is_ended(&guest.guest, PATIENCE_MS));
	guest_leave(&guest.guest);
	assert_true(house_is_empty(&house, PATIENCE_MS));
	assert_int_equal(house.empty, 1);
	text_fini(&guest.in);
	house_close(&house);
}

static void
test_as_many_requests_as_allowed(void **state)
{
	struct house house;
	struct raw_guest guest;

	house_open(&house, serve_path);
	house.limits.keepalive_requests = 3;
	house_configure(&house);
	raw_open(&house, &guest);
	for (uint32_t i = 0; i < 3; i++)
		raw_get(&guest, 1 + 2 * i, END_STREAM);
	assert_true(raw_await(&guest, GOAWAY, 1));
	assert_int_equal(guest.code, NGHTTP2_NO_ERROR);
	assert_true(raw_await(&guest, HEADERS, 3));
	assert_true(guest_is_ended(&guest.guest, PATIENCE_MS));
	RAW_END();
}

static void
test_the_client_leaves(void **state)
{
	RAW_BEGIN(serve_never);
	raw_get(&guest, 1, END_STREAM);
	raw_get(&guest, 3, 0);
	raw_hear(&guest);
	guest_reset(&guest.guest);
	assert_true(house_is_empty(&house, PATIENCE_MS));
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.visits[1]->gone, 1);
	assert_int_equal(house.slot->totals.aborted, 2);
	RAW_END();
}

/* He has sent all he wants to, and still reads. */
static void
test_the_client_ends_his_side(void **state)
{
	RAW_BEGIN(serve_late);
	raw_get(&guest, 1, END_STREAM);
	raw_get(&guest, 3, 0);
	shutdown(guest.guest.fd, SHUT_WR);
	assert_true(raw_await(&guest, DATA, 1));
	assert_true(guest_is_ended(&guest.guest, PATIENCE_MS));
	assert_int_equal(house.visits[0]->end_state, REQUEST_FINISHED);
	assert_int_equal(house.visits[1]->gone, 1);
	assert_true(house_is_empty(&house, PATIENCE_MS));
	RAW_END();
}

static void
test_goaway_from_the_client(void **state)
{
	RAW_BEGIN(serve_late);
	raw_get(&guest, 1, END_STREAM);
	raw_frame(&guest, GOAWAY, 0, 0, SPAN_OF("\0\0\0\0\0\0\0\0"));
	assert_true(raw_await(&guest, DATA, 1));
	assert_true(guest_is_ended(&guest.guest, PATIENCE_MS));
	assert_int_equal(house.visits[0]->end_state, REQUEST_FINISHED);
	RAW_END();
}

static void
test_cut(void **state)
{
	RAW_BEGIN(serve_never);
	raw_get(&guest, 1, END_STREAM);
	raw_hear(&guest);
	downstream_cut(house.downstream);
	assert_int_equal(house.visits[0]->gone, 1);
	assert_int_equal(house.visits[0]->ended, 1);
	RAW_END();
}

static void
cut_all(struct visit *visit)
{
	downstream_cut(visit->house->downstream);
}

/* Serves: the first waits; the next has its content given to it, and answers before its own has come. */
static void
serve_and_cut(struct visit *visit)
{
	struct visit *first = visit->house->visits[0];

	if (visit == first)
		return;
	first->on_piece = cut_all;
	request_want_body(first->request, true);
	visit_answer(visit, 200, "early");
}

/* In the middle of a turn, while an answer that is complete waits for it. */
static void
test_cut_from_inside_a_handler(void **state)
{
	RAW_BEGIN(serve_and_cut);
	raw_get(&guest, 1, 0);
	raw_frame(&guest, DATA, 0, 1, SPAN_OF("some"));
	raw_get(&guest, 3, 0);
	assert_true(house_is_empty(&house, PATIENCE_MS));
	house_run(&house, 1200);	/* longer than the rest of a request is waited for */
	assert_int_equal(house.visit_count, 2);
	assert_int_equal(house.slot->totals.requests, 2);
	assert_int_equal(house.slot->totals.aborted, 2);
	assert_int_equal(house.slot->totals.timeouts, 0);
	RAW_END();
}

/* Byte by byte nothing is different. */
static void
test_a_trickle(void **state)
{
	struct text block = { 0 };
	struct house house;
	struct raw_guest guest = { 0 };
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	char head[9] = { 0, 0, 0, HEADERS, END_HEADERS | END_STREAM, 0, 0, 0, 1 };

	house_open(&house, serve_path);
	house.listener.h2c = true;
	guest_open(&house, &guest.guest);
	for (size_t i = 0; i < sizeof(preface) - 1; i++) {
		guest_send(&guest.guest, span_make(preface + i, 1));
		house_run(&house, 0);
	}
	get_put(&block);
	head[2] = (char)block.len;
	for (size_t i = 0; i < 9 + block.len; i++) {
		guest_send(&guest.guest, span_make(i < 9 ? head + i : block.bytes + i - 9, 1));
		house_run(&house, 0);
	}
	assert_true(raw_await(&guest, DATA, 1));
	text_fini(&block);
	RAW_END();
}

/* The bounds on CONTINUATION count frames, not the reads that they come in. */
static void
test_a_trickle_of_continuations(void **state)
{
	struct text block = { 0 };

	RAW_BEGIN(serve_path);
	get_put(&block);
	raw_frame(&guest, HEADERS, END_STREAM, 1, text_span(&block));
	for (unsigned i = 0; i < 8; i++) {
		const char frame[9] = { 0, 0, 0, CONTINUATION, i == 7 ? END_HEADERS : 0, 0, 0, 0, 1 };

		for (size_t n = 0; n < sizeof(frame); n++) {
			guest_send(&guest.guest, span_make(frame + n, 1));
			house_run(&house, 0);
		}
	}
	assert_true(raw_await(&guest, DATA, 1));
	assert_int_equal(house.slot->totals.h2_abuse, 0);
	text_fini(&block);
	RAW_END();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_preface),
		cmocka_unit_test(test_a_preface_without_settings),
		cmocka_unit_test(test_a_first_frame_that_is_not_settings),
		cmocka_unit_test(test_malformed_requests),
		cmocka_unit_test(test_content_that_differs_from_its_length),
		cmocka_unit_test(test_trailers_in),
		cmocka_unit_test(test_streams_over_the_limit_are_refused),
		cmocka_unit_test(test_heads_over_the_limits),
		cmocka_unit_test(test_errors_of_the_connection),
		cmocka_unit_test(test_a_number_is_used_once),
		cmocka_unit_test(test_trailers_cross_a_reset),
		cmocka_unit_test(test_an_error_of_the_connection_ends_all_streams),
		cmocka_unit_test(test_abuse_is_cut_off),
		cmocka_unit_test(test_leaving_a_page_is_no_abuse),
		cmocka_unit_test(test_frames_that_cross_the_end_are_no_abuse),
		cmocka_unit_test(test_a_head_that_does_not_end),
		cmocka_unit_test(test_a_slow_answer_to_the_first_request),
		cmocka_unit_test(test_content_that_does_not_come),
		cmocka_unit_test(test_a_stream_without_a_window),
		cmocka_unit_test(test_a_window_that_is_used_up_exactly),
		cmocka_unit_test(test_a_client_that_does_not_read),
		cmocka_unit_test(test_abuse_by_who_does_not_read),
		cmocka_unit_test(test_an_idle_connection_is_let_go),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_as_many_requests_as_allowed),
		cmocka_unit_test(test_the_client_leaves),
		cmocka_unit_test(test_the_client_ends_his_side),
		cmocka_unit_test(test_goaway_from_the_client),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_from_inside_a_handler),
		cmocka_unit_test(test_a_trickle),
		cmocka_unit_test(test_a_trickle_of_continuations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
