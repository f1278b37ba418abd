/*
 * fake_transport: an exchange without a socket, for tests of what stands above: it keeps what was sent and lets the
 * test play the slow client.
 */
#ifndef REEVE_T_UNIT_FAKE_TRANSPORT_H
#define REEVE_T_UNIT_FAKE_TRANSPORT_H

#include "base/address.h"
#include "base/text.h"
#include "request/client.h"
#include "request/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

struct fake_exchange {
	struct request	request;	/* first: the transport finds us by it */
	struct arena	arena;
	struct client	client;
	struct address	peer;
	struct text	content;	/* all that was sent after the head */
	unsigned	starts;
	unsigned	finishes;
	unsigned	aborts;
	unsigned	files;		/* calls of send_file */
	bool		wants_body;
	bool		is_slow;	/* write and send_file say false: the test calls fake_drain() */
};

static inline struct fake_exchange *
fake_of(struct request *request)
{
	return (struct fake_exchange *)(void *)request;
}

static inline void
fake_want_body(struct request *request, bool want)
{
	fake_of(request)->wants_body = want;
}

static inline void
fake_inform(struct request *request, unsigned status, const struct fields *fields)
{
	(void)request;
	(void)status;
	(void)fields;
}

static inline void
fake_start(struct request *request)
{
	fake_of(request)->starts++;
}

static inline bool
fake_write(struct request *request, const struct iovec *pieces, unsigned count)
{
	struct fake_exchange *fake = fake_of(request);

	for (unsigned i = 0; i < count && !request->response.no_content; i++)
		text_add(&fake->content, span_make(pieces[i].iov_base, pieces[i].iov_len));
	return !fake->is_slow;
}

static inline bool
fake_send_file(struct request *request, int fd, uint64_t offset, uint64_t length)
{
	struct fake_exchange *fake = fake_of(request);
	char *to = text_reserve(&fake->content, length + 1);

	fake->files++;
	assert_int_equal(pread(fd, to, length, (off_t)offset), (ssize_t)length);
	to[length] = '\0';
	fake->content.len += length;
	return !fake->is_slow;
}

static inline void
fake_flush(struct request *request)
{
	(void)request;
}

static inline void
fake_finish(struct request *request, const struct fields *trailers)
{
	(void)trailers;
	fake_of(request)->finishes++;
}

static inline void
fake_finish_with(struct request *request, const struct iovec *pieces, unsigned count)
{
	fake_write(request, pieces, count);
	fake_of(request)->finishes++;
}

static inline void
fake_abort(struct request *request)
{
	fake_of(request)->aborts++;
}

static inline void
fake_upgrade(struct request *request)
{
	(void)request;
}

static const struct transport fake_transport = {
	.name = "HTTP/1.1",
	.want_body = fake_want_body,
	.inform = fake_inform,
	.start = fake_start,
	.write = fake_write,
	.send_file = fake_send_file,
	.flush = fake_flush,
	.finish = fake_finish,
	.finish_with = fake_finish_with,
	.abort = fake_abort,
	.upgrade = fake_upgrade,
};

/* A request from 192.0.2.1 whose head is complete. `target` is a normal path, maybe with a query. */
static inline struct request *
fake_begin(struct fake_exchange *fake, const char *method, const char *target)
{
	struct request *request = &fake->request;
	struct span whole = span_text(target);
	size_t mark = span_find(whole, '?');

	memset(fake, 0, sizeof(*fake));
	arena_init(&fake->arena, 4096);
	assert_true(address_parse_host(SPAN_OF("192.0.2.1"), 40000, &fake->peer));
	fake->client = (struct client){ .peer = &fake->peer, .ip = SPAN("192.0.2.1"), .port = 40000, .local_port = 80 };
	request_init(request, &fake_transport, &fake->arena, &fake->client);
	request->method_name = span_text(method);
	request->method = http_method_of(request->method_name);
	request->target = whole;
	request->path = span_first(whole, mark);
	request->has_query = mark < whole.len;
	request->query = span_skip(whole, mark + 1);
	request->host = request->authority = request->forwarded_host = SPAN_OF("example.com");
	request->scheme = SPAN_OF("http");
	request->client_ip = fake->client.ip;
	request->client_address = fake->peer;
	request->minor = 1;
	return request;
}

static inline void
fake_field(struct fake_exchange *fake, const char *name, const char *value)
{
	fields_add_named(&fake->request.fields, span_text(name), span_text(value));
}

/* The client has read everything. */
static inline void
fake_drain(struct fake_exchange *fake)
{
	fake->request.events->on_drained(&fake->request);
}

/* The value of a response's field; "" when it has none. NUL-terminated, in the exchange's arena. */
static inline const char *
fake_value(struct fake_exchange *fake, const char *name)
{
	const struct field *field = fields_find_named(&fake->request.response.fields, span_text(name));

	return field ? arena_text(&fake->arena, field->value) : "";
}

static inline const char *
fake_content(const struct fake_exchange *fake)
{
	return fake->content.bytes ? fake->content.bytes : "";
}

static inline void
fake_end(struct fake_exchange *fake)
{
	text_fini(&fake->content);
	arena_fini(&fake->arena);
}

#endif
