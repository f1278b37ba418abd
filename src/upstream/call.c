/*
 * Which server, how often, and what is answered when nothing helps. The bytes are in call_send.c and call_receive.c.
 */
#include "upstream/call_parts.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>

#define CALL_STATE_BIT(name) (1u << CALL_##name)
static const unsigned may_move[CALL_STATE_COUNT] = {
	[CALL_WAITING]		= CALL_STATE_BIT(WAITING) | CALL_STATE_BIT(CONNECTING) | CALL_STATE_BIT(SENT) |
				  CALL_STATE_BIT(OVER),
	[CALL_CONNECTING]	= CALL_STATE_BIT(WAITING) | CALL_STATE_BIT(CONNECTING) | CALL_STATE_BIT(SENT) |
				  CALL_STATE_BIT(OVER),
	[CALL_SENT]		= CALL_STATE_BIT(WAITING) | CALL_STATE_BIT(CONNECTING) | CALL_STATE_BIT(SENT) |
				  CALL_STATE_BIT(STREAMING) | CALL_STATE_BIT(TUNNEL) | CALL_STATE_BIT(OVER),
	[CALL_STREAMING]	= CALL_STATE_BIT(OVER),
	[CALL_TUNNEL]		= CALL_STATE_BIT(OVER),
};

static void call_try(struct call *call);
static void call_timed_out(void *owner);
static void call_on_turn(struct waiter *waiter);

void
call_move(struct call *call, enum call_state state)
{
	assert(may_move[call->state] & (1u << state));
	call->state = state;
}

/* -- life ----------------------------------------------------------------------------------------------------------- */

static struct call *
call_create(struct upstream_world *world)
{
	struct list_node *node = list_first(&world->free_calls);
	struct call *call;

	if (node != NULL) {
		list_remove(node);
		world->free_call_count--;
		call = LIST_OWNER(node, struct call, waiter.node);
		memset(call, 0, sizeof(*call));
	} else {
		call = memory_zalloc(sizeof(*call));
	}
	call->world = world;
	call->waiter.on_turn = call_on_turn;
	timeout_init(&call->timeout, call_timed_out, call);
	return call;
}

static void
call_recycle(struct later *later)
{
	struct call *call = LIST_OWNER(later, struct call, later);
	struct upstream_world *world = call->world;

	list_remove(&call->waiter.node);
	if (world->free_call_count >= WORLD_FREE_CALLS_MAX) {
		memory_free(call);
		return;
	}
	world->free_call_count++;
	list_add_first(&world->free_calls, &call->waiter.node);
}

static void
peer_drop(struct call *call)
{
	peer_unref(call->peer);
	call->peer = NULL;
}

void
call_drop_socket(struct call *call, bool is_reusable)
{
	struct agent_socket *socket = call->socket;

	call->socket = NULL;
	if (socket == NULL)
		return;
	if (is_reusable)
		agent_socket_give_back(socket, &call->upstream->options->agent);
	else
		agent_socket_close(socket);
}

struct request *
call_end(struct call *call)
{
	struct request *request = call->request;

	upstream_stop_waiting(call->upstream, &call->waiter);
	timeout_disarm(&call->timeout);
	if (call->socket != NULL)
		call_drop_socket(call, false);
	if (call->peer != NULL)
		peer_let_go(call->peer, call->is_trial);
	peer_drop(call);
	text_fini(&call->replay);
	text_fini(&call->out);
	text_fini(&call->partial);
	call->request = NULL;
	call_move(call, CALL_OVER);
	list_add_last(&call->world->over_calls, &call->waiter.node);
	loop_free_later(call->world->loop, &call->later, call_recycle);
	return request;
}

/* -- what the client's side tells ----------------------------------------------------------------------------------- */

static void
call_on_gone(struct request *request)
{
	call_end(request->work);
}

static const struct request_events call_events = {
	.on_body	= call_on_body,
	.on_drained	= call_on_drained,
	.on_gone	= call_on_gone,
};

/* -- the end in failure --------------------------------------------------------------------------------------------- */

static void
call_answer_unavailable(struct call *call, unsigned retry_after, const char *why)
{
	struct request *request = call_end(call);

	fields_set(&request->response.fields, FIELD_RETRY_AFTER,
	    span_text(arena_format(request->arena, "%u", retry_after)));
	response_fail(request, 503, NULL, why);
}

static void
call_answer_failure(struct call *call, unsigned status, const char *why)
{
	struct request *request = call_end(call);

	response_fail(request, status, NULL, why);
}

/* -- trying again --------------------------------------------------------------------------------------------------- */

/* Everything that was sent can be sent once more, and doing so is harmless. */
static bool
call_can_repeat(const struct call *call)
{
	if (call->ever_sent && !call->may_repeat)
		return false;
	return call->body_taken == call->replay.len;
}

