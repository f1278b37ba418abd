/*
 * world: what all upstreams of one worker share, and what outlives a reload. Internal to the room; others see it as a
 * pointer (upstreams.h).
 */
#ifndef REEVE_UPSTREAM_WORLD_H
#define REEVE_UPSTREAM_WORLD_H

#include "http/field.h"
#include "loop/loop.h"
#include "net/resolver.h"
#include "store/board.h"
#include "store/slots.h"
#include "upstream/agent.h"
#include "upstream/upstreams.h"

enum {
	WORLD_BUFFER_SIZE = 68 * 1024,	/* 64K of content and its head in one read */
	WORLD_FIELDS_ROOM = 64,		/* of a response head, before its request's arena is needed */
#ifdef __SANITIZE_ADDRESS__
	WORLD_FREE_RELAYS_MAX = 0,	/* so that what is used after its end is seen */
#else
	WORLD_FREE_RELAYS_MAX = 256,
#endif
};

struct known_name;

struct upstream_world {
	struct loop		*loop;	/* borrowed, as the four below: outlive us */
	struct board		*board;
	const struct slots	*slots;
	struct slot		*slot;
	unsigned		 slot_number;

	struct list_node	 agents;	/* struct agent */
	struct list_node	 upstreams;	/* struct upstream by world_node: those of every site alive */
	struct upstreams	*current;	/* borrowed: the site in use probes; NULL: none yet */
	struct list_node	 inside;	/* struct agent_socket by inside_node: TLS has more for them */
	struct timer		 inside_timer;	/* then they hear of it */
	struct resolver		*resolver;	/* owned; NULL until a name is to be resolved */
	struct known_name	*names;		/* owned: what names stood for last */
	uint32_t		 peers_made;
	bool			 is_draining;

	struct timer	tick;	/* the prober's housekeeping */
	bool		was_prober;

	char			*buffer;	/* owned: WORLD_BUFFER_SIZE, of whoever reads now */
	struct field		*fields_room;	/* owned: of whoever parses now */
	struct list_node	 over_relays;	/* struct relay, until the end of the turn */
	struct list_node	 free_relays;	/* struct relay */
	unsigned		 free_relay_count;
};

static inline bool
world_is_prober(const struct upstream_world *world)
{
	return slot_get(&world->slots->notice.prober) == world->slot_number;
}

/* NULL when this machine cannot make one. */
struct resolver	*world_resolver(struct upstream_world *world);

/* What a name stood for when it was resolved last: a reload starts with that. False: nothing is known. */
bool		 world_name_recall(const struct upstream_world *world, struct span host, uint16_t port,
    struct address *addresses, size_t room, size_t *count_out);
void		 world_name_keep(struct upstream_world *world, struct span host, uint16_t port,
    const struct address *addresses, size_t count);

#endif
