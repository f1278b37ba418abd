/*
 * Which server, how often, and what is answered when nothing helps, whatever protocol the server speaks.
 */
#include "upstream/relay.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "upstream/relay_parts.h"

#include <assert.h>
#include <errno.h>

enum { RELAY_FREE_TRIES_MAX = 3 };

#define RELAY_STATE_BIT(name) (1u << RELAY_##name)
static const unsigned may_move[RELAY_STATE_COUNT] = {
	[RELAY_WAITING]		= RELAY_STATE_BIT(WAITING) | RELAY_STATE_BIT(CONNECTING) | RELAY_STATE_BIT(SENT) |
				  RELAY_STATE_BIT(OVER),
	[RELAY_CONNECTING]	= RELAY_STATE_BIT(WAITING) | RELAY_STATE_BIT(CONNECTING) | RELAY_STATE_BIT(SENT) |
				  RELAY_STATE_BIT(OVER),
	[RELAY_SENT]		= RELAY_STATE_BIT(WAITING) | RELAY_STATE_BIT(CONNECTING) | RELAY_STATE_BIT(SENT) |
				  RELAY_STATE_BIT(STREAMING) | RELAY_STATE_BIT(TUNNEL) | RELAY_STATE_BIT(OVER),
	[RELAY_STREAMING]	= RELAY_STATE_BIT(OVER),
	[RELAY_TUNNEL]		= RELAY_STATE_BIT(OVER),
};

static void relay_try(struct relay *relay);
static void relay_timed_out(void *owner);
static void relay_on_turn(struct waiter *waiter);

