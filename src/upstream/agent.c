/*
 * Counting comes first: every socket is in agent->count from birth to close, and in the list `free` exactly while
 * nobody has borrowed it. A busy socket keeps its interest in reads across requests, so that a request costs no
 * epoll_ctl.
 */
#include "upstream/agent.h"

#include "base/memory.h"
#include "upstream/agent_socket.h"
#include "upstream/h2_link.h"
#include "upstream/peer.h"
#include "upstream/world.h"

#include <assert.h>

enum { DANGER_MS = 1000 };	/* before the server's own timeout, when a request may cross its close */

/* -- the agent ----------------------------------------------------------------------------------------------------- */

static bool
limits_equal(const struct agent_limits *a, const struct agent_limits *b)
{
	return a->max_sockets == b->max_sockets && a->max_free_sockets == b->max_free_sockets &&
	    a->idle_timeout == b->idle_timeout && a->max_requests == b->max_requests && a->max_age == b->max_age;
}

static bool
agent_serves(const struct agent *agent, const struct agent_target *target)
{
	return agent_address_equal(&agent->address, target->address) && limits_equal(&agent->limits, target->limits) &&
	    agent->protocol == target->protocol && tls_client_equal(agent->tls, target->tls) &&
	    (target->tls == NULL || span_equal_nocase(span_text(agent->host), target->host));
}

static struct agent *
agent_create(struct upstream_world *world, const struct agent_target *target)
{
	struct agent *agent = memory_zalloc(sizeof(*agent));

	agent->world = world;
	agent->address = *target->address;
	agent->limits = *target->limits;
	agent->protocol = target->protocol;
	if (target->tls != NULL) {
		agent->tls = tls_client_ref(target->tls);
		agent->host = memory_alloc(target->host.len + 1);
		memcpy(agent->host, target->host.at, target->host.len);
		agent->host[target->host.len] = '\0';
	}
	list_init(&agent->free);
	list_init(&agent->peers);
	list_init(&agent->links);
	list_init(&agent->full_links);
	list_add_last(&world->agents, &agent->node);
	return agent;
}

struct agent *
agent_for(struct upstream_world *world, const struct agent_target *target)
{
	struct agent *agent;

	for (struct list_node *node = world->agents.next; node != &world->agents; node = node->next) {
		agent = LIST_OWNER(node, struct agent, node);
		if (agent_serves(agent, target)) {
			agent->refs++;
			return agent;
		}
	}
	agent = agent_create(world, target);
	agent->refs = 1;
	return agent;
}

void
agent_leave(struct agent *agent)
{
	if (agent->refs > 0 || agent->count > 0)
		return;
	list_remove(&agent->node);
	tls_session_fini(&agent->session);
	tls_client_unref(agent->tls);
	memory_free(agent->host);
	memory_free(agent);
}

void
agent_close_free(struct agent *agent)
{
	struct list_node *node;

	agent->refs++;
	while ((node = list_first(&agent->free)) != NULL)
		agent_socket_close(LIST_OWNER(node, struct agent_socket, node));
	h2_links_close_idle(agent);
	agent->refs--;
	agent_leave(agent);
}

void
agent_unref(struct agent *agent)
{
	if (agent == NULL)
		return;
	assert(agent->refs > 0);
	if (--agent->refs == 0)
		agent_close_free(agent);
}

/* "timeout=5, max=1000": the server closes after five idle seconds, so we let go before. */
void
agent_hear_keep_alive(struct agent *agent, struct span value)
{
	struct span part, name;
	uint64_t seconds;

	while (span_cut(&value, ',', &part)) {
		part = span_trim(part);
		if (!span_cut(&part, '=', &name) || !span_equal_nocase(span_trim(name), SPAN_OF("timeout")) ||
		    !span_to_number(span_trim(part), 86400, &seconds) || seconds == agent->told_seconds)
			continue;
		agent->told_seconds = seconds;
		agent->told_ms = seconds * 1000 > 2 * DANGER_MS ? seconds * 1000 - DANGER_MS : seconds * 500;
	}
}