/* The socket was closed while it lay free; the server has seen nothing, or nothing that counts. */
static bool
was_stale(const struct call *call, enum retry_cause cause)
{
	return cause == RETRY_RESET && call->is_reused && !call->has_heard && !call->wants_fresh;
}

/* "localhost" may be two addresses and the server listen on one. */
static bool
has_other_address(const struct call *call, enum retry_cause cause)
{
	if (cause != RETRY_CONNECT || call->peer->server == NULL || !call->peer->server->is_name ||
	    call->tried.count == TRIED_MAX)
		return false;
	for (size_t i = 0; i < call->upstream->peer_count; i++) {
		const struct peer *peer = call->upstream->peers[i];

		if (peer->server == call->peer->server && !tried_holds(&call->tried, peer) &&
		    peer_is_available(peer, loop_now_ms(call->world->loop)))
			return true;
	}
	return false;
}

bool
call_may_retry(struct call *call, enum retry_cause cause)
{
	const struct retry_options *retry = &call->upstream->options->retry;

	if (call->request->state >= REQUEST_STARTED || !call_can_repeat(call))
		return false;
	if ((retry->on & cause) == 0 || call->attempts >= retry->attempts)
		return false;
	if (!budget_take(&call->upstream->budget, retry->budget, loop_now_ms(call->world->loop)))
		return false;
	call->attempts++;
	call->request->retries++;
	slot_add(&call->world->slot->totals.retries, 1);
	return true;
}

/* A connect that failed at once, not one that kept the client waiting. */
static bool
call_may_repeat_free(struct call *call, enum retry_cause cause, unsigned status)
{
	if (!call_can_repeat(call))
		return false;
	if (was_stale(call, cause)) {
		call->wants_fresh = true;
		return true;
	}
	return status != 504 && has_other_address(call, cause);
}

static void
try_forget(struct call *call)
{
	call_drop_socket(call, false);
	peer_drop(call);
	text_clear(&call->out);
	text_clear(&call->partial);
	call->out_sent = 0;
	call->searched = 0;
	call->head_sent = false;
	call->send_broken = false;
	call->has_heard = false;
	call->is_trial = false;
}

void
call_retry(struct call *call, unsigned status, const char *why)
{
	call->why = why;
	call->failed_status = status;
	try_forget(call);
	if (!call->body_ended)
		request_want_body(call->request, false);
	if (call->state != CALL_OVER)
		call_try(call);
}

void
call_failed(struct call *call, enum retry_cause cause, unsigned status, const char *why)
{
	if (was_stale(call, cause)) {
		peer_let_go(call->peer, call->is_trial);
	} else {
		slot_add(&call->world->slot->totals.upstream_failures, 1);
		peer_failed(call->peer, call->is_trial, why);
	}
	call->is_trial = false;
	if (call->request->state >= REQUEST_STARTED)
		response_abort(call_end(call), why);
	else if (call_may_repeat_free(call, cause, status) || call_may_retry(call, cause))
		call_retry(call, status, why);
	else
		call_answer_failure(call, status, why);
}

/* -- a try ---------------------------------------------------------------------------------------------------------- */

/* Descriptors have run out, or memory, or ports: that is no fault of the server. */
static bool
is_our_fault(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
}

static void
call_connect_failed(struct call *call, int error)
{
	if (is_our_fault(error))
		call_answer_unavailable(call, 1, strerror(error));
	else
		call_failed(call, RETRY_CONNECT, 502, strerror(error));
}

static void
call_begin(struct call *call, struct peer *peer)
{
	struct request *request = call->request;

	peer_ref(peer);
	call->peer = peer;
	call->is_trial = peer_begin(peer);
	call->try_ms = loop_now_ms(call->world->loop);
	tried_add(&call->tried, peer);
	request->upstream = arena_copy(request->arena, peer->name);
	slot_add(&call->world->slot->totals.upstream_requests, 1);
}

static void
call_wait(struct call *call)
{
	if (!upstream_wait(call->upstream, &call->waiter)) {
		call_answer_unavailable(call, 1, "every socket is in use and the queue is full");
		return;
	}
	call_move(call, CALL_WAITING);
	timeout_arm(&call->timeout, call->upstream->queue_timeout);
}

