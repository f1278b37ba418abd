/*
 * h2_guest: a guest of the house who speaks HTTP/2, with nghttp2's own client session as the polite peer; frames that no
 * polite peer sends are put between by hand.
 */
#ifndef REEVE_T_UNIT_DOWNSTREAM_H2_GUEST_H
#define REEVE_T_UNIT_DOWNSTREAM_H2_GUEST_H

#include "house.h"

#include <nghttp2/nghttp2.h>

enum { H2_ANSWERS_MAX = 512, H2_STILL_OPEN = -1 };

struct h2_answer {
	int32_t		stream_id;
	unsigned	status;
	unsigned	informed;	/* how many 1xx came before, */
	unsigned	inform_status;	/* the last of them */
	struct text	head;		/* "name: value\n" */
	struct text	trailers;
	struct text	body;
	bool		has_end;
	int64_t		code;		/* of the stream's end; H2_STILL_OPEN */
	unsigned	order;		/* of the ends */
};

struct h2_guest {
	struct guest		 guest;
	nghttp2_session		*session;
	struct h2_answer	 answers[H2_ANSWERS_MAX];
	unsigned		 answer_count;
	unsigned		 closed;
	unsigned		 goaways;
	uint32_t		 goaway_code;
	int32_t			 goaway_last;
	unsigned		 pongs;
	bool			 deaf;		/* reads nothing from its socket */
	struct span		 upload;	/* of the one upload that is under way */
	bool			 upload_stops;	/* ... and says no end */
};

/* -- what nghttp2 tells ----------------------------------------------------------------------------------------- */

static inline struct h2_answer *
h2_answer_of(struct h2_guest *guest, int32_t stream_id)
{
	for (unsigned i = 0; i < guest->answer_count; i++) {
		if (guest->answers[i].stream_id == stream_id)
			return &guest->answers[i];
	}
	return NULL;
}

static inline int
h2_guest_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, uint8_t flags, void *owner)
{
	struct h2_answer *answer = h2_answer_of(owner, frame->hd.stream_id);
	struct span name_span = span_make((const char *)name, name_len), value_span = span_make((const char *)value, value_len);
	struct text *to;
	uint64_t status;

	if (answer == NULL)
		return 0;
	if (span_is(name_span, ":status")) {
		assert_true(span_to_number(value_span, 999, &status));
		answer->informed += status < 200;
		if (status < 200)
			answer->inform_status = (unsigned)status;
		else
			answer->status = (unsigned)status;
		return 0;
	}
	for (size_t i = 0; i < name_len; i++)
		assert_int_equal(byte_lower((char)name[i]), name[i]);
	to = answer->body.len > 0 || answer->has_end ? &answer->trailers : &answer->head;
	text_format(to, "%.*s: %.*s\n", (int)name_len, name, (int)value_len, value);
	return 0;
}

static inline int
h2_guest_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes, size_t len, void *owner)
{
	struct h2_answer *answer = h2_answer_of(owner, stream_id);

	if (answer)
		text_add(&answer->body, span_make((const char *)bytes, len));
	return 0;
}

static inline int
h2_guest_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
	struct h2_guest *guest = owner;
	struct h2_answer *answer = h2_answer_of(guest, frame->hd.stream_id);

	if (answer && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && frame->hd.type <= NGHTTP2_HEADERS)
		answer->has_end = true;
	if (frame->hd.type == NGHTTP2_PING)
		guest->pongs += frame->hd.flags & NGHTTP2_FLAG_ACK;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		guest->goaways++;
		guest->goaway_code = frame->goaway.error_code;
		guest->goaway_last = frame->goaway.last_stream_id;
	}
	return 0;
}

static inline int
h2_guest_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *owner)
{
	struct h2_guest *guest = owner;
	struct h2_answer *answer = h2_answer_of(guest, stream_id);

	if (answer == NULL || answer->code != H2_STILL_OPEN)
		return 0;
	answer->code = code;
	answer->order = ++guest->closed;
	return 0;
}

/* -- the connection ------------------------------------------------------------------------------------------------- */