/* -- lending ------------------------------------------------------------------------------------------------------- */

static bool
socket_is_worn(const struct agent_socket *socket)
{
	const struct agent_limits *limits = &socket->agent->limits;

	if (limits->max_requests > 0 && socket->requests >= limits->max_requests)
		return true;
	return limits->max_age > 0 && loop_now_ms(socket->agent->world->loop) - socket->opened_ms >= limits->max_age;
}

static struct agent_socket *
free_socket_take(struct agent *agent, bool careful)
{
	struct list_node *node;

	while ((node = list_first(&agent->free)) != NULL) {
		struct agent_socket *socket = LIST_OWNER(node, struct agent_socket, node);

		if (socket_is_worn(socket) || (careful && !agent_socket_is_quiet(socket))) {
			agent_socket_close(socket);
			continue;
		}
		list_remove(&socket->node);
		agent->free_count--;
		timeout_disarm(&socket->idle);
		return socket;
	}
	return NULL;
}

static enum borrow_result
socket_open(struct agent *agent, const struct socket_events *events, void *owner, struct agent_socket **socket_out)
{
	bool is_connected;
	int fd = agent_address_dial(&agent->address, &is_connected);

	if (fd < 0)
		return BORROW_FAILED;
	is_connected &= agent->tls == NULL;
	*socket_out = agent_socket_open(agent, fd, is_connected);
	agent_socket_lend(*socket_out, false, events, owner);
	return is_connected ? BORROW_CONNECTED : BORROW_CONNECTING;
}

enum borrow_result
agent_borrow(struct agent *agent, bool fresh, bool careful, const struct socket_events *events, void *owner,
    struct agent_socket **socket_out)
{
	struct list_node *oldest;

	*socket_out = fresh ? NULL : free_socket_take(agent, careful);
	if (*socket_out != NULL) {
		agent_socket_lend(*socket_out, careful, events, owner);
		slot_add(&agent->world->slot->totals.upstream_reuses, 1);
		return BORROW_REUSED;
	}
	/* A fresh one is wanted although others are free: the one unused longest makes room. */
	oldest = list_last(&agent->free);
	if (agent->count >= agent->limits.max_sockets && oldest != NULL)
		agent_socket_close(LIST_OWNER(oldest, struct agent_socket, node));
	if (agent->count >= agent->limits.max_sockets)
		return BORROW_FULL;
	return socket_open(agent, events, owner, socket_out);
}

struct timeout_class *
agent_idle_class(struct agent *agent)
{
	uint64_t idle_ms = agent->limits.idle_timeout;

	if (agent->told_ms > 0 && (idle_ms == 0 || idle_ms > agent->told_ms))
		idle_ms = agent->told_ms;
	if (idle_ms != agent->idle_ms) {
		agent->idle_ms = idle_ms;
		agent->idle_class = timeout_class_for(agent->world->loop, idle_ms);
	}
	return agent->idle_class;
}

void
agent_socket_give_back(struct agent_socket *socket)
{
	struct agent *agent = socket->agent;

	assert(socket->events != NULL && !socket->is_connecting && !socket->is_handshaking);
	if (agent->world->is_draining || agent->refs == 0 || agent->free_count >= agent->limits.max_free_sockets ||
	    socket_is_worn(socket) || stream_has_input(&socket->stream)) {
		agent_socket_close(socket);
		return;
	}
	socket->events = NULL;
	socket->owner = NULL;
	list_remove(&socket->inside_node);
	watch_want(&socket->watch, WATCH_READ);
	list_add_first(&agent->free, &socket->node);
	agent->free_count++;
	timeout_arm(&socket->idle, agent_idle_class(agent));
	peers_hear_of_room(&agent->peers);
}
