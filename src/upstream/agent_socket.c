/*
 * A socket from its dialling to its close. With TLS it is connected when its handshake is done. OpenSSL may have read
 * more than its borrower had room for, and no readiness tells of that: such sockets stand in world->inside, and hear
 * again in the next turn, one read each, so that a fast server cannot keep the loop to itself.
 */
#include "upstream/agent_socket.h"

#include "base/memory.h"
#include "net/tls.h"
#include "store/slots.h"
#include "upstream/peer.h"
#include "upstream/world.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>

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

/* The last words of a handshake leave with what the borrower writes at once, and at the latest now. */
static void
socket_opened(struct agent_socket *socket)
{
	socket->is_handshaking = false;
	agent_socket_want(socket, WATCH_READ);
	socket->events->on_connected(socket->owner, 0, NULL);
	stream_flush(&socket->stream);
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

/* -- readiness ----------------------------------------------------------------------------------------------------- */

/*
 * A free socket that has said something, or was closed, is of no use. With TLS a look at the socket is not enough:
 * session tickets and updates of keys may lie there, which mean nothing to us, or a close_notify.
 */
bool
agent_socket_is_quiet(struct agent_socket *socket)
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
		if (socket->stream.fd >= 0 && !(stream_is_secure(&socket->stream) && agent_socket_is_quiet(socket)))
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

void
agent_socket_want(struct agent_socket *socket, unsigned wants)
{
	assert(!socket->is_connecting && !socket->is_handshaking);
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

/* -- life ---------------------------------------------------------------------------------------------------------- */

static void
socket_idle_too_long(void *owner)
{
	agent_socket_close(owner);
}

struct agent_socket *
agent_socket_open(struct agent *agent, int fd, bool is_connected)
{
	struct upstream_world *world = agent->world;
	struct agent_socket *socket = memory_zalloc(sizeof(*socket));

	stream_init(&socket->stream, fd);
	socket->agent = agent;
	socket->opened_ms = loop_now_ms(world->loop);
	socket->is_connecting = !is_connected;
	timeout_init(&socket->idle, socket_idle_too_long, socket);
	watch_init(&socket->watch, world->loop, fd, socket_ready, socket);
	watch_want(&socket->watch, is_connected ? WATCH_READ : WATCH_WRITE);
	agent->count++;
	slot_add(&world->slot->totals.upstream_connects, 1);
	slot_set(&world->slot->upstream_sockets, slot_get(&world->slot->upstream_sockets) + 1);
	return socket;
}

/* What is asked once more costs a system call, so only those hear it that cannot be sent again. */
void
agent_socket_lend(struct agent_socket *socket, bool careful, const struct socket_events *events, void *owner)
{
	socket->events = events;
	socket->owner = owner;
	socket->requests++;
	socket->sent = 0;
	socket->wants = WATCH_READ;
	socket->acknowledged = careful && stream_is_secure(&socket->stream) ? socket_acknowledged(socket) : UINT64_MAX;
}

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
