/*
 * All client connections of one worker: opened, told of new settings, drained and cut together.
 */
#include "downstream/downstream.h"

#include "downstream/conn.h"

#include "base/memory.h"
#include "store/slots.h"

enum { BUFFER_SIZE = 64 * 1024, DRAIN_IDLE_DEFAULT_MS = 2000 };

/* visit closes nothing. */
static void
each_conn(struct downstream *downstream, void (*visit)(struct conn *conn))
{
	struct list_node *node;

	for (node = downstream->conns.next; node != &downstream->conns; node = node->next)
		visit(LIST_OWNER(node, struct conn, node));
}

/* end closes the one it is given, and maybe others along with it. */
static void
end_each_conn(struct downstream *downstream, void (*end)(struct conn *conn))
{
	struct list_node *node;

	while ((node = list_first(&downstream->conns)) != NULL)
		end(LIST_OWNER(node, struct conn, node));
}

/* -- how many ------------------------------------------------------------------------------------------------------ */

/* There is room again only below 95 %, so that accepting does not flap. */
static void
tell_full(struct downstream *downstream)
{
	uint64_t limit = downstream->settings.limits->connections;

	if (downstream->freed || (downstream->full ? downstream->count * 20 >= limit * 19 : downstream->count < limit))
		return;
	downstream->full = !downstream->full;
	downstream->events->on_full(downstream->owner, downstream->full);
}

static void
tell_empty(struct downstream *downstream)
{
	if (downstream->freed || !downstream->draining || downstream->emptied || downstream->count > 0)
		return;
	downstream->emptied = true;
	downstream->events->on_empty(downstream->owner);
}

void
downstream_add(struct downstream *downstream, struct conn *conn)
{
	list_add_last(&downstream->conns, &conn->node);
	downstream->count++;
	slot_add(&downstream->slot->totals.connections_accepted, 1);
	slot_set(&downstream->slot->connections, downstream->count);
	tell_full(downstream);
}

void
downstream_remove(struct downstream *downstream, struct conn *conn)
{
	list_remove(&conn->node);
	downstream->count--;
	slot_add(&downstream->slot->totals.connections_closed, 1);
	slot_set(&downstream->slot->connections, downstream->count);
	tell_full(downstream);
	tell_empty(downstream);
}

/* -- for the worker ------------------------------------------------------------------------------------------------ */

struct downstream *
downstream_create(struct loop *loop, const struct downstream_events *events, void *owner, struct slot *slot)
{
	struct downstream *downstream = memory_zalloc(sizeof(*downstream));

	downstream->loop = loop;
	downstream->events = events;
	downstream->owner = owner;
	downstream->slot = slot;
	downstream->buffer_size = BUFFER_SIZE;
	downstream->buffer = memory_alloc(BUFFER_SIZE);
	downstream->linger_timeout = timeout_class_for(loop, CONN_LINGER_MS);
	downstream->drain_timeout = timeout_class_for(loop, DRAIN_IDLE_DEFAULT_MS);
	list_init(&downstream->conns);
	list_init(&downstream->handshakes);
	timer_init(&downstream->handshake_timer, loop, handshakes_run, downstream);
	return downstream;
}

void
downstream_configure(struct downstream *downstream, const struct downstream_settings *settings)
{
	const struct limits *limits = settings->limits;
	struct loop *loop = downstream->loop;

	downstream->settings = *settings;
	downstream->head_limits = (struct h1_limits){ limits->header_size, limits->header_count, limits->uri_size };
	downstream->header_timeout = timeout_class_for(loop, limits->header_timeout);
	downstream->body_timeout = timeout_class_for(loop, limits->body_timeout);
	downstream->send_timeout = timeout_class_for(loop, limits->send_timeout);
	downstream->keepalive_timeout = timeout_class_for(loop, limits->keepalive_timeout);
	each_conn(downstream, conn_trust);
	tell_full(downstream);
}

void
downstream_accept(struct downstream *downstream, int fd, const struct address *peer,
    const struct downstream_listener *listener)
{
	conn_open(downstream, fd, peer, listener);
}

void
downstream_drain(struct downstream *downstream, uint64_t idle_ms)
{
	downstream->draining = true;
	downstream->drain_timeout = timeout_class_for(downstream->loop, idle_ms > 0 ? idle_ms : 1);
	slot_set(&downstream->slot->draining, 1);
	each_conn(downstream, conn_drain);
	tell_empty(downstream);
}

static void
conn_cut(struct conn *conn)
{
	slot_add(&conn->downstream->slot->totals.drain_forced, 1);
	conn_close(conn);
}

void
downstream_cut(struct downstream *downstream)
{
	end_each_conn(downstream, conn_cut);
}

size_t
downstream_connections(const struct downstream *downstream)
{
	return downstream->count;
}

void
downstream_free(struct downstream *downstream)
{
	if (downstream == NULL)
		return;
	downstream->freed = true;
	end_each_conn(downstream, conn_close);
	timer_fini(&downstream->handshake_timer);
	loop_run_laters(downstream->loop);
	h1_exchanges_free(downstream);
	h2_exchanges_free(downstream);
	per_client_free(downstream->per_client);
	memory_free(downstream->buffer);
	memory_free(downstream);
}
