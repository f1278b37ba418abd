/*
 * Counting comes first: every socket is in agent->count from birth to close, and in the list `free` exactly while
 * nobody has borrowed it. A busy socket keeps its interest in reads across requests, so that a request costs no
 * epoll_ctl.
 */
#include "upstream/agent.h"

#include "base/memory.h"
#include "store/slots.h"
#include "upstream/peer.h"
#include "upstream/world.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

enum { DANGER_MS = 1000 };	/* before the server's own timeout, when a request may cross its close */

/* -- addresses ----------------------------------------------------------------------------------------------------- */

static bool
agent_address_equal(const struct agent_address *a, const struct agent_address *b)
{
	if (a->address.any.sa_family == AF_UNIX && b->address.any.sa_family == AF_UNIX)
		return strcmp(a->path, b->path) == 0;
	return address_equal(&a->address, &b->address);
}

size_t
agent_address_format(const struct agent_address *address, char to[AGENT_ADDRESS_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];
	int len;

	if (address->address.any.sa_family == AF_UNIX) {
		len = snprintf(to, AGENT_ADDRESS_TEXT_MAX, "unix:%s", address->path);
	} else {
		address_format(&address->address, text);
		len = snprintf(to, AGENT_ADDRESS_TEXT_MAX, "%s", text);
	}
	return len < AGENT_ADDRESS_TEXT_MAX ? (size_t)len : AGENT_ADDRESS_TEXT_MAX - 1;
}

static int
connect_to(int fd, const struct agent_address *address)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (address->address.any.sa_family != AF_UNIX)
		return connect(fd, &address->address.any, address_length(&address->address));
	memcpy(un.sun_path, address->path, sizeof(un.sun_path));
	return connect(fd, (const struct sockaddr *)&un, sizeof(un));
}

int
agent_address_dial(const struct agent_address *address, bool *is_connected_out)
{
	int family = address->address.any.sa_family;
	struct stream stream;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	stream_init(&stream, fd);
	stream_tune(&stream, family != AF_UNIX);
	*is_connected_out = connect_to(fd, address) == 0;
	if (*is_connected_out || errno == EINPROGRESS)
		return fd;
	error = errno;
	stream_close(&stream);
	errno = error;
	return -1;
}

/* -- the agent ----------------------------------------------------------------------------------------------------- */

static bool
limits_equal(const struct agent_limits *a, const struct agent_limits *b)
{
	return a->max_sockets == b->max_sockets && a->max_free_sockets == b->max_free_sockets &&
	    a->idle_timeout == b->idle_timeout && a->max_requests == b->max_requests && a->max_age == b->max_age;
}

struct agent *
agent_for(struct upstream_world *world, const struct agent_address *address, const struct agent_limits *limits)
{
	struct agent *agent;

	for (struct list_node *node = world->agents.next; node != &world->agents; node = node->next) {
		agent = LIST_OWNER(node, struct agent, node);
		if (agent_address_equal(&agent->address, address) && limits_equal(&agent->limits, limits)) {
			agent->refs++;
			return agent;
		}
	}
	agent = memory_zalloc(sizeof(*agent));
	agent->world = world;
	agent->address = *address;
	agent->limits = *limits;
	agent->refs = 1;
	list_init(&agent->free);
	list_init(&agent->peers);
	list_add_last(&world->agents, &agent->node);
	return agent;
}

/* An agent goes when no peer and no socket has it. */
static void
agent_leave(struct agent *agent)
{
	if (agent->refs > 0 || agent->count > 0)
		return;
	list_remove(&agent->node);
	memory_free(agent);
}

