/*
 * Sockets are compared by address and kind. When the number of seats of a reuse_port listener changes, the new object
 * has duplicates of the sockets that stay, and the same id: workers that have theirs keep it.
 */
#include "primary/listeners.h"

#include "base/fd.h"
#include "base/memory.h"

#include <assert.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

struct listener {
	unsigned	 refs;
	uint64_t	 id;
	struct endpoint	 endpoint;
	bool		 reuse_port;
	int		*fds;	/* owned */
	size_t		 fd_count;
	ino_t		 inode;	/* of a unix socket's file, to remove ours only */
};

static uint64_t last_id;

/* -- one listener -------------------------------------------------------------------------------------------------- */

static void
path_remove(const struct listener *listener)
{
	struct stat status;

	if (listener->endpoint.kind == ENDPOINT_UNIX && listener->inode != 0 &&
	    lstat(listener->endpoint.path, &status) == 0 && status.st_ino == listener->inode)
		(void)unlink(listener->endpoint.path);
}

static void
listener_unref(struct listener *listener)
{
	if (listener == NULL || --listener->refs > 0)
		return;
	path_remove(listener);
	for (size_t i = 0; i < listener->fd_count; i++)
		fd_close(&listener->fds[i]);
	memory_free(listener->fds);
	memory_free(listener);
}

static bool
is_by_seat(const struct orders_listener *wanted)
{
	return wanted->reuse_port && wanted->endpoint.kind == ENDPOINT_INTERNET;
}

static size_t
sockets_wanted(const struct orders_listener *wanted, const struct orders *orders)
{
	return is_by_seat(wanted) ? orders->workers : 1;
}

/* Two sockets of one address need the flag on both, so it is set on the ones that stay only as long as it takes. */
static void
sockets_allow(const struct listener *listener, bool allow)
{
	int value = allow || listener->reuse_port;

	for (size_t i = 0; i < listener->fd_count; i++)
		(void)setsockopt(listener->fds[i], SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

static bool
listener_add_sockets(struct listener *listener, const struct orders_listener *wanted, size_t count, bool is_replacing,
    struct err *err)
{
	listener->fds = memory_resize(listener->fds, count * sizeof(*listener->fds));
	while (listener->fd_count < count) {
		int fd = endpoint_listen(&wanted->endpoint, wanted->backlog, listener->reuse_port || is_replacing, err);

		if (fd < 0)
			return false;
		listener->fds[listener->fd_count++] = fd;
	}
	return true;
}

static struct listener *
listener_create(const struct orders_listener *wanted, uint64_t id)
{
	struct listener *listener = memory_zalloc(sizeof(*listener));

	listener->refs = 1;
	listener->id = id;
	listener->endpoint = wanted->endpoint;
	listener->reuse_port = is_by_seat(wanted);
	return listener;
}

static void
listener_note_inode(struct listener *listener)
{
	struct stat status;

	if (listener->endpoint.kind == ENDPOINT_UNIX && lstat(listener->endpoint.path, &status) == 0)
		listener->inode = status.st_ino;
}

/* `other` holds the address, but as another kind of listener; NULL: nobody of ours does. */
static struct listener *
listener_open(const struct orders_listener *wanted, size_t count, struct listener *other, struct err *err)
{
	struct listener *listener = listener_create(wanted, ++last_id);
	bool is_open;

	if (other != NULL)
		sockets_allow(other, true);
	is_open = listener_add_sockets(listener, wanted, count, other != NULL, err);
	if (other != NULL) {
		sockets_allow(other, false);
		sockets_allow(listener, false);
	}
	if (is_open) {
		listener_note_inode(listener);
		return listener;
	}
	listener_unref(listener);
	return NULL;
}

/* The same listener for another number of seats. */
static struct listener *
listener_resize(const struct listener *from, const struct orders_listener *wanted, size_t count, struct err *err)
{
	struct listener *listener = listener_create(wanted, from->id);

	listener->fds = memory_alloc(count * sizeof(*listener->fds));
	while (listener->fd_count < from->fd_count && listener->fd_count < count) {
		listener->fds[listener->fd_count] = fcntl(from->fds[listener->fd_count], F_DUPFD_CLOEXEC, 0);
		if (listener->fds[listener->fd_count] < 0) {
			err_set_errno(err, "cannot duplicate a listening socket");
			listener_unref(listener);
			return NULL;
		}
		listener->fd_count++;
	}
	if (listener_add_sockets(listener, wanted, count, false, err))
		return listener;
	listener_unref(listener);
	return NULL;
}

/* -- an edition's listeners ---------------------------------------------------------------------------------------- */

static struct listener *
listeners_find(const struct listeners *listeners, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < listeners->count; i++) {
		if (endpoint_equal(&listeners->items[i]->endpoint, endpoint))
			return listeners->items[i];
	}
	return NULL;
}

static struct listener *
listener_obtain(const struct orders_listener *wanted, const struct orders *orders, const struct listeners *before,
    struct err *err)
{
	struct listener *found = listeners_find(before, &wanted->endpoint);
	size_t count = sockets_wanted(wanted, orders);

	if (found == NULL || found->reuse_port != is_by_seat(wanted))
		return listener_open(wanted, count, found, err);
	if (found->fd_count != count)
		return listener_resize(found, wanted, count, err);
	found->refs++;
	return found;
}

bool
listeners_open(struct listeners *listeners, const struct orders *orders, const struct listeners *before,
    struct err *err)
{
	*listeners = (struct listeners){
		.items = memory_zalloc(orders->listener_count * sizeof(*listeners->items)),
	};
	for (size_t i = 0; i < orders->listener_count; i++) {
		struct listener *listener = listener_obtain(&orders->listeners[i], orders, before, err);

		if (listener == NULL) {
			listeners_close(listeners);
			return false;
		}
		listeners->items[listeners->count++] = listener;
	}
	return true;
}

void
listeners_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		listener_unref(listeners->items[i]);
	memory_free(listeners->items);
	*listeners = (struct listeners){ 0 };
}

/* listen(2) again only changes the backlog. */
void
listeners_settle(const struct listeners *listeners, const struct orders *orders)
{
	for (size_t i = 0; i < listeners->count; i++) {
		for (size_t j = 0; j < listeners->items[i]->fd_count; j++)
			(void)listen(listeners->items[i]->fds[j], orders->listeners[i].backlog);
	}
}

bool
listener_is_new(const struct listeners *before, const struct listener *listener)
{
	const struct listener *found = listeners_find(before, &listener->endpoint);

	return found == NULL || found->id != listener->id;
}

uint64_t
listener_id(const struct listener *listener)
{
	return listener->id;
}

int
listener_fd(const struct listener *listener, unsigned seat)
{
	assert(listener->fd_count > 0);
	return listener->fds[seat % listener->fd_count];
}

size_t
listener_format(const struct listener *listener, char to[128])
{
	return endpoint_format(&listener->endpoint, to);
}

/* Of a listening socket the kernel says the queue where others have their unacknowledged segments (tcp(7)). */
void
listener_queue(const struct listener *listener, uint64_t *waiting_out, uint64_t *room_out)
{
	*waiting_out = 0;
	*room_out = 0;
	for (size_t i = 0; i < listener->fd_count; i++) {
		struct tcp_info state = { 0 };
		socklen_t size = sizeof(state);

		if (getsockopt(listener->fds[i], IPPROTO_TCP, TCP_INFO, &state, &size) != 0)
			continue;
		*waiting_out += state.tcpi_unacked;
		*room_out += state.tcpi_sacked;
	}
}
