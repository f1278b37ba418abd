/* The peers stand in a plain array in the order of the configuration; who waits stands in a list. */
#include "upstream/upstream.h"

#include "base/memory.h"
#include "upstream/health.h"
#include "upstream/world.h"

#include <assert.h>

enum { RETRY_AFTER_MAX = 60 };

/* -- the queue ----------------------------------------------------------------------------------------------------- */

static enum choose_result
upstream_look(struct upstream *upstream)
{
	static const struct tried nobody = { .count = 0 };
	struct balance balance = upstream->balance;
	struct peer *peer;

	balance.kind = BALANCE_LEAST_REQUESTS;	/* leaves no trace in the peers */
	if (upstream->peer_count == 0)
		return upstream_is_resolving(upstream) ? CHOOSE_FULL : CHOOSE_NONE;
	return balance_choose(&balance, upstream->peers, upstream->peer_count, &nobody, 0,
	    loop_now_ms(upstream->world->loop), &peer);
}

/*
 * One turn of those that wait now. Whoever is called may end its request and with it the last reference to the site:
 * the upstream is not touched after the last of them.
 */
static void
queue_pump(struct later *later)
{
	struct upstream *upstream = LIST_OWNER(later, struct upstream, pump);
	size_t left = upstream->queued;

	while (left > 0 && upstream_look(upstream) != CHOOSE_FULL) {
		struct waiter *waiter = LIST_OWNER(list_first(&upstream->queue), struct waiter, node);

		left--;
		upstream_stop_waiting(upstream, waiter);
		waiter->on_turn(waiter);
	}
}

bool
upstream_wait(struct upstream *upstream, struct waiter *waiter)
{
	if (upstream->queued >= upstream->options->queue.size)
		return false;
	list_add_last(&upstream->queue, &waiter->node);
	upstream->queued++;
	return true;
}

void
upstream_stop_waiting(struct upstream *upstream, struct waiter *waiter)
{
	if (!list_holds(&waiter->node))
		return;
	list_remove(&waiter->node);
	upstream->queued--;
}