/* What cannot be repeated is not risked on a kept socket without a look. */
static void
call_dial(struct call *call, struct peer *peer)
{
	const struct agent_limits *limits = &call->upstream->options->agent;
	enum borrow_result result;

	call_begin(call, peer);
	result = agent_borrow(peer->agent, limits, call->wants_fresh, !call->may_repeat, &call_socket_events, call,
	    &call->socket);
	call->is_reused = result == BORROW_REUSED;
	switch (result) {
	case BORROW_REUSED:
	case BORROW_CONNECTED:
		call_move(call, CALL_SENT);
		call_send(call);
		break;
	case BORROW_CONNECTING:
		call_move(call, CALL_CONNECTING);
		call_arm(call);
		break;
	case BORROW_FULL:	/* a fresh one was wanted where another upstream's larger limit counts */
		peer_let_go(peer, call->is_trial);
		call->is_trial = false;
		peer_drop(call);
		call_wait(call);
		break;
	case BORROW_FAILED:
		call_connect_failed(call, errno);
		break;
	}
}

static void
call_try(struct call *call)
{
	struct upstream *upstream = call->upstream;
	struct peer *peer;

	switch (upstream_choose(upstream, &call->tried, call->hash, &peer)) {
	case CHOOSE_PEER:
		call_dial(call, peer);
		break;
	case CHOOSE_FULL:
		call_wait(call);
		break;
	case CHOOSE_NONE:
		if (call->why != NULL)
			call_answer_failure(call, call->failed_status, call->why);
		else
			call_answer_unavailable(call, upstream_retry_after(upstream), upstream_why_none(upstream));
		break;
	}
}

static void
call_on_turn(struct waiter *waiter)
{
	call_try(LIST_OWNER(waiter, struct call, waiter));
}

/* -- time ----------------------------------------------------------------------------------------------------------- */

static struct timeout_class *
class_now(const struct call *call)
{
	bool is_sending = call->out.len > call->out_sent;

	switch (call->state) {
	case CALL_CONNECTING:
		return call->timeouts->connect;
	case CALL_SENT:
		if (is_sending)
			return call->timeouts->idle;
		return call_is_sent(call) || call->send_broken ? call->timeouts->response : NULL;
	case CALL_STREAMING:
		return call->is_paused && !is_sending ? NULL : call->timeouts->idle;
	case CALL_TUNNEL:
		return call->timeouts->idle;
	case CALL_WAITING:
	case CALL_OVER:
	case CALL_STATE_COUNT:
		break;
	}
	return NULL;
}

void
call_arm(struct call *call)
{
	timeout_arm(&call->timeout, class_now(call));
}

static void
call_timed_out(void *owner)
{
	struct call *call = owner;

	switch (call->state) {
	case CALL_WAITING:
		call_answer_unavailable(call, 1, "no socket became free in time");
		break;
	case CALL_CONNECTING:
		call_failed(call, RETRY_CONNECT, 504, "no connection in time");
		break;
	case CALL_SENT:
		call_failed(call, RETRY_TIMEOUT, 504,
		    call_is_sent(call) ? "no response in time" : "it did not take the request in time");
		break;
	case CALL_STREAMING:
		call_failed(call, 0, 504, "the response stopped in the middle");
		break;
	case CALL_TUNNEL:
		response_abort(call_end(call), "nothing was said in the tunnel for too long");
		break;
	case CALL_OVER:
	case CALL_STATE_COUNT:
		assert(!"a call that is over waits for nothing");
	}
}

/* -- what the socket tells ------------------------------------------------------------------------------------------ */

static void
socket_connected(void *owner, int error)
{
	struct call *call = owner;

	if (error != 0) {
		call_connect_failed(call, error);
		return;
	}
	call_move(call, CALL_SENT);
	call_send(call);
}

static void
socket_readable(void *owner)
{
	call_readable(owner);
}

static void
socket_writable(void *owner)
{
	call_writable(owner);
}

const struct socket_events call_socket_events = {
	.on_connected	= socket_connected,
	.on_readable	= socket_readable,
	.on_writable	= socket_writable,
};

/* -- the beginning -------------------------------------------------------------------------------------------------- */

void
call_start(struct upstream *upstream, struct request *request, const struct call_head *head)
{
	struct call *call = call_create(upstream->world);
	const struct upstream_options *options = upstream->options;

	call->upstream = upstream;
	call->request = request;
	call->timeouts = head->timeouts ? head->timeouts : &upstream->timeouts;
	call->may_repeat = options->retry.non_idempotent || http_method_is_idempotent(request->method);
	call->may_upgrade = head->may_upgrade && request->wants_upgrade;
	call->body_ended = !request->has_body;
	if (upstream->balance.kind == BALANCE_HASH)
		call->hash = hash_span(0, template_fill(&options->hash_key, request));
	request_take(request, &call_events, call);
	call_lay_head(call, head);
	budget_count_request(&upstream->budget, loop_now_ms(call->world->loop));
	if (upstream->queued > 0)
		call_wait(call);
	else
		call_try(call);
}

void
call_timeouts_make(const struct upstream *upstream, const struct upstream_timeouts *override,
    struct call_timeouts *timeouts_out)
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
call_authority(const struct upstream *upstream)
{
	return upstream->servers[0].authority;
}
