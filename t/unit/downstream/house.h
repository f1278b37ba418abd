/*
 * house: a downstream on a real loop and real loopback sockets, the handler that a test scripts behind it, and guests,
 * who are clients under the test's control. Closing the house checks what must hold after any story: every request
 * ended once, nobody heard of it afterwards, and the counters add up.
 */
#ifndef REEVE_T_UNIT_DOWNSTREAM_HOUSE_H
#define REEVE_T_UNIT_DOWNSTREAM_HOUSE_H

#include "base/clock.h"
#include "base/memory.h"
#include "codec/h1_chunked.h"
#include "codec/h1_response.h"
#include "downstream/downstream.h"
#include "request/client.h"
#include "request/response.h"
#include "store/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { VISITS_MAX = 512, PATIENCE_MS = 5000 };

struct house;
struct visit;

typedef void visit_fn(struct visit *visit);

/* One request as its handler sees it. */
struct visit {
	struct house		*house;
	struct request		*request;	/* NULL when it is over */
	char			 path[64];
	visit_fn		*on_piece;	/* after each piece of content */
	visit_fn		*on_last;	/* after the final one */
	visit_fn		*on_drained;
	visit_fn		*on_time;	/* after visit_wait() */
	struct timer		 timer;
	struct text		 body;
	unsigned		 pieces;
	unsigned		 lasts;
	unsigned		 drained;
	unsigned		 gone;
	unsigned		 ended;
	enum request_state	 end_state;
	uint64_t		 left;		/* the script's own */
};

struct house {
	struct loop			*loop;
	struct downstream		*downstream;
	struct slot			*slot;		/* one of slots: shared memory, aligned as it wants to be */
	struct slots			*slots;		/* owned */
	struct limits			 limits;
	struct network			 trusted_items[4];
	struct networks			 trusted;
	struct downstream_listener	 listener;
	visit_fn			*serve;		/* the handler: the test's */
	struct visit			*visits[VISITS_MAX];
	unsigned			 visit_count;
	unsigned			 refused;
	unsigned			 refused_status;
	unsigned			 full;		/* times on_full said so */
	unsigned			 room;
	unsigned			 empty;
	struct timer			 timer;
	int				 door;
	struct sockaddr_in		 door_address;
	int				 buffer;	/* of sockets in the kernel, each way; 0: the system's choice */
};

struct guest {
	struct house	*house;
	int		 fd;
	struct text	 in;	/* what came and was not taken as an answer */
	bool		 ended;
	bool		 reset;

	/* The last answer taken. */
	unsigned	status;
	struct arena	arena;
	struct fields	fields;
	struct fields	trailers;
	struct text	body;
	bool		keep_alive;
};

/* -- the handler's side -------------------------------------------------------------------------------------------- */

static inline struct visit *
visit_of(struct request *request)
{
	struct visit *visit;

	memcpy(&visit, &request->site, sizeof(visit));
	return visit;
}

static inline void
visit_on_body(struct request *request, struct span piece, bool last)
{
	struct visit *visit = visit_of(request);

	assert_true(visit->gone == 0 && visit->ended == 0 && visit->lasts == 0);
	text_add(&visit->body, piece);
	visit->pieces++;
	visit->lasts += last;
	if (visit->on_piece)
		visit->on_piece(visit);
	if (last && visit->on_last && visit->request)
		visit->on_last(visit);
}

static inline void
visit_on_drained(struct request *request)
{
	struct visit *visit = visit_of(request);

	assert_true(visit->gone == 0 && visit->ended == 0);
	visit->drained++;
	if (visit->on_drained)
		visit->on_drained(visit);
}

static inline void
visit_on_gone(struct request *request)
{
	struct visit *visit = visit_of(request);

	assert_true(visit->gone == 0 && visit->ended == 0);
	assert_true(request->state < REQUEST_FINISHED);
	visit->gone++;
	timer_fini(&visit->timer);
}

static const struct request_events visit_events = { visit_on_body, visit_on_drained, visit_on_gone };

static inline void
visit_on_end(struct request *request)
{
	struct visit *visit = visit_of(request);

	assert_int_equal(visit->ended, 0);
	visit->ended++;
	visit->end_state = request->state;
	visit->request = NULL;
	timer_fini(&visit->timer);
}

static inline struct span
visit_error_content(struct request *request, unsigned status, const char *detail)
{
	return span_text(arena_format(request->arena, "error %u", status));
}

static const struct request_guide visit_guide = { .error_content = visit_error_content, .on_end = visit_on_end };

static inline void
visit_due(void *owner)
{
	struct visit *visit = owner;

	visit->on_time(visit);
}