void
relay_move(struct relay *relay, enum relay_state state)
{
	assert(may_move[relay->state] & (1u << state));
	relay->state = state;
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static struct relay *
relay_create(struct upstream_world *world)
{
	struct list_node *node = list_first(&world->free_relays);
	struct relay *relay;

	if (node != NULL) {
		list_remove(node);
		world->free_relay_count--;
		relay = LIST_OWNER(node, struct relay, waiter.node);
		memset(relay, 0, sizeof(*relay));
	} else {
		relay = memory_zalloc(sizeof(*relay));
	}
	relay->world = world;
	relay->waiter.on_turn = relay_on_turn;
	timeout_init(&relay->timeout, relay_timed_out, relay);
	return relay;
}

static void
relay_recycle(struct later *later)
{
	struct relay *relay = LIST_OWNER(later, struct relay, later);
	struct upstream_world *world = relay->world;

	list_remove(&relay->waiter.node);
	if (world->free_relay_count + 1 > WORLD_FREE_RELAYS_MAX) {
		memory_free(relay);
		return;
	}
	world->free_relay_count++;
	list_add_first(&world->free_relays, &relay->waiter.node);
}

static void
peer_drop(struct relay *relay)
{
	peer_unref(relay->peer);
	relay->peer = NULL;
}

struct request *
relay_end(struct relay *relay)
{
	struct request *request = relay->request;

	upstream_stop_waiting(relay->upstream, &relay->waiter);
	timeout_disarm(&relay->timeout);
	relay->wire->let_go(relay, false);
	if (relay->peer != NULL)
		peer_let_go(relay->peer, relay->is_trial);
	peer_drop(relay);
	text_fini(&relay->replay);
	text_fini(&relay->out);
	text_fini(&relay->partial);
	relay->request = NULL;
	relay_move(relay, RELAY_OVER);
	list_add_last(&relay->world->over_relays, &relay->waiter.node);
	loop_free_later(relay->world->loop, &relay->later, relay_recycle);
	return request;
}

/* -- what the client's side tells ---------------------------------------------------------------------------------- */

static void
relay_on_gone(struct request *request)
{
	relay_end(request->work);
}

static void
relay_on_drained(struct request *request)
{
	struct relay *relay = request->work;

	relay->is_paused = false;
	relay->wire->resume(relay);
	relay_arm(relay);
}

static const struct request_events relay_events = {
	.on_body	= relay_on_body,
	.on_drained	= relay_on_drained,
	.on_gone	= relay_on_gone,
};

/* -- the end in failure -------------------------------------------------------------------------------------------- */

static void
relay_answer_unavailable(struct relay *relay, unsigned retry_after, const char *why)
{
	struct request *request = relay_end(relay);

	fields_set(&request->response.fields, FIELD_RETRY_AFTER,
	    span_text(arena_format(request->arena, "%u", retry_after)));
	response_fail(request, 503, NULL, why);
}

static void
relay_answer_failure(struct relay *relay, unsigned status, const char *why)
{
	struct request *request = relay_end(relay);

	response_fail(request, status, NULL, why);
}

/* -- trying again -------------------------------------------------------------------------------------------------- */

/* Everything that was sent can be sent once more, and doing so is harmless. */
static bool
relay_can_repeat(const struct relay *relay)
{
	if (relay->ever_sent && !relay->may_repeat)
		return false;
	return relay->body_taken == relay->replay.len;
}

/* The kept socket was closed before the request reached the server's program: as if it had never left. */
static bool
was_stale(const struct relay *relay, enum retry_cause cause)
{
	return cause == RETRY_RESET && relay->was_unread && relay->is_reused && !relay->has_heard &&
	    !relay->wants_fresh;
}

/* "localhost" may be two addresses and the server listen on one. */
static bool
has_other_address(const struct relay *relay, enum retry_cause cause)
{
	if (cause != RETRY_CONNECT || relay->peer->server == NULL || !relay->peer->server->is_name ||
	    relay->tried.count == TRIED_MAX)
		return false;
	for (size_t i = 0; i < relay->upstream->peer_count; i++) {
		const struct peer *peer = relay->upstream->peers[i];

		if (peer->server == relay->peer->server && !tried_holds(&relay->tried, peer) &&
		    peer_is_available(peer, loop_now_ms(relay->world->loop)))
			return true;
	}
	return false;
}

bool
relay_may_retry(struct relay *relay, enum retry_cause cause)
{
	const struct retry_options *retry = &relay->upstream->options->retry;

	if (relay->request->state >= REQUEST_STARTED || !relay_can_repeat(relay))
		return false;
	if ((retry->on & cause) == 0 || relay->attempts >= retry->attempts)
		return false;
	if (!budget_take(&relay->upstream->budget, retry->budget, loop_now_ms(relay->world->loop)))
		return false;
	relay->attempts++;
	relay->request->retries++;
	slot_add(&relay->world->slot->totals.retries, 1);
	return true;
}

/* A connect that failed at once, not one that kept the client waiting. */
static bool
relay_may_repeat_free(struct relay *relay, enum retry_cause cause, unsigned status)
{
	if (!relay_can_repeat(relay))
		return false;
	if (was_stale(relay, cause)) {
		relay->wants_fresh = true;
		return true;
	}
	return status != 504 && has_other_address(relay, cause);
}

static void
try_forget(struct relay *relay)
{
	relay->wire->let_go(relay, false);
	peer_drop(relay);
	text_clear(&relay->out);
	text_clear(&relay->partial);
	relay->out_sent = 0;
	relay->searched = 0;
	relay->head_sent = false;
	relay->send_broken = false;
	relay->has_heard = false;
	relay->was_unread = false;
	relay->try_sent = 0;
	relay->is_trial = false;
}

void
relay_retry(struct relay *relay, unsigned status, const char *why)
{
	relay->why = why;
	relay->failed_status = status;
	try_forget(relay);
	if (!relay->body_ended)
		request_want_body(relay->request, false);
	if (relay->state != RELAY_OVER)
		relay_try(relay);
}

void
relay_failed(struct relay *relay, enum retry_cause cause, unsigned status, const char *why)
{
	if (was_stale(relay, cause)) {
		peer_let_go(relay->peer, relay->is_trial);
	} else {
		slot_add(&relay->world->slot->totals.upstream_failures, 1);
		peer_failed(relay->peer, relay->is_trial, why);
	}
	relay->is_trial = false;
	if (relay->request->state >= REQUEST_STARTED)
		response_abort(relay_end(relay), why);
	else if (relay_may_repeat_free(relay, cause, status) || relay_may_retry(relay, cause))
		relay_retry(relay, status, why);
	else
		relay_answer_failure(relay, status, why);
}

void
relay_unprocessed(struct relay *relay, const char *why)
{
	if (relay->state != RELAY_SENT || relay->free_tries == RELAY_FREE_TRIES_MAX || !relay_can_repeat(relay)) {
		relay_failed(relay, relay->state == RELAY_SENT ? RETRY_RESET : 0, 502, why);
		return;
	}
	relay->free_tries++;
	peer_let_go(relay->peer, relay->is_trial);
	relay_retry(relay, 502, why);
}

/* -- a try --------------------------------------------------------------------------------------------------------- */

/* Descriptors have run out, or memory, or ports: that is no fault of the server. */
static bool
is_our_fault(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
}

/* The sentence goes with the socket, and the request needs it after that. */
static void
relay_connect_failed(struct relay *relay, int error, const char *why)
{
	why = arena_text(relay->request->arena, span_text(why));
	if (is_our_fault(error))
		relay_answer_unavailable(relay, 1, why);
	else
		relay_failed(relay, RETRY_CONNECT, 502, why);
}

static void
relay_begin(struct relay *relay, struct peer *peer)
{
	struct request *request = relay->request;

	peer_ref(peer);
	relay->peer = peer;
	relay->is_trial = peer_begin(peer);
	relay->try_ms = loop_now_ms(relay->world->loop);
	relay->sent_before = relay->ever_sent;
	tried_add(&relay->tried, peer);
	request->upstream = arena_copy(request->arena, peer->name);
}

static void
relay_wait(struct relay *relay)
{
	if (!upstream_wait(relay->upstream, &relay->waiter)) {
		relay_answer_unavailable(relay, 1, "every socket is in use and the queue is full");
		return;
	}
	relay_move(relay, RELAY_WAITING);
	timeout_arm(&relay->timeout, relay->upstream->queue_timeout);
}

void
relay_connected(struct relay *relay, int error, const char *why)
{
	if (error != 0) {
		relay_connect_failed(relay, error, why);
		return;
	}
	relay_move(relay, RELAY_SENT);
	relay_send(relay);
}

/* It had room a moment ago: a connection too old for another request was the last one. */
static void
relay_stand_back(struct relay *relay)
{
	peer_let_go(relay->peer, relay->is_trial);
	relay->is_trial = false;
	relay->tried.count--;
	peer_drop(relay);
	relay_wait(relay);
}

static void
relay_dial(struct relay *relay, struct peer *peer)
{
	enum borrow_result result;

	relay_begin(relay, peer);
	result = relay->wire->borrow(relay);
	relay->is_reused = result == BORROW_REUSED;
	if (result != BORROW_FULL)
		slot_add(&relay->world->slot->totals.upstream_requests, 1);
	switch (result) {
	case BORROW_REUSED:
	case BORROW_CONNECTED:
		relay_connected(relay, 0, NULL);
		break;
	case BORROW_CONNECTING:
		relay_move(relay, RELAY_CONNECTING);
		relay_arm(relay);
		break;
	case BORROW_FAILED:
		relay_connect_failed(relay, errno, strerror(errno));
		break;
	case BORROW_FULL:
		relay_stand_back(relay);
		break;
	}
}

static void
relay_try(struct relay *relay)
{
	struct upstream *upstream = relay->upstream;
	struct peer *peer;

	switch (upstream_choose(upstream, &relay->tried, relay->hash, &peer)) {
	case CHOOSE_PEER:
		relay_dial(relay, peer);
		break;
	case CHOOSE_FULL:
		relay_wait(relay);
		break;
	case CHOOSE_NONE:
		if (relay->why != NULL)
			relay_answer_failure(relay, relay->failed_status, relay->why);
		else
			relay_answer_unavailable(relay, upstream_retry_after(upstream), upstream_why_none(upstream));
		break;
	}
}

static void
relay_on_turn(struct waiter *waiter)
{
	relay_try(LIST_OWNER(waiter, struct relay, waiter));
}

/* -- time ---------------------------------------------------------------------------------------------------------- */

static struct timeout_class *
class_now(const struct relay *relay)
{
	bool is_sending = relay->wire->is_waiting(relay);

	switch (relay->state) {
	case RELAY_CONNECTING:
		return relay->timeouts->connect;
	case RELAY_SENT:
		if (is_sending)
			return relay->timeouts->idle;
		return relay_is_sent(relay) || relay->send_broken ? relay->timeouts->response : NULL;
	case RELAY_STREAMING:
		return relay->is_paused && !is_sending ? NULL : relay->timeouts->idle;
	case RELAY_TUNNEL:
		return relay->timeouts->idle;
	case RELAY_WAITING:
	case RELAY_OVER:
	case RELAY_STATE_COUNT:
		break;
	}
	return NULL;
}

void
relay_arm(struct relay *relay)
{
	timeout_arm(&relay->timeout, class_now(relay));
}

static void
relay_timed_out(void *owner)
{
	struct relay *relay = owner;

	switch (relay->state) {
	case RELAY_WAITING:
		relay_answer_unavailable(relay, 1, "no socket became free in time");
		break;
	case RELAY_CONNECTING:
		relay_failed(relay, RETRY_CONNECT, 504,
		    relay->wire->is_handshaking(relay) ? "no TLS handshake in time" : "no connection in time");
		break;
	case RELAY_SENT:
		relay_failed(relay, RETRY_TIMEOUT, 504,
		    relay_is_sent(relay) ? "no response in time" : "it did not take the request in time");
		break;
	case RELAY_STREAMING:
		relay_failed(relay, 0, 504, "the response stopped in the middle");
		break;
	case RELAY_TUNNEL:
		response_abort(relay_end(relay), "nothing was said in the tunnel for too long");
		break;
	case RELAY_OVER:
	case RELAY_STATE_COUNT:
		assert(!"a relay that is over waits for nothing");
	}
}

/* -- the beginning ------------------------------------------------------------------------------------------------- */

static void
relay_fit(struct relay *relay, const struct request *request, const struct relay_head *head)
{
	const struct upstream_options *options = relay->upstream->options;

	relay->wire = options->protocol == UPSTREAM_H2 ? &relay_h2 : &relay_h1;
	relay->timeouts = head->timeouts ? head->timeouts : &relay->upstream->timeouts;
	relay->may_repeat = options->retry.non_idempotent || http_method_is_idempotent(request->method);
	relay->may_upgrade = head->may_upgrade && request->wants_upgrade && request->minor == 1;
	relay->target = head->target;
	relay->fields = *head->fields;
	relay->body_ended = !request->has_body;
}

void
relay_start(struct upstream *upstream, struct request *request, const struct relay_head *head)
{
	struct relay *relay = relay_create(upstream->world);

	relay->upstream = upstream;
	relay->request = request;
	relay_fit(relay, request, head);
	if (upstream->balance.kind == BALANCE_HASH)
		relay->hash = hash_span(0, template_fill(&upstream->options->hash_key, request));
	request_take(request, &relay_events, relay);
	budget_count_request(&upstream->budget, loop_now_ms(relay->world->loop));
	if (relay->may_upgrade && relay->wire == &relay_h2)
		relay_answer_failure(relay, 501, "this upstream speaks HTTP/2, which cannot upgrade a connection: "
		    "a route with `websocket: true` needs one with `protocol: http/1.1`");
	else if (upstream->queued > 0)
		relay_wait(relay);
	else
		relay_try(relay);
}

void
relay_timeouts_make(const struct upstream *upstream, const struct upstream_timeouts *override,
    struct relay_timeouts *timeouts_out)
{
	struct loop *loop = upstream->world->loop;

	*timeouts_out = upstream->timeouts;
	if (override->has_connect)
		timeouts_out->connect = timeout_class_for(loop, override->connect);
	if (override->has_response)
		timeouts_out->response = timeout_class_for(loop, override->response);
	if (override->has_idle)
		timeouts_out->idle = timeout_class_for(loop, override->idle);
}

struct span
relay_authority(const struct upstream *upstream)
{
	return upstream->servers[0].authority;
}
