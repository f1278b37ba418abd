/* rooms: base loop conf http net codec request downstream store */
/*
 * Any bytes, cut anywhere, as what a client sends to a downstream whose handler does what the path says. What comes
 * back is a sequence of well-formed responses in the order of the requests, each of them whole unless its request was
 * cut off; every request ends once; nothing is left.
 *
 * The first byte holds flags. Of the others 0xff is a cut (the loop turns), 0xfe drains, 0xfd ends the client's side;
 * anything else is sent.
 */
#include "codec/h1_chunked.h"
#include "codec/h1_response.h"
#include "visits.h"

enum { FLAG_PROXY = 1, FLAG_SMALL = 2, FLAG_DEAF = 4, FLAG_BYTES = 8, FLAG_GONE = 16 };

/* -- the client ---------------------------------------------------------------------------------------------------- */

static void
say(struct span bytes, unsigned flags)
{
	while (bytes.len > 0) {
		ssize_t count = send(client, bytes.at, flags & FLAG_BYTES ? 1 : bytes.len, MSG_NOSIGNAL);

		if (count < 0 && errno == EAGAIN) {
			hear();	/* or both would wait for ever */
			turn();
			if (heard.len == 0 || visit_count > VISITS_MAX - 2)
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
tell_story(struct downstream *downstream, struct span story, unsigned flags)
{
	while (story.len > 0) {
		size_t length = 0;

		while (length < story.len && (uint8_t)story.at[length] < 0xfd)
			length++;
		say(span_first(story, length), flags);
		story = span_skip(story, length);
		if (story.len == 0)
			break;
		if ((uint8_t)story.at[0] == 0xfd)
			shutdown(client, SHUT_WR);
		if ((uint8_t)story.at[0] == 0xfe)
			downstream_drain(downstream, 10000);
		story = span_skip(story, 1);
		turn();
		if (!(flags & FLAG_DEAF))
			hear();
	}
}

/* -- what came back ------------------------------------------------------------------------------------------------ */

enum found { WHOLE, PART, TUNNEL };

static bool
content_skip(const struct h1_response_head *head, struct fields *trailers, struct span *rest_io)
{
	struct h1_chunked chunked;
	enum h1_chunked_result result;
	struct span piece;
	bool is_whole;

	switch (head->body) {
	case H1_BODY_NONE:
		return true;
	case H1_BODY_LENGTH:
		is_whole = rest_io->len >= head->content_length;
		*rest_io = span_skip(*rest_io, head->content_length);
		return is_whole;
	case H1_BODY_UNTIL_CLOSE:
		*rest_io = span_skip(*rest_io, rest_io->len);
		return has_ended;
	case H1_BODY_CHUNKED:
		break;
	}
	h1_chunked_init(&chunked, trailers, 65536);
	while ((result = h1_chunked_read(&chunked, rest_io, &piece)) == H1_CHUNK_DATA)
		;
	check(result != H1_CHUNK_BAD);
	return result == H1_CHUNK_END;
}

/* The answer to that visit at the start of *rest_io; heads of 1xx before it are read over. */
static enum found
answer_check(const struct visit *visit, struct arena *arena, struct span *rest_io, bool *is_last_out)
{
	const struct h1_limits limits = { 1 << 20, 200, 8192 };
	struct h1_response_head head;
	struct fields fields, trailers;
	enum h1_result result;
	uint64_t number;
	size_t used;

	do {
		fields_init(&fields, arena, NULL, 0);
		fields_init(&trailers, arena, NULL, 0);
		result = h1_response_parse(*rest_io, visit->method, &limits, &fields, &head, &used);
		check(result != H1_BAD);
		if (result == H1_AGAIN)
			return PART;
		*rest_io = span_skip(*rest_io, used);
	} while (head.status < 200 && head.status != 101);
	check(span_to_number(fields_find_named(&fields, SPAN_OF("X-N"))->value, VISITS_MAX, &number));
	check(number == (uint64_t)(visit - visits));
	*is_last_out = !head.keep_alive;
	if (head.status == 101)
		return TUNNEL;
	return content_skip(&head, &trailers, rest_io) ? WHOLE : PART;
}

static void
answers_check(void)
{
	struct span rest = text_span(&heard);
	struct arena arena;
	bool is_last = false;
	enum found found = WHOLE;
	unsigned answered = 0;

	arena_init(&arena, 4096);
	while (found == WHOLE && rest.len > 0) {
		check(!is_last && answered < visit_count);
		found = answer_check(&visits[answered], &arena, &rest, &is_last);
		answered += found == WHOLE;
	}
	check(found != PART || visits[answered].end_state == REQUEST_ABORTED);
	for (unsigned i = answered; i < visit_count && found != TUNNEL; i++)
		check(visits[i].end_state == REQUEST_ABORTED);
	arena_fini(&arena);
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
		.header_timeout = 60000, .body_timeout = 60000, .send_timeout = 60000, .keepalive_timeout = 60000 };
	struct network trusted;
	struct networks networks = { &trusted, 1 };
	const struct downstream_settings settings = { &limits, &networks };
	struct downstream_listener listener = { .port = 80, .http1 = true };
	struct downstream *downstream;
	unsigned flags = size > 0 ? bytes[0] : 0;

	if (size < 2 || size > 4096)
		return 0;
	prepare();
	memset(&slot, 0, sizeof(slot));
	visit_count = empty_said = 0;
	has_ended = false;
	network_parse(SPAN_OF("10.0.0.0/8"), &trusted);
	listener.proxy_protocol = flags & FLAG_PROXY;
	downstream = downstream_create(loop, &downstream_events, NULL, &slot);
	downstream_configure(downstream, &settings);
	connect_client(downstream, flags, &listener);
	tell_story(downstream, span_make((const char *)bytes + 1, size - 1), flags);
	if (!(flags & FLAG_GONE)) {
		rest();
		shutdown(client, SHUT_WR);
		rest();
	}
	close(client);
	rest();
	downstream_free(downstream);
	life_check();
	if (!(flags & FLAG_GONE))
		answers_check();
	text_fini(&heard);
	return 0;
}
