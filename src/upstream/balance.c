/*
 * Candidates are marked first; each kind of balance then is a walk over those that are marked. Upstreams have few
 * peers, so a walk is faster than any structure that would have to be kept in order.
 */
#include "upstream/balance.h"

#include "base/count.h"
#include "base/hash.h"

#include <assert.h>
#include <math.h>

void
tried_add(struct tried *tried, const struct peer *peer)
{
	if (tried->count < TRIED_MAX && !tried_holds(tried, peer))
		tried->peers[tried->count++] = peer->number;
}

bool
tried_holds(const struct tried *tried, const struct peer *peer)
{
	for (unsigned i = 0; i < tried->count; i++) {
		if (tried->peers[i] == peer->number)
			return true;
	}
	return false;
}

/* -- who may ------------------------------------------------------------------------------------------------------- */

struct group {
	bool	was_tried;
	bool	is_backup;
};

/* In the order of preference. */
static const struct group groups[] = { { false, false }, { false, true }, { true, false }, { true, true } };

/* Marks the group's peers that have room, and returns how many; *available_out counts also those without. */
static size_t
group_mark(struct peer *const *peers, size_t count, const struct tried *tried, const struct group *group,
    uint64_t now_ms, size_t *available_out)
{
	size_t marked = 0;

	*available_out = 0;
	for (size_t i = 0; i < count; i++) {
		struct peer *peer = peers[i];

		peer->is_candidate = false;
		if (peer->is_backup != group->is_backup || tried_holds(tried, peer) != group->was_tried ||
		    !peer_is_available(peer, now_ms))
			continue;
		++*available_out;
		peer->is_candidate = agent_has_room(peer->agent);
		marked += peer->is_candidate;
	}
	return marked;
}

static enum choose_result
candidates_mark(struct peer *const *peers, size_t count, const struct tried *tried, uint64_t now_ms)
{
	bool is_full = false;
	size_t available;

	for (size_t i = 0; i < COUNT(groups); i++) {
		if (group_mark(peers, count, tried, &groups[i], now_ms, &available) > 0)
			return CHOOSE_PEER;
		is_full |= available > 0;
		if (is_full && tried->count == 0)
			break;
	}
	return is_full ? CHOOSE_FULL : CHOOSE_NONE;
}

/* -- who of those -------------------------------------------------------------------------------------------------- */

struct walk {
	struct balance	*balance;
	struct peer *const	*peers;
	size_t		 count;
	uint64_t	 hash;
	uint64_t	 now_ms;
	bool		 is_retry;
};

static uint64_t
share_of(const struct walk *walk, const struct peer *peer)
{
	return peer_share(peer, walk->balance->slow_start_ms, walk->now_ms);
}

/* Smooth weighted round robin: everyone gains his share, the richest pays for all. */
static struct peer *
choose_round_robin(const struct walk *walk)
{
	struct peer *best = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < walk->count; i++) {
		struct peer *peer = walk->peers[i];
		int64_t share;

		if (!peer->is_candidate)
			continue;
		share = (int64_t)share_of(walk, peer);
		peer->current += share;
		total += share;
		if (best == NULL || peer->current > best->current)
			best = peer;
	}
	assert(best != NULL);	/* candidates_mark() has found one */
	best->current -= total;
	return best;
}

/* Whether a has less to do for its share than b. */
static bool
is_less_busy(const struct walk *walk, const struct peer *a, const struct peer *b)
{
	return (agent_busy(a->agent) + 1) * share_of(walk, b) < (agent_busy(b->agent) + 1) * share_of(walk, a);
}

/*
 * Each choice starts looking behind the last one's peer, so ties go round. A retry does not count: it would bring every
 * second turn back to the server that fails.
 */
static struct peer *
choose_least_requests(const struct walk *walk)
{
	size_t from = walk->balance->turn % walk->count, best_at = from;
	struct peer *best = NULL;

	for (size_t i = 0; i < walk->count; i++) {
		size_t at = (from + i) % walk->count;
		struct peer *peer = walk->peers[at];

		if (peer->is_candidate && (best == NULL || is_less_busy(walk, peer, best))) {
			best = peer;
			best_at = at;
		}
	}
	if (!walk->is_retry)
		walk->balance->turn = best_at + 1;
	return best;
}

static uint64_t
shares_sum(const struct walk *walk, const struct peer *without)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < walk->count; i++) {
		if (walk->peers[i]->is_candidate && walk->peers[i] != without)
			sum += share_of(walk, walk->peers[i]);
	}
	return sum;
}

/* By weight; NULL when `without` is the only one. */
static struct peer *
choose_random(const struct walk *walk, const struct peer *without)
{
	uint64_t sum = shares_sum(walk, without), at;

	if (sum == 0)
		return NULL;
	at = random_below(sum);
	for (size_t i = 0; i < walk->count; i++) {
		struct peer *peer = walk->peers[i];
		uint64_t share;

		if (!peer->is_candidate || peer == without)
			continue;
		share = share_of(walk, peer);
		if (at < share)
			return peer;
		at -= share;
	}
	assert(!"the shares have changed");
	return NULL;
}

/* Weight is in the picking already, so the two are compared by their requests alone. */
static struct peer *
choose_random_two(const struct walk *walk)
{
	struct peer *one = choose_random(walk, NULL);
	struct peer *other = choose_random(walk, one);

	return other != NULL && agent_busy(other->agent) < agent_busy(one->agent) ? other : one;
}

/*
 * Weighted rendezvous: every peer draws a number from its name and the key, and the highest wins. A peer that goes away
 * gives its keys to all others by their weight; none of the others' keys move. The same in every worker.
 */
static double
draw(const struct peer *peer, uint64_t hash)
{
	double unit = ((double)(hash_mix(hash, peer->hash) >> 11) + 0.5) / (double)(UINT64_C(1) << 53);

	return -(double)peer->weight / log(unit);
}

static struct peer *
choose_hash(const struct walk *walk)
{
	struct peer *best = NULL;
	double best_draw = 0;

	for (size_t i = 0; i < walk->count; i++) {
		double its_draw;

		if (!walk->peers[i]->is_candidate)
			continue;
		its_draw = draw(walk->peers[i], walk->hash);
		if (best == NULL || its_draw > best_draw) {
			best = walk->peers[i];
			best_draw = its_draw;
		}
	}
	return best;
}

static struct peer *(*const choosers[])(const struct walk *walk) = {
	[BALANCE_ROUND_ROBIN]		= choose_round_robin,
	[BALANCE_LEAST_REQUESTS]	= choose_least_requests,
	[BALANCE_RANDOM_TWO]		= choose_random_two,
	[BALANCE_HASH]			= choose_hash,
};
static_assert(COUNT(choosers) == BALANCE_HASH + 1, "every kind of balance has one");

enum choose_result
balance_choose(struct balance *balance, struct peer *const *peers, size_t count, const struct tried *tried,
    uint64_t hash, uint64_t now_ms, struct peer **peer_out)
{
	const struct walk walk = { balance, peers, count, hash, now_ms, tried->count > 0 };
	enum choose_result result = candidates_mark(peers, count, tried, now_ms);

	*peer_out = result == CHOOSE_PEER ? choosers[balance->kind](&walk) : NULL;
	assert(result != CHOOSE_PEER || *peer_out != NULL);
	return result;
}
