/*
 * One request and its response on a connection: made from a recycled struct, ended once, released when nobody on the
 * stack can still hold it.
 */
#include "downstream/h1.h"

#include "base/memory.h"
#include "request/response.h"
#include "store/slots.h"

/* Under AddressSanitizer none is kept for the next request, so that it sees who touches one that is over. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_NO_EXCHANGE 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define KEEPS_NO_EXCHANGE 1
#endif

#ifdef KEEPS_NO_EXCHANGE
enum { EXCHANGE_ARENA_BLOCK = 4096, FREE_EXCHANGES_MAX = 0 };
#else
enum { EXCHANGE_ARENA_BLOCK = 4096, FREE_EXCHANGES_MAX = 256 };
#endif

static void
send_timed_out(void *owner)
{
	struct exchange *exchange = owner;

	slot_add(&exchange->conn->downstream->slot->totals.timeouts, 1);
	exchange_gone(exchange, "the client did not read in time");
}

static struct exchange *
exchange_take(struct downstream *downstream)
{
	struct exchange *exchange = downstream->free_exchanges;

	if (exchange) {
		downstream->free_exchanges = exchange->next_free;
		downstream->free_count--;
		return exchange;
	}
	exchange = memory_zalloc(sizeof(*exchange));
	arena_init(&exchange->arena, EXCHANGE_ARENA_BLOCK);
	return exchange;
}

struct exchange *
exchange_create(struct conn *conn)
{
	struct exchange *exchange = exchange_take(conn->downstream);

	request_init(&exchange->request, &h1_transport, &exchange->arena, &conn->client);
	memset(&exchange->conn, 0, sizeof(*exchange) - offsetof(struct exchange, conn));
	exchange->conn = conn;
	exchange->request.started_ms = loop_now_ms(conn->downstream->loop);
	out_init(&exchange->out);
	timeout_init(&exchange->send_timeout, send_timed_out, exchange);
	return exchange;
}

void
exchange_begin(struct exchange *exchange)
{
	struct conn *conn = exchange->conn;

	conn->exchange = exchange;
	conn_move(conn, CONN_REQUEST);
	timeout_disarm(&conn->timeout);
	downstream_count_begin(conn->downstream);
}

void
exchange_release(struct exchange *exchange)
{
	struct downstream *downstream = exchange->conn->downstream;

	if (exchange->ended) {
		downstream_count_end(downstream, &exchange->request);
		if (exchange->request.guide && exchange->request.guide->on_end)
			exchange->request.guide->on_end(&exchange->request);
	}
	timeout_disarm(&exchange->send_timeout);
	out_fini(&exchange->out);
	if (downstream->free_count + 1 > FREE_EXCHANGES_MAX) {
		arena_fini(&exchange->arena);
		memory_free(exchange);
		return;
	}
	arena_reset(&exchange->arena);
	exchange->next_free = downstream->free_exchanges;
	downstream->free_exchanges = exchange;
	downstream->free_count++;
}

void
h1_exchanges_free(struct downstream *downstream)
{
	struct exchange *exchange;

	while ((exchange = downstream->free_exchanges) != NULL) {
		downstream->free_exchanges = exchange->next_free;
		arena_fini(&exchange->arena);
		memory_free(exchange);
	}
}

void
exchange_end(struct exchange *exchange)
{
	if (exchange->ended)
		return;
	exchange->ended = true;
	timeout_disarm(&exchange->send_timeout);
	conn_go_on(exchange->conn);
}

void
exchange_complete(struct exchange *exchange)
{
	if (!exchange->finished || exchange->ended)
		return;
	if (out_is_empty(&exchange->out) && (exchange->body_done || exchange->close_after))
		exchange_end(exchange);
	else
		conn_go_on(exchange->conn);	/* past the rest of the content: its sender may read only then */
}

bool
exchange_is_cut(const struct exchange *exchange)
{
	return exchange->broken || (exchange->request.state == REQUEST_ABORTED && exchange->until_close);
}

/* The handler lets go: from now on nobody above hears of this request but on_end. */
static void
handler_leaves(struct exchange *exchange)
{
	struct request *request = &exchange->request;
	const struct request_events *events = request->events;

	request->events = NULL;
	if (events && request->state < REQUEST_FINISHED)
		events->on_gone(request);
}

void
exchange_gone(struct exchange *exchange, const char *why)
{
	if (exchange->ended)
		return;
	handler_leaves(exchange);
	if (exchange->request.state != REQUEST_FINISHED || !out_is_empty(&exchange->out)) {
		exchange->request.state = REQUEST_ABORTED;
		if (exchange->request.why == NULL)
			exchange->request.why = why;
	}
	exchange->broken = true;
	exchange_end(exchange);
}

void
exchange_fail(struct exchange *exchange, unsigned status, const char *why)
{
	struct downstream *downstream = exchange->conn->downstream;

	exchange->close_after = true;
	exchange->desynced = true;
	if (exchange->finished) {
		exchange_complete(exchange);	/* what waits for the client still goes out */
		return;
	}
	if (exchange->request.state >= REQUEST_STARTED) {
		exchange_gone(exchange, why);
		return;
	}
	handler_leaves(exchange);
	if (exchange->request.guide)
		response_fail(&exchange->request, status, NULL, why);
	else
		downstream->events->on_refused(downstream->owner, &exchange->request, status, why);
}