void
upstream_has_room(struct upstream *upstream)
{
	if (upstream->queued > 0)
		loop_later(upstream->world->loop, &upstream->pump);
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void
resolve_due(void *owner)
{
	struct upstream *upstream = owner;

	for (size_t i = 0; i < upstream->server_count; i++)
		server_resolve(&upstream->servers[i]);
	timer_arm(&upstream->resolve_timer, upstream->options->resolve.interval);
}

static void
upstream_join(struct upstream *upstream)
{
	struct upstream_world *world = upstream->world;
	const struct upstream_timeouts *timeouts = &upstream->options->timeouts;

	list_add_last(&world->upstreams, &upstream->world_node);
	upstream->timeouts.connect = timeout_class_for(world->loop, timeouts->connect);
	upstream->timeouts.response = timeout_class_for(world->loop, timeouts->response);
	upstream->timeouts.idle = timeout_class_for(world->loop, timeouts->idle);
	upstream->queue_timeout = timeout_class_for(world->loop, upstream->options->queue.timeout);
	timer_init(&upstream->resolve_timer, world->loop, resolve_due, upstream);
	timer_init(&upstream->probe_timer, world->loop, health_due, upstream);
	upstream->board_version = board_version(world->board);
}

struct upstream *
upstream_create(const struct upstream_options *options, struct upstream_world *world, struct tls_client *tls)
{
	struct upstream *upstream = memory_zalloc(sizeof(*upstream));
	const struct server_options *servers = options->servers.items;

	upstream->options = options;
	upstream->world = world;
	upstream->tls = tls ? tls_client_ref(tls) : NULL;
	upstream->balance.kind = (enum balance_kind)options->balance;
	upstream->balance.slow_start_ms = options->slow_start;
	upstream->pump.run = queue_pump;
	list_init(&upstream->queue);
	upstream->server_count = options->servers.count;
	upstream->servers = memory_zalloc((upstream->server_count + 1) * sizeof(*upstream->servers));
	if (world != NULL)
		upstream_join(upstream);
	for (size_t i = 0; i < upstream->server_count; i++)
		server_init(&upstream->servers[i], upstream, &servers[i]);
	return upstream;
}

void
upstream_stop(struct upstream *upstream)
{
	if (upstream->world == NULL)
		return;
	timer_disarm(&upstream->resolve_timer);
	timer_disarm(&upstream->probe_timer);
	for (size_t i = 0; i < upstream->server_count; i++)
		server_stop(&upstream->servers[i]);
	for (size_t i = 0; i < upstream->peer_count; i++)
		probe_stop(upstream->peers[i]);
	upstream_has_room(upstream);	/* whoever waits for a first answer to a name will get none */
}

void
upstream_free(struct upstream *upstream)
{
	if (upstream == NULL)
		return;
	assert(upstream->queued == 0);
	if (upstream->world != NULL) {
		upstream_stop(upstream);
		while (upstream->peer_count > 0)
			upstream_remove_peer(upstream, upstream->peer_count - 1);
		timer_fini(&upstream->resolve_timer);
		timer_fini(&upstream->probe_timer);
		loop_later_cancel(&upstream->pump);
		list_remove(&upstream->world_node);
	}
	tls_client_unref(upstream->tls);
	memory_free(upstream->peers);
	memory_free(upstream->servers);
	memory_free(upstream);
}

static void
state_inherit(struct upstream *upstream, const struct upstream *from)
{
	for (size_t i = 0; i < upstream->peer_count; i++) {
		for (size_t j = 0; j < from->peer_count; j++) {
			if (span_equal(upstream->peers[i]->name, from->peers[j]->name))
				peer_inherit(upstream->peers[i], from->peers[j]);
		}
	}
	upstream->budget = from->budget;
}

void
upstream_start(struct upstream *upstream, const struct upstream *predecessor)
{
	bool has_names = false;

	if (predecessor != NULL)
		state_inherit(upstream, predecessor);
	for (size_t i = 0; i < upstream->server_count; i++)
		has_names |= upstream->servers[i].is_name;
	if (has_names)
		timer_arm(&upstream->resolve_timer, upstream->options->resolve.interval);
	if (upstream->options->has_health)
		timer_arm(&upstream->probe_timer, 0);
}

/* -- peers --------------------------------------------------------------------------------------------------------- */

void
upstream_add_peer(struct upstream *upstream, struct peer *peer)
{
	if (upstream->peer_count == upstream->peer_room) {
		upstream->peer_room = upstream->peer_room * 2 + 4;
		upstream->peers = memory_resize(upstream->peers, upstream->peer_room * sizeof(*upstream->peers));
	}
	upstream->peers[upstream->peer_count++] = peer;
}

void
upstream_remove_peer(struct upstream *upstream, size_t index)
{
	struct peer *peer = upstream->peers[index];

	upstream->peer_count--;
	memmove(&upstream->peers[index], &upstream->peers[index + 1],
	    (upstream->peer_count - index) * sizeof(*upstream->peers));
	peer_retire(peer);
}

static void
board_look(struct upstream *upstream)
{
	uint64_t version = board_version(upstream->world->board);

	if (version == upstream->board_version)
		return;
	upstream->board_version = version;
	for (size_t i = 0; i < upstream->peer_count; i++)
		peer_read_board(upstream->peers[i]);
}

enum choose_result
upstream_choose(struct upstream *upstream, const struct tried *tried, uint64_t hash, struct peer **peer_out)
{
	enum choose_result result = CHOOSE_NONE;

	*peer_out = NULL;
	board_look(upstream);
	if (upstream->peer_count > 0)
		result = balance_choose(&upstream->balance, upstream->peers, upstream->peer_count, tried, hash,
		    loop_now_ms(upstream->world->loop), peer_out);
	return result == CHOOSE_NONE && upstream_is_resolving(upstream) ? CHOOSE_FULL : result;
}

bool
upstream_has_other(const struct upstream *upstream, const struct peer *peer)
{
	uint64_t now_ms = loop_now_ms(upstream->world->loop);

	for (size_t i = 0; i < upstream->peer_count; i++) {
		if (upstream->peers[i] != peer && peer_is_available(upstream->peers[i], now_ms))
			return true;
	}
	return false;
}

/* -- when there is none -------------------------------------------------------------------------------------------- */

/* The soonest that anything may change: an ejection ends, or a probe comes. */
unsigned
upstream_retry_after(const struct upstream *upstream)
{
	uint64_t now_ms = loop_now_ms(upstream->world->loop);
	uint64_t soonest_ms = upstream->peer_count > 0 ? UINT64_MAX : upstream->options->resolve.interval;

	for (size_t i = 0; i < upstream->peer_count; i++) {
		const struct peer *peer = upstream->peers[i];
		uint64_t wait_ms = 0;

		if (peer->health == BOARD_DOWN)
			wait_ms = upstream->options->health.interval;
		else if (peer->breaker == BREAKER_OPEN && peer->open_until_ms > now_ms)
			wait_ms = peer->open_until_ms - now_ms;
		if (wait_ms < soonest_ms)
			soonest_ms = wait_ms;
	}
	soonest_ms = (soonest_ms + 999) / 1000;
	return soonest_ms < 1 ? 1 : soonest_ms > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : (unsigned)soonest_ms;
}

const char *
upstream_why_none(const struct upstream *upstream)
{
	size_t down = 0;

	if (upstream->peer_count == 0)
		return "no server's name has an address";
	for (size_t i = 0; i < upstream->peer_count; i++)
		down += upstream->peers[i]->health == BOARD_DOWN;
	if (down == upstream->peer_count)
		return "every server is down";
	return down > 0 ? "every server is down or ejected" : "every server is ejected";
}
