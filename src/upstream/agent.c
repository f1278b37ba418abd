/*
 * Counting comes first: every socket is in agent->count from birth to close, and in the list `free` exactly while
 * nobody has borrowed it. A busy socket keeps its interest in reads across requests, so that a request costs no
 * epoll_ctl.
 *
 * A TLS socket is lent when its handshake is done. OpenSSL may have read more than its borrower had room for, and no
 * readiness tells of that: such sockets stand in world->inside, and hear again in the next turn, one read each, so that
 * a fast server cannot keep the loop to itself.
 */
#include "upstream/agent.h"

#include "base/memory.h"
#include "net/tls.h"
#include "store/slots.h"
#include "upstream/h2_link.h"
#include "upstream/peer.h"
#include "upstream/world.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
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

/* An agent goes when no peer and no socket has it. */
static void
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
	list_remove(&socket->inside_node);
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

/* -- connecting ---------------------------------------------------------------------------------------------------- */

/* Its borrower hears again in the next turn. */
static void
socket_hear_again(struct agent_socket *socket)
{
	struct upstream_world *world = socket->agent->world;

	if (list_holds(&socket->inside_node))
		return;
	list_add_last(&world->inside, &socket->inside_node);
	if (!timer_is_armed(&world->inside_timer))
		timer_arm(&world->inside_timer, 0);
}

static void
socket_opened(struct agent_socket *socket)
{
	socket->is_handshaking = false;
	agent_socket_want(socket, WATCH_READ);
	socket->events->on_connected(socket->owner, 0, NULL);
}

/* A session that the server does not get along with is not offered again. */
static void
socket_refused(struct agent_socket *socket, const struct err *err)
{
	tls_session_fini(&socket->agent->session);
	socket->events->on_connected(socket->owner, EPROTO, err->text);
}

static void
socket_secured(struct agent_socket *socket)
{
	struct slot_totals *totals = &socket->agent->world->slot->totals;
	struct tls_facts facts;
	struct err err;

	tls_facts(socket->stream.tls, &facts);
	slot_add(&totals->upstream_tls_handshakes, 1);
	slot_add(&totals->upstream_tls_resumed, facts.is_resumed);
	if (tls_client_agreed(socket->agent->tls, socket->stream.tls, &err))
		socket_opened(socket);
	else
		socket_refused(socket, &err);
}

static void
socket_handshake(struct agent_socket *socket)
{
	struct err err;

	switch (stream_handshake(&socket->stream)) {
	case STREAM_OK:
		socket_secured(socket);
		break;
	case STREAM_AGAIN:
		watch_want(&socket->watch, stream_wants(&socket->stream));
		break;
	case STREAM_END:
	case STREAM_BROKEN:
		tls_client_explain(socket->stream.tls, &err);
		socket_refused(socket, &err);
		break;
	}
}

static void
socket_secure(struct agent_socket *socket)
{
	struct agent *agent = socket->agent;
	struct tls *tls = tls_client_connect(agent->tls, socket->stream.fd, span_text(agent->host), &agent->session);

	if (tls == NULL) {
		socket->events->on_connected(socket->owner, EPROTO, "no certificate can be for the host of its URL");
		return;
	}
	stream_secure(&socket->stream, tls);
	socket->is_handshaking = true;
	socket_handshake(socket);
}

static void
socket_connected(struct agent_socket *socket)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(socket->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	socket->is_connecting = false;
	if (error != 0)
		socket->events->on_connected(socket->owner, error, strerror(error));
	else if (socket->agent->tls != NULL)
		socket_secure(socket);
	else
		socket_opened(socket);
}

/* -- sockets in use, and free ones --------------------------------------------------------------------------------- */

/*
 * A free socket that has said something, or was closed, is of no use. With TLS a look at the socket is not enough:
 * session tickets and updates of keys may lie there, which mean nothing to us, or a close_notify.
 */
