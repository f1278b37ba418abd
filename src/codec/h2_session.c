/*
 * Options are made once a process, settings for each session.
 */
#include "codec/h2_session.h"

#include "base/count.h"
#include "codec/h2_memory.h"

#include <assert.h>

enum {
	FRAME_HEAD = 9,
	SETTING_SIZE = 6,
	HEAD_OUT_MAX = 1 << 20,
	FIRST_UNKNOWN_TYPE = 0x0a,
	LAST_TYPE = 0xff,
	OURS_IS_STRICTER = 1 << 20,	/* what nghttp2 is told of bounds that its owner keeps */
};

/* Security fixes that distributions have carried back: newer than the version that nghttp2 says it is. */
extern void nghttp2_option_set_stream_reset_rate_limit(nghttp2_option *option, uint64_t burst, uint64_t rate)
    __attribute__((weak));
extern void nghttp2_option_set_max_continuations(nghttp2_option *option, size_t count) __attribute__((weak));

/* -- set-up -------------------------------------------------------------------------------------------------------- */

static nghttp2_option *
options_make(void)
{
	nghttp2_option *options;

	if (nghttp2_option_new(&options) != 0)
		assert(!"nghttp2 allocates its options with malloc");
	nghttp2_option_set_no_auto_window_update(options, 1);
	nghttp2_option_set_no_http_messaging(options, 1);	/* h2_head.c judges, and more strictly */
	nghttp2_option_set_no_closed_streams(options, 1);
	nghttp2_option_set_max_send_header_block_length(options, HEAD_OUT_MAX);
	nghttp2_option_set_builtin_recv_extension_type(options, NGHTTP2_PRIORITY_UPDATE);
	/* Frames of other types mean nothing, but they are to be counted: so they must be told of. */
	for (unsigned type = FIRST_UNKNOWN_TYPE; type <= LAST_TYPE; type++) {
		if (type != NGHTTP2_PRIORITY_UPDATE)
			nghttp2_option_set_user_recv_extension_type(options, (uint8_t)type);
	}
	/*
	 * Resets and CONTINUATION are counted by the owner (h2_budget.h), who says what it is about. nghttp2 would count
	 * every read that brings some bytes of a CONTINUATION's head, and so end clients whose bytes come one by one.
	 */
	if (nghttp2_option_set_max_continuations)
		nghttp2_option_set_max_continuations(options, OURS_IS_STRICTER);
	if (nghttp2_option_set_stream_reset_rate_limit)
		nghttp2_option_set_stream_reset_rate_limit(options, OURS_IS_STRICTER, OURS_IS_STRICTER);
	return options;
}

/* Before anything is received: else the acknowledgement of the client's would go out first. */
static void
settings_submit(nghttp2_session *session, const struct h2_session_limits *limits)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, INT32_MAX },	/* overwritten as it leaves */
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_size },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, COUNT(settings)) != 0)
		assert(!"settings that nghttp2 does not take");
	nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, (int32_t)limits->window);
}

nghttp2_session *
h2_session_create(const nghttp2_session_callbacks *callbacks, void *owner, const struct h2_session_limits *limits)
{
	static nghttp2_option *options;
	nghttp2_session *session;

	if (options == NULL)
		options = options_make();
	if (nghttp2_session_server_new3(&session, callbacks, owner, options, h2_memory()) != 0)
		assert(!"nghttp2 makes sessions as long as there is memory");
	settings_submit(session, limits);
	return session;
}

void
h2_session_free(nghttp2_session *session)
{
	nghttp2_session_del(session);
}

/* -- the preface --------------------------------------------------------------------------------------------------- */

static void
put_be32(char *to, uint32_t number)
{
	const unsigned char bytes[] = { number >> 24 & 0xff, number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff };

	memcpy(to, bytes, sizeof(bytes));
}

/* The frame is SETTINGS, complete. */
static void
setting_overwrite(char *frame, size_t size, int32_t id, uint32_t value)
{
	for (size_t at = FRAME_HEAD; at + SETTING_SIZE <= size; at += SETTING_SIZE) {
		if (frame[at] == 0 && frame[at + 1] == (char)id)
			put_be32(frame + at + 2, value);
	}
}

size_t
h2_session_hello(nghttp2_session *session, uint32_t max_streams, char to[H2_HELLO_MAX])
{
	const uint8_t *bytes;
	ssize_t count = nghttp2_session_mem_send(session, &bytes);

	assert(count > FRAME_HEAD && count <= H2_HELLO_MAX && bytes[3] == NGHTTP2_SETTINGS);
	memcpy(to, bytes, (size_t)count);
	setting_overwrite(to, (size_t)count, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams);
	return (size_t)count;
}
