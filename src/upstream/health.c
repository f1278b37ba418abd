/*
 * Conclusions from probes, and what the board shows of them. The board's state is the only memory that outlives a
 * prober.
 */
#include "upstream/health.h"

#include "base/log.h"
#include "upstream/probe.h"
#include "upstream/upstream.h"
#include "upstream/upstreams.h"
#include "upstream/world.h"

static const struct span not_probed = SPAN("not probed");

static void
peer_show(struct peer *peer, enum board_state state, struct span reason)
{
	struct upstream_world *world = peer->upstream->world;

	board_set(world->board, peer->key, peer->upstream->options->name, peer->name, state, reason,
	    loop_now_ms(world->loop));
}

static void
change_tell(const struct peer *peer, enum board_state state, struct span reason)
{
	log_emit(state == BOARD_DOWN ? MSG_UPSTREAM_DOWN : MSG_UPSTREAM_UP,
	    (const struct log_field[]){ log_span("upstream", peer->upstream->options->name),
	    log_span("server", peer->name), log_span("reason", reason), { 0 } });
}

static enum board_state
conclude(const struct peer *peer, enum board_state state, bool is_good)
{
	const struct health_options *health = &peer->upstream->options->health;

	if (state == BOARD_UNKNOWN)
		return is_good ? BOARD_UP : BOARD_DOWN;
	if (state == BOARD_UP && peer->bad_probes >= health->fall)
		return BOARD_DOWN;
	if (state == BOARD_DOWN && peer->good_probes >= health->rise)
		return BOARD_UP;
	return state;
}

static void
probed(struct peer *peer, bool is_good, struct span reason)
{
	struct upstream_world *world = peer->upstream->world;
	enum board_state before = board_get(world->board, peer->key), after;

	if (!world_is_prober(world))
		return;	/* another was elected meanwhile, and is the only one to write */
	peer->good_probes = is_good ? peer->good_probes + 1 : 0;
	peer->bad_probes = is_good ? 0 : peer->bad_probes + 1;
	after = conclude(peer, before, is_good);
	peer_show(peer, after, reason);
	if (after != before && !(before == BOARD_UNKNOWN && after == BOARD_UP))
		change_tell(peer, after, reason);
}

void
health_due(void *owner)
{
	struct upstream *upstream = owner;

	timer_arm(&upstream->probe_timer, upstream->options->health.interval);
	if (!world_is_prober(upstream->world))
		return;
	for (size_t i = 0; i < upstream->peer_count; i++) {
		if (upstream->peers[i]->probe == NULL)
			probe_start(upstream->peers[i], probed);
	}
}

/* A row's reason is that of its last probe: rows that are there are only marked. */
static void
upstream_publish(struct upstream *upstream, uint64_t generation)
{
	struct board *board = upstream->world->board;

	for (size_t i = 0; i < upstream->peer_count; i++) {
		struct peer *peer = upstream->peers[i];

		if (upstream->options->has_health && board_mark(board, peer->key, generation))
			continue;
		board_set(board, peer->key, upstream->options->name, peer->name, BOARD_UNKNOWN,
		    upstream->options->has_health ? SPAN_OF("not probed yet") : not_probed, generation);
	}
}

void
health_publish(struct upstream_world *world)
{
	uint64_t generation = loop_now_ms(world->loop);

	for (size_t i = 0; i < upstreams_count_all(world->current); i++)
		upstream_publish(upstreams_at(world->current, i), generation);
	board_sweep(world->board, generation);
}
