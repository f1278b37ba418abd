/* The breaker moves in one function, peer_move(); everything else asks or counts. */
#include "upstream/peer.h"

#include "base/count.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "upstream/health.h"
#include "upstream/upstream.h"
#include "upstream/world.h"

#include <assert.h>

enum { SHARE_UNIT = 256, LOG_EVERY_MS = 1000 };

#define BREAKER_STATE_NAME(name) [BREAKER_##name] = #name,
static const char *const breaker_names[] = { BREAKER_STATES(BREAKER_STATE_NAME) };
#undef BREAKER_STATE_NAME
static_assert(COUNT(breaker_names) == BREAKER_STATE_COUNT, "every state has a name");

/* What may follow what. */
static const bool may_move[BREAKER_STATE_COUNT][BREAKER_STATE_COUNT] = {
	[BREAKER_CLOSED]	= { [BREAKER_OPEN] = true },
	[BREAKER_OPEN]		= { [BREAKER_TRYING] = true, [BREAKER_CLOSED] = true },
	[BREAKER_TRYING]	= { [BREAKER_OPEN] = true, [BREAKER_CLOSED] = true },
};

/* -- life ---------------------------------------------------------------------------------------------------------- */

/* What an earlier configuration had probed is no word on an upstream that is not probed any more. */
static enum board_state
peer_board_state(const struct peer *peer)
{
	return peer->upstream->options->has_health ? board_get(peer->upstream->world->board, peer->key) : BOARD_UNKNOWN;
}

static struct agent *
agent_find(const struct upstream *upstream, const struct server_options *server, const struct agent_address *address)
{
	struct agent_target target = {
		.address = address,
		.limits = &upstream->options->agent,
		.protocol = (enum upstream_protocol)upstream->options->protocol,
	};

	if (server->url.parsed.tls) {
		assert(upstream->tls != NULL);
		target.tls = upstream->tls;
		target.host = server->url.parsed.host;
	}
	return agent_for(upstream->world, &target);
}

struct peer *
peer_create(struct upstream *upstream, struct server *server, const struct agent_address *address)
{
	struct peer *peer = memory_zalloc(sizeof(*peer));
	char name[AGENT_ADDRESS_TEXT_MAX];

	peer->refs = 1;
	peer->number = ++upstream->world->peers_made;
	peer->upstream = upstream;
	peer->server = server;
	peer->agent = agent_find(upstream, server->options, address);
	list_add_last(&peer->agent->peers, &peer->agent_node);
	agent_address_format(address, name);
	peer->name = span_text(memory_copy_text(name));
	peer->hash = hash_span(0, peer->name);
	peer->key = board_key(upstream->options->name, peer->name);
	peer->path = server->options->url.parsed.path;
	peer->weight = (uint32_t)server->options->weight;
	peer->is_backup = server->options->backup;
	peer->health = peer_board_state(peer);
	return peer;
}

void
peer_ref(struct peer *peer)
{
	peer->refs++;
}

static void
peer_free(struct peer *peer)
{
	union { const char *text; void *memory; } name = { .text = peer->name.at };

	probe_stop(peer);
	list_remove(&peer->agent_node);
	agent_unref(peer->agent);
	memory_free(name.memory);
	memory_free(peer);
}

void
peer_unref(struct peer *peer)
{
	if (peer == NULL)
		return;
	assert(peer->refs > 0);
	if (--peer->refs == 0)
		peer_free(peer);
}

void
peer_retire(struct peer *peer)
{
	probe_stop(peer);
	peer->upstream = NULL;
	peer->server = NULL;
	peer_unref(peer);
}

/* -- the breaker --------------------------------------------------------------------------------------------------- */

static void
peer_move(struct peer *peer, enum breaker_state state)
{
	assert(may_move[peer->breaker][state]);
	log_say(MSG_UPSTREAM_BREAKER, log_span("server", peer->name), log_text("from", breaker_names[peer->breaker]),
	    log_text("to", breaker_names[state]));
	peer->breaker = state;
}

static void
peer_window_clear(struct peer *peer)
{
	peer->window_from_ms = 0;
	peer->failures = 0;
	peer->successes = 0;
}

void
peer_inherit(struct peer *peer, const struct peer *from)
{
	peer->health = from->health;
	peer->ramp_from_ms = from->ramp_from_ms;
	peer->breaker = from->breaker == BREAKER_TRYING ? BREAKER_OPEN : from->breaker;
	peer->open_until_ms = from->open_until_ms;
	peer->window_from_ms = from->window_from_ms;
	peer->failures = from->failures;
	peer->successes = from->successes;
	peer->current = from->current;
	peer->good_probes = from->good_probes;
	peer->bad_probes = from->bad_probes;
}

