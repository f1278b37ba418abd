/* rooms: base loop conf http net codec request downstream store */
/*
 * Any frames, cut anywhere, as what a client of HTTP/2 sends to a downstream whose handler does what the path says
 * (visits.h). What comes back is a sequence of whole frames; every request ends once; nothing is left.
 *
 * The first byte holds flags. Then pieces: a byte that says what, and what that needs.
 *	0xff  a cut: the loop turns          0xfe  drain            0xfd  the client ends his side
 *	0xfc  length, bytes as they are      0xfb  letter, stream   a good head for /letter, which ends the stream
 *	0xfa  letter, stream                 a good head that does not; other bytes: a frame's type (modulo 18), with
 *	      flags, stream and length behind it
 */
#include "base/log.h"
#include "visits.h"

enum { FLAG_SMALL = 1, FLAG_DEAF = 2, FLAG_BYTES = 4, FLAG_GONE = 8, FLAG_BARE = 16 };
enum { FRAME_HEAD = 9, FRAME_TYPES = 18, TYPE_HEADERS = 1, TYPE_SETTINGS = 4, END_STREAM = 1, END_HEADERS = 4 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* -- the client ---------------------------------------------------------------------------------------------------- */

static void
say(struct span bytes, unsigned flags)
{
	while (bytes.len > 0) {
		ssize_t count = send(client, bytes.at, flags & FLAG_BYTES ? 1 : bytes.len, MSG_NOSIGNAL);

		if (count < 0 && errno == EAGAIN) {
			size_t before = heard.len;

			hear();	/* or both would wait for ever */
			turn();
			if (heard.len == before && flags & FLAG_DEAF)
				return;
			continue;
		}
		if (count < 0)
			return;
		bytes = span_skip(bytes, (size_t)count);
		if (flags & FLAG_BYTES)
			turn();
	}
}

static void
say_frame(unsigned type, unsigned frame_flags, unsigned stream, struct span payload, unsigned flags)
{
	struct text frame = { 0 };

	text_add_byte(&frame, 0);
	text_add_byte(&frame, (char)(payload.len >> 8));
	text_add_byte(&frame, (char)payload.len);
	text_add_byte(&frame, (char)type);
	text_add_byte(&frame, (char)frame_flags);
	text_add(&frame, SPAN_OF("\0\0\0"));
	text_add_byte(&frame, (char)stream);
	if (payload.len > 0)
		text_add(&frame, payload);
	say(text_span(&frame), flags);
	text_fini(&frame);
}

/* :method, :scheme and :authority by HPACK's static table, as far as it has them. */
static void
say_head(char letter, unsigned stream, bool is_end, unsigned flags)
{
	char block[] = "\x82\x86\x41\1a\x44\2/?";

	block[sizeof(block) - 2] = letter;
	say_frame(TYPE_HEADERS, END_HEADERS | (is_end ? END_STREAM : 0), stream, span_make(block, sizeof(block) - 1), flags);
}

static unsigned
byte_take(struct span *rest_io)
{
	unsigned byte = rest_io->len > 0 ? (uint8_t)rest_io->at[0] : 0;

	*rest_io = span_skip(*rest_io, 1);
	return byte;
}

static struct span
bytes_take(struct span *rest_io)
{
	size_t length = byte_take(rest_io);
	struct span bytes = span_first(*rest_io, length);

	*rest_io = span_skip(*rest_io, length);
	return bytes;
}

static void
tell_piece(struct downstream *downstream, struct span *rest_io, unsigned flags)
{
	unsigned what = byte_take(rest_io), first, second;

	switch (what) {
	case 0xff:
		turn();
		if (!(flags & FLAG_DEAF))
			hear();
		break;
	case 0xfe:
		downstream_drain(downstream, 1);
		break;
	case 0xfd:
		shutdown(client, SHUT_WR);
		break;
	case 0xfc:
		say(bytes_take(rest_io), flags);
		break;
	case 0xfb:
	case 0xfa:
		first = byte_take(rest_io);
		say_head((char)(first | 0x20), byte_take(rest_io), what == 0xfb, flags);
		break;
	default:
		first = byte_take(rest_io);
		second = byte_take(rest_io);
		say_frame(what % FRAME_TYPES, first, second, bytes_take(rest_io), flags);
		break;
	}
}

/* -- what came back ------------------------------------------------------------------------------------------------ */

static void
frames_check(void)
{
	struct span rest = text_span(&heard);
	bool is_first = true;

	while (rest.len >= FRAME_HEAD) {
		const unsigned char *head = (const unsigned char *)rest.at;
		size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

		check(length <= 16384 && head[3] <= 9);
		check(!is_first || (head[3] == TYPE_SETTINGS && head[4] == 0));
		is_first = false;
		rest = span_skip(rest, FRAME_HEAD + length);
	}
}

/* -- one life ------------------------------------------------------------------------------------------------------ */

static void
connect_client(struct downstream *downstream, unsigned flags, const struct downstream_listener *listener)
{
	struct address peer;
	int fds[2], size = 4608;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	if (flags & FLAG_SMALL)
		setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	check(address_parse_host(SPAN_OF("10.0.0.1"), 7, &peer));
	client = fds[0];
	downstream_accept(downstream, fds[1], &peer, listener);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct limits limits = { .connections = 10, .header_size = 2048, .header_count = 16, .uri_size = 256,
		.header_timeout = 60000, .body_timeout = 60000, .send_timeout = 60000, .keepalive_timeout = 60000,
		.http2 = { 8, 65536, 10 } };
	struct networks networks = { 0 };
	const struct downstream_settings settings = { &limits, &networks };
	const struct downstream_listener listener = { .port = 80, .h2c = true };
	struct downstream *downstream;
	unsigned flags = size > 0 ? bytes[0] : 0;
	struct span story = span_make((const char *)bytes + 1, size - 1);

	if (size < 2 || size > 4096)
		return 0;
	prepare();
	memset(&slot, 0, sizeof(slot));
	visit_count = empty_said = 0;
	has_ended = false;
	log_set_level(LOG_SILENT);
	downstream = downstream_create(loop, &downstream_events, NULL, &slot);
	downstream_configure(downstream, &settings);
	connect_client(downstream, flags, &listener);
	say(span_make(preface, sizeof(preface) - 1), flags);
	if (!(flags & FLAG_BARE))
		say_frame(TYPE_SETTINGS, 0, 0, SPAN_OF(""), flags);
	while (story.len > 0 && visit_count < VISITS_MAX - 64)
		tell_piece(downstream, &story, flags);
	if (!(flags & FLAG_GONE)) {
		rest();
		shutdown(client, SHUT_WR);
		rest();
	}
	close(client);
	rest();
	downstream_free(downstream);
	life_check();
	frames_check();
	text_fini(&heard);
	return 0;
}