/* then() in so many ms, unless the request is over by then. */
static inline void
visit_wait(struct visit *visit, uint64_t ms, visit_fn *then)
{
	visit->on_time = then;
	timer_arm(&visit->timer, ms);
}

static inline void
visit_answer(struct visit *visit, unsigned status, const char *content)
{
	response_send(visit->request, status, SPAN_OF("text/plain"), span_text(content));
}

/* Head of a response with its length, or chunked when it is negative. */
static inline void
visit_start(struct visit *visit, unsigned status, int64_t length)
{
	struct response *response = &visit->request->response;

	response->status = status;
	response->has_length = length >= 0;
	response->content_length = length >= 0 ? (uint64_t)length : 0;
	response_start(visit->request);
}

static inline bool
visit_write(struct visit *visit, struct span content)
{
	struct iovec piece = { .iov_len = content.len };

	memcpy(&piece.iov_base, &content.at, sizeof(piece.iov_base));
	return response_write(visit->request, &piece, 1);
}

static inline bool
visit_write_text(struct visit *visit, const char *content)
{
	return visit_write(visit, span_text(content));
}

static inline void
visit_finish(struct visit *visit)
{
	response_finish(visit->request, NULL);
}

static inline void
visit_answer_path(struct visit *visit)
{
	visit_answer(visit, 200, visit->path);
}

static inline void
visit_echo(struct visit *visit)
{
	response_send(visit->request, 200, SPAN_OF("text/plain"), text_span(&visit->body));
}

/* Serves: the whole content back. */
static inline void
serve_echo(struct visit *visit)
{
	visit->on_last = visit_echo;
	request_want_body(visit->request, true);
}

/* Serves: the path, at once. */
static inline void
serve_path(struct visit *visit)
{
	visit_answer_path(visit);
}

/* Serves: the path, 20 ms later. */
static inline void
serve_late(struct visit *visit)
{
	visit_wait(visit, 20, visit_answer_path);
}

/* -- the house ----------------------------------------------------------------------------------------------------- */

static inline void
house_request(void *owner, struct request *request)
{
	struct house *house = owner;
	struct visit *visit = memory_zalloc(sizeof(*visit));

	assert_true(house->visit_count < VISITS_MAX);
	house->visits[house->visit_count++] = visit;
	visit->house = house;
	visit->request = request;
	snprintf(visit->path, sizeof(visit->path), "%.*s", (int)request->path.len, request->path.at);
	timer_init(&visit->timer, house->loop, visit_due, visit);
	request->site = visit;
	request->guide = &visit_guide;
	request_take(request, &visit_events, NULL);
	house->serve(visit);
}

static inline void
house_refused(void *owner, struct request *request, unsigned status, const char *why)
{
	struct house *house = owner;

	assert_non_null(why);
	house->refused++;
	house->refused_status = status;
	response_send(request, status, SPAN_OF("text/plain"), span_text(why));
}

static inline void
house_full(void *owner, bool full)
{
	struct house *house = owner;

	assert_int_equal(house->full - house->room, full ? 0 : 1);
	if (full)
		house->full++;
	else
		house->room++;
}

static inline void
house_empty(void *owner)
{
	struct house *house = owner;

	house->empty++;
	assert_int_equal(downstream_connections(house->downstream), 0);
}

static const struct downstream_events house_events = { house_request, house_refused, house_full, house_empty };

static inline void
house_stop(void *owner)
{
	struct house *house = owner;

	loop_stop(house->loop);
}

/* Lets the loop turn for so long. Returns how many turns that took: more than a few are a spin. */
static inline unsigned
house_run(struct house *house, uint64_t ms)
{
	uint64_t before = loop_turns(house->loop);

	timer_arm(&house->timer, ms);
	loop_run(house->loop);
	return (unsigned)(loop_turns(house->loop) - before);
}

static inline void
house_configure(struct house *house)
{
	const struct downstream_settings settings = { &house->limits, &house->trusted };

	downstream_configure(house->downstream, &settings);
}

static inline void
house_trust(struct house *house, const char *cidr)
{
	assert_true(network_parse(span_text(cidr), &house->trusted_items[house->trusted.count++]));
	house_configure(house);
}