bool
peer_is_available(const struct peer *peer, uint64_t now_ms)
{
	if (peer->health == BOARD_DOWN)
		return false;
	if (peer->breaker == BREAKER_CLOSED)
		return true;
	return peer->breaker == BREAKER_OPEN && now_ms >= peer->open_until_ms;
}

uint64_t
peer_share(const struct peer *peer, uint64_t slow_start_ms, uint64_t now_ms)
{
	uint64_t full = (uint64_t)peer->weight * SHARE_UNIT;
	uint64_t age_ms, share;

	if (peer->ramp_from_ms == 0 || slow_start_ms == 0)
		return full;
	age_ms = now_ms - peer->ramp_from_ms;
	if (age_ms >= slow_start_ms)
		return full;
	share = full * age_ms / slow_start_ms;
	return share > 0 ? share : 1;
}

bool
peer_begin(struct peer *peer)
{
	if (peer->breaker != BREAKER_OPEN)
		return false;
	peer_move(peer, BREAKER_TRYING);
	return true;
}

static void
peer_open(struct peer *peer, const char *why)
{
	const struct eject_options *eject = &peer->upstream->options->eject;

	if (peer->breaker == BREAKER_CLOSED)
		log_say(MSG_UPSTREAM_EJECTED, log_span("upstream", peer->upstream->options->name),
		    log_span("server", peer->name), log_text("reason", why), log_number("for_ms", eject->duration));
	peer->open_until_ms = loop_now_ms(peer->upstream->world->loop) + eject->duration;
	peer_window_clear(peer);
	peer_move(peer, BREAKER_OPEN);
}

static void
peer_close(struct peer *peer)
{
	peer_window_clear(peer);
	peer->ramp_from_ms = loop_now_ms(peer->agent->world->loop);
	peer_move(peer, BREAKER_CLOSED);
	if (peer->upstream != NULL)
		log_say(MSG_UPSTREAM_BACK, log_span("upstream", peer->upstream->options->name),
		    log_span("server", peer->name));
}

void
peer_succeeded(struct peer *peer, bool was_trial)
{
	if (was_trial && peer->breaker == BREAKER_TRYING)
		peer_close(peer);
	else if (peer->window_from_ms != 0)
		peer->successes++;
}

void
peer_let_go(struct peer *peer, bool was_trial)
{
	if (was_trial && peer->breaker == BREAKER_TRYING)
		peer_move(peer, BREAKER_OPEN);
}

/* Failures beyond the first of a second are only counted, so that a dead server under load does not fill the log. */
static void
peer_tell(struct peer *peer, const char *why, uint64_t now_ms)
{
	if (peer->told_ms != 0 && now_ms - peer->told_ms < LOG_EVERY_MS) {
		peer->untold++;
		return;
	}
	log_say(MSG_UPSTREAM_FAILED, log_span("upstream", peer->upstream->options->name),
	    log_span("server", peer->name), log_text("reason", why), log_number("more_before", peer->untold));
	peer->told_ms = now_ms;
	peer->untold = 0;
}

static bool
peer_should_open(struct peer *peer, uint64_t now_ms)
{
	const struct upstream_options *options = peer->upstream->options;

	if (options->eject.failures == 0 || peer->breaker != BREAKER_CLOSED)
		return false;
	if (peer->window_from_ms == 0 || now_ms - peer->window_from_ms > options->eject.within) {
		peer_window_clear(peer);
		peer->window_from_ms = now_ms;
	}
	peer->failures++;
	return peer->failures >= options->eject.failures && peer->failures >= peer->successes &&
	    (options->has_eject || upstream_has_other(peer->upstream, peer));
}

void
peer_failed(struct peer *peer, bool was_trial, const char *why)
{
	uint64_t now_ms;

	if (peer->upstream == NULL) {
		peer_let_go(peer, was_trial);
		return;
	}
	now_ms = loop_now_ms(peer->upstream->world->loop);
	peer_tell(peer, why, now_ms);
	if ((was_trial && peer->breaker == BREAKER_TRYING) || peer_should_open(peer, now_ms))
		peer_open(peer, why);
}

/* -- others' news -------------------------------------------------------------------------------------------------- */

void
peer_read_board(struct peer *peer)
{
	enum board_state health = peer_board_state(peer);

	if (peer->health == BOARD_DOWN && health != BOARD_DOWN)
		peer->ramp_from_ms = loop_now_ms(peer->upstream->world->loop);
	peer->health = health;
}

void
peers_hear_of_room(struct list_node *agent_peers)
{
	for (struct list_node *node = agent_peers->next; node != agent_peers; node = node->next) {
		struct peer *peer = LIST_OWNER(node, struct peer, agent_node);

		if (peer->upstream != NULL)
			upstream_has_room(peer->upstream);
	}
}