static inline void
h2_guest_send(struct h2_guest *guest)
{
	const uint8_t *bytes;
	ssize_t count;

	while ((count = nghttp2_session_mem_send(guest->session, &bytes)) > 0) {
		if (!guest_send(&guest->guest, span_make((const char *)bytes, (size_t)count)))
			return;
	}
}

static inline void
h2_guest_turn(struct h2_guest *guest)
{
	h2_guest_send(guest);
	house_run(guest->guest.house, 1);
	if (guest->deaf)
		return;
	guest_read(&guest->guest);
	if (guest->guest.in.len > 0)
		nghttp2_session_mem_recv(guest->session, (const uint8_t *)guest->guest.in.bytes, guest->guest.in.len);
	text_clear(&guest->guest.in);
	h2_guest_send(guest);
}

/* The house's listener takes the preface from now on. options may be NULL. */
static inline void
h2_guest_open_with(struct house *house, struct h2_guest *guest, const nghttp2_settings_entry *settings, size_t count)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *options;

	memset(guest, 0, sizeof(*guest));
	house->listener.h2c = true;
	guest_open(house, &guest->guest);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_guest_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_guest_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, h2_guest_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, h2_guest_stream_close);
	nghttp2_option_new(&options);
	nghttp2_option_set_peer_max_concurrent_streams(options, 100000);
	assert_int_equal(nghttp2_session_client_new2(&guest->session, callbacks, guest, options), 0);
	nghttp2_option_del(options);
	nghttp2_session_callbacks_del(callbacks);
	assert_int_equal(nghttp2_submit_settings(guest->session, 0, settings, count), 0);
}

static inline void
h2_guest_open(struct house *house, struct h2_guest *guest)
{
	const nghttp2_settings_entry settings = { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 };

	h2_guest_open_with(house, guest, &settings, 1);
}

static inline void
h2_guest_leave(struct h2_guest *guest)
{
	nghttp2_session_del(guest->session);
	for (unsigned i = 0; i < guest->answer_count; i++) {
		text_fini(&guest->answers[i].head);
		text_fini(&guest->answers[i].trailers);
		text_fini(&guest->answers[i].body);
	}
	guest_leave(&guest->guest);
}

/* -- requests ------------------------------------------------------------------------------------------------------- */

static inline nghttp2_nv
h2_pair(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0 };
}

static inline ssize_t
h2_guest_upload(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *owner)
{
	struct h2_guest *guest = owner;
	size_t count = guest->upload.len < room ? guest->upload.len : room;

	if (count == 0 && guest->upload_stops)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(to, guest->upload.at, count);
	guest->upload = span_skip(guest->upload, count);
	if (guest->upload.len == 0 && !guest->upload_stops)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)count;
}

/* fields: "name", "value", …, NULL; may be NULL. content.at NULL: none. */
static inline struct h2_answer *
h2_guest_ask(struct h2_guest *guest, const char *method, const char *path, const char *const *fields,
    struct span content)
{
	struct h2_answer *answer = &guest->answers[guest->answer_count++];
	nghttp2_nv list[32] = { h2_pair(":method", method), h2_pair(":scheme", "http"), h2_pair(":authority", "a"),
		h2_pair(":path", path) };
	const nghttp2_data_provider provider = { { .ptr = NULL }, h2_guest_upload };
	size_t count = 4;

	assert_true(guest->answer_count < H2_ANSWERS_MAX);
	for (; fields && fields[0]; fields += 2)
		list[count++] = h2_pair(fields[0], fields[1]);
	memset(answer, 0, sizeof(*answer));
	answer->code = H2_STILL_OPEN;
	if (content.at)
		guest->upload = content;
	answer->stream_id = nghttp2_submit_request(guest->session, NULL, list, count, content.at ? &provider : NULL, NULL);
	assert_true(answer->stream_id > 0);
	return answer;
}

static inline struct h2_answer *
h2_guest_get(struct h2_guest *guest, const char *path)
{
	return h2_guest_ask(guest, "GET", path, NULL, span_make(NULL, 0));
}

static inline struct h2_answer *
h2_guest_post(struct h2_guest *guest, const char *path, struct span content)
{
	return h2_guest_ask(guest, "POST", path, NULL, content);
}

