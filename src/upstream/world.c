/*
 * What is shared is here; who uses it is elsewhere. The prober's housekeeping is the one thing this file does itself.
 */
#include "upstream/world.h"

#include "base/log.h"
#include "base/memory.h"
#include "upstream/relay_parts.h"
#include "upstream/health.h"

#include <assert.h>

enum { TICK_MS = 1000 };

struct known_name {
	struct known_name	*next;
	struct span		 host;	/* owned */
	uint16_t		 port;
	size_t			 count;
	struct address		 addresses[SERVER_ADDRESSES_MAX];
};

/* -- names --------------------------------------------------------------------------------------------------------- */

struct resolver *
world_resolver(struct upstream_world *world)
{
	struct err err;

	if (world->resolver == NULL)
		world->resolver = resolver_create(world->loop, &err);
	return world->resolver;
}

static struct known_name *
name_find(const struct upstream_world *world, struct span host, uint16_t port)
{
	struct known_name *name = world->names;

	while (name != NULL && (name->port != port || !span_equal(name->host, host)))
		name = name->next;
	return name;
}

bool
world_name_recall(const struct upstream_world *world, struct span host, uint16_t port,
    struct address *addresses, size_t room, size_t *count_out)
{
	const struct known_name *name = name_find(world, host, port);

	*count_out = 0;
	if (name == NULL)
		return false;
	*count_out = name->count < room ? name->count : room;
	memcpy(addresses, name->addresses, *count_out * sizeof(*addresses));
	return true;
}

void
world_name_keep(struct upstream_world *world, struct span host, uint16_t port, const struct address *addresses,
    size_t count)
{
	struct known_name *name = name_find(world, host, port);

	if (name == NULL) {
		char *text = memory_alloc(host.len + 1);

		memcpy(text, host.at, host.len);
		name = memory_zalloc(sizeof(*name));
		name->host = span_make(text, host.len);
		name->port = port;
		name->next = world->names;
		world->names = name;
	}
	name->count = count < SERVER_ADDRESSES_MAX ? count : SERVER_ADDRESSES_MAX;
	memcpy(name->addresses, addresses, name->count * sizeof(*addresses));
}

static void
names_free(struct upstream_world *world)
{
	struct known_name *name;

	while ((name = world->names) != NULL) {
		union { const char *text; void *memory; } host = { .text = name->host.at };

		world->names = name->next;
		memory_free(host.memory);
		memory_free(name);
	}
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void
tick(void *owner)
{
	struct upstream_world *world = owner;

	world->was_prober = world_is_prober(world);
	if (world->was_prober && world->current != NULL)
		health_publish(world);
	timer_arm(&world->tick, TICK_MS);
}

static void
inside_due(void *owner)
{
	agents_hear_again(owner);
}

struct upstream_world *
upstream_world_create(struct loop *loop, struct board *board, const struct slots *slots, struct slot *slot,
    unsigned slot_number)
{
	struct upstream_world *world = memory_zalloc(sizeof(*world));

	world->loop = loop;
	world->board = board;
	world->slots = slots;
	world->slot = slot;
	world->slot_number = slot_number;
	world->buffer = memory_alloc(WORLD_BUFFER_SIZE);
	world->fields_room = memory_zalloc(WORLD_FIELDS_ROOM * sizeof(*world->fields_room));
	list_init(&world->agents);
	list_init(&world->upstreams);
	list_init(&world->inside);
	list_init(&world->over_relays);
	list_init(&world->free_relays);
	timer_init(&world->inside_timer, loop, inside_due, world);
	timer_init(&world->tick, loop, tick, world);
	timer_arm(&world->tick, TICK_MS);
	return world;
}

static void
agents_close_free(struct upstream_world *world)
{
	struct list_node *next;

	for (struct list_node *node = world->agents.next; node != &world->agents; node = next) {
		next = node->next;
		agent_close_free(LIST_OWNER(node, struct agent, node));
	}
}

static void
relays_free(struct list_node *relays)
{
	struct list_node *node;

	while ((node = list_first(relays)) != NULL) {
		struct relay *relay = LIST_OWNER(node, struct relay, waiter.node);

		list_remove(node);
		loop_later_cancel(&relay->later);
		memory_free(relay);
	}
}

/* Sites go first, and with them peers, agents and sockets. */
void
upstream_world_free(struct upstream_world *world)
{
	if (world == NULL)
		return;
	assert(list_is_empty(&world->upstreams) && list_is_empty(&world->agents));
	relays_free(&world->over_relays);
	relays_free(&world->free_relays);
	timer_fini(&world->inside_timer);
	timer_fini(&world->tick);
	resolver_free(world->resolver);
	names_free(world);
	memory_free(world->fields_room);
	memory_free(world->buffer);
	memory_free(world);
}

void
upstream_world_drain(struct upstream_world *world)
{
	world->is_draining = true;
	agents_close_free(world);
}