void
agent_close_free(struct agent *agent)
{
	struct list_node *node;

	agent->refs++;
	while ((node = list_first(&agent->free)) != NULL)
		agent_socket_close(LIST_OWNER(node, struct agent_socket, node));
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

/* -- sockets ------------------------------------------------------------------------------------------------------- */

static void
socket_free(struct later *later)
{
	memory_free(LIST_OWNER(later, struct agent_socket, later));
}

void
agent_socket_close(struct agent_socket *socket)
{
	struct agent *agent = socket->agent;

	watch_fini(&socket->watch);
	timeout_disarm(&socket->idle);
	stream_close(&socket->stream);
	if (list_holds(&socket->node)) {
		list_remove(&socket->node);
		agent->free_count--;
	}
	agent->count--;
	socket->events = NULL;
	slot_set(&agent->world->slot->upstream_sockets, slot_get(&agent->world->slot->upstream_sockets) - 1);
	loop_free_later(agent->world->loop, &socket->later, socket_free);
	peers_hear_of_room(&agent->peers);
	agent_leave(agent);
}

static void
socket_connected(struct agent_socket *socket)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(socket->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	socket->is_connecting = false;
	if (error == 0)
		watch_want(&socket->watch, WATCH_READ);
	socket->events->on_connected(socket->owner, error, error ? strerror(error) : NULL);
}

/* The struct outlives its closing by this turn (loop_free_later), so it may be looked at between the two calls. */
static void
socket_ready(void *owner, unsigned ready)
{
	struct agent_socket *socket = owner;

	if (socket->events == NULL) {
		if (socket->stream.fd >= 0)
			agent_socket_close(socket);
		return;
	}
	if (socket->is_connecting) {
		socket_connected(socket);
		return;
	}
	if (ready & WATCH_WRITE)
		socket->events->on_writable(socket->owner);
	if ((ready & WATCH_READ) && socket->events != NULL)
		socket->events->on_readable(socket->owner);
}

static void
socket_idle_too_long(void *owner)
{
	agent_socket_close(owner);
}

void
agent_socket_want(struct agent_socket *socket, unsigned wants)
{
	watch_want(&socket->watch, wants);
}

enum stream_result
agent_socket_read(struct agent_socket *socket, char *to, size_t room, size_t *count_out)
{
	return stream_read(&socket->stream, to, room, count_out);
}

enum stream_result
agent_socket_write(struct agent_socket *socket, const struct iovec *pieces, unsigned count, size_t *count_out)
{
	return stream_write(&socket->stream, pieces, count, false, count_out);
}

void
agent_socket_shutdown(struct agent_socket *socket)
{
	stream_shutdown(&socket->stream);
}

const char *
agent_socket_why(const struct agent_socket *socket)
{
	return stream_why(&socket->stream);
}

/* A free socket that has said something, or was closed, is of no use. */
static bool
socket_is_quiet(struct agent_socket *socket)
{
	char byte;
	ssize_t count = recv(socket->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/*
 * What its kernel has not acknowledged by the time of its end, or refused behind it (a reset, which only SO_ERROR
 * tells). The segment that ends a connection acknowledges all that has come before it.
 */
uint64_t
agent_socket_unread(struct agent_socket *socket)
{
	socklen_t size = sizeof(int);
	int error = 0, waiting = 0;

	if (ioctl(socket->stream.fd, SIOCOUTQ, &waiting) == 0 && waiting > 0)
		return (uint64_t)waiting;
	if (getsockopt(socket->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0)
		return UINT64_MAX;
	return 0;
}

static bool
socket_is_worn(const struct agent_socket *socket)
{
	const struct agent_limits *limits = &socket->agent->limits;

	if (limits->max_requests > 0 && socket->requests >= limits->max_requests)
		return true;
	return limits->max_age > 0 && loop_now_ms(socket->agent->world->loop) - socket->opened_ms >= limits->max_age;
}

static void
socket_lend(struct agent_socket *socket, const struct socket_events *events, void *owner)
{
	socket->events = events;
	socket->owner = owner;
	socket->requests++;
}

static struct agent_socket *
free_socket_take(struct agent *agent, bool careful)
{
	struct list_node *node;

	while ((node = list_first(&agent->free)) != NULL) {
		struct agent_socket *socket = LIST_OWNER(node, struct agent_socket, node);

		if (socket_is_worn(socket) || (careful && !socket_is_quiet(socket))) {
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
	struct upstream_world *world = agent->world;
	struct agent_socket *socket;
	bool is_connected;
	int fd = agent_address_dial(&agent->address, &is_connected);

	if (fd < 0)
		return BORROW_FAILED;
	socket = memory_zalloc(sizeof(*socket));
	stream_init(&socket->stream, fd);
	socket->agent = agent;
	socket->opened_ms = loop_now_ms(world->loop);
	socket->is_connecting = !is_connected;
	timeout_init(&socket->idle, socket_idle_too_long, socket);
	watch_init(&socket->watch, world->loop, fd, socket_ready, socket);
	watch_want(&socket->watch, is_connected ? WATCH_READ : WATCH_WRITE);
	socket_lend(socket, events, owner);
	agent->count++;
	slot_add(&world->slot->totals.upstream_connects, 1);
	slot_set(&world->slot->upstream_sockets, slot_get(&world->slot->upstream_sockets) + 1);
	*socket_out = socket;
	return is_connected ? BORROW_CONNECTED : BORROW_CONNECTING;
}

enum borrow_result
agent_borrow(struct agent *agent, bool fresh, bool careful, const struct socket_events *events, void *owner,
    struct agent_socket **socket_out)
{
	struct list_node *oldest;

	*socket_out = fresh ? NULL : free_socket_take(agent, careful);
	if (*socket_out != NULL) {
		socket_lend(*socket_out, events, owner);
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

static struct timeout_class *
idle_class(struct agent *agent)
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

	assert(socket->events != NULL && !socket->is_connecting);
	if (agent->world->is_draining || agent->refs == 0 || agent->free_count >= agent->limits.max_free_sockets ||
	    socket_is_worn(socket)) {
		agent_socket_close(socket);
		return;
	}
	socket->events = NULL;
	socket->owner = NULL;
	watch_want(&socket->watch, WATCH_READ);
	list_add_first(&agent->free, &socket->node);
	agent->free_count++;
	timeout_arm(&socket->idle, idle_class(agent));
	peers_hear_of_room(&agent->peers);
}