static inline void
house_open(struct house *house, visit_fn *serve)
{
	socklen_t size = sizeof(house->door_address);

	field_names_init();
	signal(SIGPIPE, SIG_IGN);
	memset(house, 0, sizeof(*house));
	house->serve = serve;
	house->loop = loop_create(NULL);
	assert_non_null(house->loop);
	house->limits = (struct limits){ .connections = 1000, .header_size = 32768, .header_count = 128,
		.uri_size = 8192, .header_timeout = 10000, .body_timeout = 10000, .send_timeout = 10000,
		.keepalive_timeout = 10000, .http2 = { 100, 1 << 20, 100 } };
	house->trusted.items = house->trusted_items;
	house->listener.port = 80;
	house->listener.http1 = true;
	house->slots = slots_create(NULL);
	house->slot = &house->slots->workers[0];
	house->downstream = downstream_create(house->loop, &house_events, house, house->slot);
	house_configure(house);
	timer_init(&house->timer, house->loop, house_stop, house);
	house->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	house->door_address.sin_family = AF_INET;
	house->door_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(house->door, (struct sockaddr *)&house->door_address, size), 0);
	assert_int_equal(listen(house->door, 64), 0);
	assert_int_equal(getsockname(house->door, (struct sockaddr *)&house->door_address, &size), 0);
}

static inline void
visit_check(struct visit *visit)
{
	assert_int_equal(visit->ended, 1);
	assert_true(visit->lasts <= 1);
	assert_true(visit->gone == 0 || visit->end_state == REQUEST_ABORTED || visit->end_state == REQUEST_FINISHED);
	text_fini(&visit->body);
	memory_free(visit);
}

static inline void
house_close(struct house *house)
{
	const struct slot_totals *totals = &house->slot->totals;

	downstream_free(house->downstream);
	assert_int_equal(totals->connections_accepted, totals->connections_closed);
	assert_int_equal(house->slot->connections, 0);
	assert_int_equal(house->slot->requests_active, 0);
	for (unsigned i = 0; i < house->visit_count; i++)
		visit_check(house->visits[i]);
	assert_true(totals->requests >= house->visit_count);
	timer_fini(&house->timer);
	loop_free(house->loop);
	slots_free(house->slots);
	close(house->door);
}

/* -- guests -------------------------------------------------------------------------------------------------------- */