/* Bytes as they are, behind all that the session has to say. */
static inline void
h2_guest_raw(struct h2_guest *guest, struct span bytes)
{
	h2_guest_send(guest);
	guest_send(&guest->guest, bytes);
}

static inline void
h2_guest_frame_raw(struct h2_guest *guest, unsigned type, unsigned flags, uint32_t stream_id, struct span payload)
{
	const unsigned char head[9] = { payload.len >> 16 & 0xff, payload.len >> 8 & 0xff, payload.len & 0xff,
		(unsigned char)type, (unsigned char)flags, stream_id >> 24 & 0xff, stream_id >> 16 & 0xff,
		stream_id >> 8 & 0xff, stream_id & 0xff };
	struct text frame = { 0 };

	text_add(&frame, span_make((const char *)head, sizeof(head)));
	if (payload.len > 0)
		text_add(&frame, payload);
	h2_guest_raw(guest, text_span(&frame));
	text_fini(&frame);
}

/* -- waiting -------------------------------------------------------------------------------------------------------- */

static inline bool
h2_guest_is_over(const struct h2_guest *guest)
{
	return guest->guest.ended || guest->guest.reset;
}

/* Until the answer's stream is closed. */
static inline void
h2_guest_await(struct h2_guest *guest, const struct h2_answer *answer)
{
	uint64_t until_ms = clock_ms() + PATIENCE_MS;

	while (answer->code == H2_STILL_OPEN && !h2_guest_is_over(guest) && clock_ms() < until_ms)
		h2_guest_turn(guest);
}

static inline void
h2_guest_await_all(struct h2_guest *guest)
{
	for (unsigned i = 0; i < guest->answer_count; i++)
		h2_guest_await(guest, &guest->answers[i]);
}

/* The answer comes whole, and is this one. content NULL: any. */
static inline void
h2_guest_expect(struct h2_guest *guest, const struct h2_answer *answer, unsigned status, const char *content)
{
	h2_guest_await(guest, answer);
	assert_int_equal(answer->status, status);
	assert_true(answer->has_end);
	assert_int_equal(answer->code, NGHTTP2_NO_ERROR);
	if (content)
		assert_string_equal(answer->body.bytes ? answer->body.bytes : "", content);
}

/* The stream is reset with that code. */
static inline void
h2_guest_expect_reset(struct h2_guest *guest, const struct h2_answer *answer, uint32_t code)
{
	h2_guest_await(guest, answer);
	assert_false(answer->has_end);
	assert_int_equal(answer->code, code);
}

/* The connection ends, with that code in a GOAWAY. */
static inline void
h2_guest_expect_goaway(struct h2_guest *guest, uint32_t code)
{
	uint64_t until_ms = clock_ms() + PATIENCE_MS;

	while (!h2_guest_is_over(guest) && clock_ms() < until_ms)
		h2_guest_turn(guest);
	assert_true(h2_guest_is_over(guest));
	assert_true(guest->goaways > 0);
	assert_int_equal(guest->goaway_code, code);
}

static inline void
h2_guest_run(struct h2_guest *guest, uint64_t ms)
{
	uint64_t until_ms = clock_ms() + ms;

	do {
		h2_guest_turn(guest);
	} while (clock_ms() < until_ms);
}

/* The connection still speaks in step. */
static inline void
h2_guest_is_in_step(struct h2_guest *guest)
{
	visit_fn *serve = guest->guest.house->serve;

	guest->guest.house->serve = serve_path;
	h2_guest_expect(guest, h2_guest_get(guest, "/in-step"), 200, "/in-step");
	guest->guest.house->serve = serve;
}

/* "" when there is none. Valid until the next call. */
static inline const char *
h2_answer_field(const struct h2_answer *answer, const char *name)
{
	static char value[256];
	struct span rest = text_span(&answer->head), line;

	while (span_cut(&rest, '\n', &line)) {
		size_t colon = span_find(line, ':');

		if (!span_is(span_first(line, colon), name))
			continue;
		snprintf(value, sizeof(value), "%.*s", (int)(line.len - colon - 2), line.at + colon + 2);
		return value;
	}
	return "";
}

#endif