static bool
socket_is_quiet(struct agent_socket *socket)
{
	size_t read;
	char byte;
	ssize_t count;

	if (stream_has_input(&socket->stream))
		return false;
	count = recv(socket->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (count > 0 && stream_is_secure(&socket->stream))
		return stream_read(&socket->stream, &byte, 1, &read) == STREAM_AGAIN;
	return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* The struct outlives its closing by this turn (loop_free_later), so it may be looked at between the two calls. */
static void
socket_ready(void *owner, unsigned ready)
{
	struct agent_socket *socket = owner;

	if (socket->events == NULL) {
		if (socket->stream.fd >= 0 && !(stream_is_secure(&socket->stream) && socket_is_quiet(socket)))
			agent_socket_close(socket);
		return;
	}
	if (socket->is_connecting || socket->is_handshaking) {
		if (socket->is_connecting)
			socket_connected(socket);
		else
			socket_handshake(socket);
		return;
	}
	if (ready & WATCH_WRITE)
		socket->events->on_writable(socket->owner);
	if ((ready & WATCH_READ) && socket->events != NULL)
		socket->events->on_readable(socket->owner);
}

/* One turn of those that stand there now. */
void
agents_hear_again(struct upstream_world *world)
{
	struct list_node now;
	struct list_node *node;

	list_init(&now);
	while ((node = list_first(&world->inside)) != NULL) {
		list_remove(node);
		list_add_last(&now, node);
	}
	while ((node = list_first(&now)) != NULL) {
		struct agent_socket *socket = LIST_OWNER(node, struct agent_socket, inside_node);

		list_remove(node);
		if (socket->wants & WATCH_READ)
			socket->events->on_readable(socket->owner);
	}
}

static void
socket_idle_too_long(void *owner)
{
	agent_socket_close(owner);
}

void
agent_socket_want(struct agent_socket *socket, unsigned wants)
{
	socket->wants = wants;
	watch_want(&socket->watch, wants);
	if ((wants & WATCH_READ) && stream_has_input(&socket->stream))
		socket_hear_again(socket);
}

enum stream_result
agent_socket_read(struct agent_socket *socket, char *to, size_t room, size_t *count_out)
{
	enum stream_result result = stream_read(&socket->stream, to, room, count_out);

	if (result == STREAM_OK && stream_has_input(&socket->stream))
		socket_hear_again(socket);
	return result;
}

enum stream_result
agent_socket_write(struct agent_socket *socket, const struct iovec *pieces, unsigned count, size_t *count_out)
{
	enum stream_result result = stream_write(&socket->stream, pieces, count, false, count_out);

	socket->sent += *count_out;
	return result;
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

/* In all, ever. UINT64_MAX: nobody knows. */
static uint64_t
socket_acknowledged(const struct agent_socket *socket)
{
	struct tcp_info info = { .tcpi_bytes_acked = UINT64_MAX };
	socklen_t size = sizeof(info);

	return getsockopt(socket->stream.fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked
										       : UINT64_MAX;
}

static uint64_t
secure_unread(const struct agent_socket *socket)
{
	bool is_all = socket->acknowledged != UINT64_MAX && socket_acknowledged(socket) == socket->acknowledged;

	return is_all ? socket->sent : UINT64_MAX;
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

	if (stream_is_secure(&socket->stream))
		return secure_unread(socket);
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

/* What is asked once more costs a system call, so only those hear it that cannot be sent again. */
static void
socket_lend(struct agent_socket *socket, bool careful, const struct socket_events *events, void *owner)
{
	socket->events = events;
	socket->owner = owner;
	socket->requests++;
	socket->sent = 0;
	socket->wants = WATCH_READ;
	socket->acknowledged = careful && stream_is_secure(&socket->stream) ? socket_acknowledged(socket) : UINT64_MAX;
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
	is_connected &= agent->tls == NULL;
	socket = memory_zalloc(sizeof(*socket));
	stream_init(&socket->stream, fd);
	socket->agent = agent;
	socket->opened_ms = loop_now_ms(world->loop);
	socket->is_connecting = !is_connected;
	timeout_init(&socket->idle, socket_idle_too_long, socket);
	watch_init(&socket->watch, world->loop, fd, socket_ready, socket);
	watch_want(&socket->watch, is_connected ? WATCH_READ : WATCH_WRITE);
	socket_lend(socket, false, events, owner);
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
		socket_lend(*socket_out, careful, events, owner);
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
	watch_want(&socket->watch, WATCH_READ);
	list_add_first(&agent->free, &socket->node);
	agent->free_count++;
	timeout_arm(&socket->idle, agent_idle_class(agent));
	peers_hear_of_room(&agent->peers);
}