static inline void
socket_shrink(int fd, int size)
{
	if (size == 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* As if from that address, which nobody checks. */
static inline void
guest_open_from(struct house *house, struct guest *guest, const char *host)
{
	struct address peer;
	int fd;

	*guest = (struct guest){ .house = house, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	arena_init(&guest->arena, 1024);
	socket_shrink(guest->fd, house->buffer);
	socket_shrink(house->door, house->buffer);
	assert_int_equal(connect(guest->fd, (struct sockaddr *)&house->door_address, sizeof(house->door_address)), 0);
	fcntl(guest->fd, F_SETFL, O_NONBLOCK);
	setsockopt(guest->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	fd = accept4(house->door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(address_parse_host(span_text(host), 40000, &peer));
	downstream_accept(house->downstream, fd, &peer, &house->listener);
}

static inline void
guest_open(struct house *house, struct guest *guest)
{
	guest_open_from(house, guest, "192.0.2.1");
}

static inline void
guest_leave(struct guest *guest)
{
	if (guest->fd >= 0)
		close(guest->fd);
	guest->fd = -1;
	text_fini(&guest->in);
	text_fini(&guest->body);
	arena_fini(&guest->arena);
}

/* As a crashed host would: without an end. */
static inline void
guest_reset(struct guest *guest)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(guest->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	guest_leave(guest);
}

/* Reads what is there. */
static inline void
guest_read(struct guest *guest)
{
	char bytes[65536];
	ssize_t count;

	while (!guest->ended && !guest->reset && (count = recv(guest->fd, bytes, sizeof(bytes), 0)) != -1) {
		guest->ended = count == 0;
		text_add(&guest->in, span_make(bytes, (size_t)count));
	}
	if (!guest->ended && errno == ECONNRESET)
		guest->reset = true;
}

/* As much as is taken within `ms`; the count. */
static inline size_t
guest_push(struct guest *guest, struct span bytes, uint64_t ms)
{
	uint64_t until_ms = clock_ms() + ms;
	size_t sent = 0;

	while (sent < bytes.len && clock_ms() < until_ms) {
		ssize_t count = send(guest->fd, bytes.at + sent, bytes.len - sent, MSG_NOSIGNAL);

		if (count < 0 && errno != EAGAIN)
			break;
		sent += count > 0 ? (size_t)count : 0;
		house_run(guest->house, 1);
	}
	return sent;
}

/* All of it, while the loop turns. False: the connection does not take it (any more). */
static inline bool
guest_send(struct guest *guest, struct span bytes)
{
	ssize_t at_once = send(guest->fd, bytes.at, bytes.len, MSG_NOSIGNAL);

	bytes = span_skip(bytes, at_once > 0 ? (size_t)at_once : 0);
	return guest_push(guest, bytes, PATIENCE_MS) == bytes.len;
}

static inline void
guest_say(struct guest *guest, const char *text)
{
	assert_true(guest_send(guest, span_text(text)));
}

static inline void
guest_get(struct guest *guest, const char *target)
{
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
	guest_say(guest, text);
}

/* Whether the content is complete; *used_out: its bytes on the wire. */
static inline bool
content_take(struct guest *guest, const struct h1_response_head *head, struct span rest, size_t *used_out)
{
	struct h1_chunked chunked;
	enum h1_chunked_result result;
	struct span piece, all = rest;

	switch (head->body) {
	case H1_BODY_NONE:
		*used_out = 0;
		return true;
	case H1_BODY_LENGTH:
		*used_out = head->content_length;
		text_add(&guest->body, span_first(rest, head->content_length));
		return rest.len >= head->content_length;
	case H1_BODY_UNTIL_CLOSE:
		*used_out = rest.len;
		text_add(&guest->body, rest);
		return guest->ended;
	case H1_BODY_CHUNKED:
		break;
	}
	h1_chunked_init(&chunked, &guest->trailers, 65536);
	while ((result = h1_chunked_read(&chunked, &rest, &piece)) == H1_CHUNK_DATA)
		text_add(&guest->body, piece);
	assert_int_not_equal(result, H1_CHUNK_BAD);
	*used_out = all.len - rest.len;
	return result == H1_CHUNK_END;
}

static inline bool
answer_take(struct guest *guest, enum http_method method)
{
	const struct h1_limits limits = { 65536, 200, 8192 };
	struct span bytes = text_span(&guest->in), kept;
	struct h1_response_head head;
	enum h1_result result;
	size_t used, content_used;

	arena_reset(&guest->arena);
	text_clear(&guest->body);
	kept = arena_copy(&guest->arena, bytes);
	fields_init(&guest->fields, &guest->arena, NULL, 0);
	fields_init(&guest->trailers, &guest->arena, NULL, 0);
	result = h1_response_parse(kept, method, &limits, &guest->fields, &head, &used);
	assert_int_not_equal(result, H1_BAD);
	if (result != H1_OK || !content_take(guest, &head, span_skip(kept, used), &content_used))
		return false;
	guest->status = head.status;
	guest->keep_alive = head.keep_alive;
	guest->in.len -= used + content_used;
	memmove(guest->in.bytes, guest->in.bytes + used + content_used, guest->in.len);
	return true;
}

/* Waits for the next answer and takes it. False: none came. */
static inline bool
guest_hear(struct guest *guest, enum http_method method)
{
	uint64_t until_ms = clock_ms() + PATIENCE_MS;

	for (;;) {
		bool over = guest->ended || guest->reset || clock_ms() > until_ms;

		guest_read(guest);
		if (guest->in.len > 0 && answer_take(guest, method))
			return true;
		if (over)
			return false;
		house_run(guest->house, 1);
	}
}

/* The next answer is this one. content NULL: any. */
static inline void
guest_expect(struct guest *guest, unsigned status, const char *content)
{
	assert_true(guest_hear(guest, HTTP_GET));
	assert_int_equal(guest->status, status);
	if (content)
		assert_string_equal(guest->body.bytes ? guest->body.bytes : "", content);
}

/* "" when the answer had none. */
static inline const char *
guest_field(struct guest *guest, const char *name)
{
	const struct field *field = fields_find_named(&guest->fields, span_text(name));

	return field ? arena_text(&guest->arena, field->value) : "";
}

/* Waits until the other side has ended, which it does within `ms`. */
static inline bool
guest_is_ended(struct guest *guest, uint64_t ms)
{
	uint64_t until_ms = clock_ms() + ms;

	for (guest_read(guest); !guest->ended && !guest->reset && clock_ms() < until_ms; guest_read(guest))
		house_run(guest->house, 1);
	return guest->ended || guest->reset;
}

/* Nothing more comes and nothing ends for a while. */
static inline void
guest_is_left_alone(struct guest *guest)
{
	house_run(guest->house, 30);
	guest_read(guest);
	assert_false(guest->ended || guest->reset);
	assert_int_equal(guest->in.len, 0);
}

/* The connection still speaks in step: one more request is answered, and by its own answer. */
static inline void
guest_is_in_step(struct guest *guest)
{
	visit_fn *serve = guest->house->serve;

	guest->house->serve = serve_path;
	guest_get(guest, "/in-step");
	guest_expect(guest, 200, "/in-step");
	guest->house->serve = serve;
}

/* Waits until no connection is left. */
static inline bool
house_is_empty(struct house *house, uint64_t ms)
{
	uint64_t until_ms = clock_ms() + ms;

	while (downstream_connections(house->downstream) > 0 && clock_ms() < until_ms)
		house_run(house, 1);
	return downstream_connections(house->downstream) == 0;
}

#endif
