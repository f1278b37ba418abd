/* The listening socket: how it comes to its name, who is let in, how many. A caller's life is call.c's. */
#include "control/server.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/memory.h"
#include "control/call.h"
#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CALLS_MAX 8
#define BACKLOG 64
#define PAUSE_MS 500u
#define CLOSE_MS 1000u
#define SOCKET_MODE 0600
#define DIRECTORY_MODE 0755
#define LOCK_TRIES 50u
#define LOCK_TRY_MS 20

/* -- the name ------------------------------------------------------------------------------------------------------ */

/*
 * Two that start at once must not both find the socket stale and remove each other's, so one waits for the other; not
 * for long, because anybody who may read the directory can hold such a lock.
 */
static void
directory_lock(int fd)
{
	const struct timespec a_while = { .tv_nsec = LOCK_TRY_MS * 1000000 };

	for (unsigned i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; i++)
		nanosleep(&a_while, NULL);
}

static int
directory_open(const char *directory, struct err *err)
{
	int fd;

	if (!directory_make(directory, DIRECTORY_MODE, err))
		return -1;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_set_errno(err, "cannot use the control socket's directory %s", directory);
	else
		directory_lock(fd);
	return fd;
}

/* The directory that the socket is in, made when missing, and locked. */
static int
directory_open_of(const char *path, struct err *err)
{
	char *copy = memory_copy_text(path);
	char *slash = strrchr(copy, '/');
	int fd;

	if (slash)
		*slash = '\0';
	fd = directory_open(slash == NULL ? "." : slash == copy ? "/" : copy, err);
	memory_free(copy);
	return fd;
}

static bool
say_running(const struct sockaddr_un *address, int fd, struct err *err)
{
	pid_t pid = 0;
	uid_t uid;

	if (fd >= 0 && control_peer(fd, &pid, &uid) && pid > 0)
		return err_set(err, "reeve is already running (pid %d): it answers at %s", (int)pid, address->sun_path);
	return err_set(err, "reeve is already running: somebody listens at %s", address->sun_path);
}

/* Makes way for the new socket: what nobody answers at is removed, but only sockets. */
static bool
stale_remove(const struct sockaddr_un *address, struct err *err)
{
	struct stat about;
	int fd;

	if (lstat(address->sun_path, &about) != 0)
		return errno == ENOENT || err_set_errno(err, "cannot look at the control socket %s", address->sun_path);
	if (!S_ISSOCK(about.st_mode))
		return err_set(err, "the control socket %s cannot be made: something else is there", address->sun_path);
	fd = control_connect(address);
	if (fd >= 0 || errno == EAGAIN) {
		say_running(address, fd, err);
		fd_close(&fd);
		return false;
	}
	if (errno != ECONNREFUSED)
		return err_set_errno(err, "cannot tell whether somebody answers at the control socket %s",
		    address->sun_path);
	if (unlink(address->sun_path) != 0 && errno != ENOENT)
		return err_set_errno(err, "cannot remove the stale control socket %s", address->sun_path);
	return true;
}

/* fchmod(2) before bind(2) gives the file its mode from the first moment. */
static int
name_bind(const struct sockaddr_un *address, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_bound = fd >= 0 && fchmod(fd, SOCKET_MODE) == 0 &&
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (is_bound && chmod(address->sun_path, SOCKET_MODE) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err_set_errno(err, "cannot make the control socket %s", address->sun_path);
	if (is_bound)
		unlink(address->sun_path);
	fd_close(&fd);
	return -1;
}

static int
socket_open(const char *path, struct err *err)
{
	struct sockaddr_un address;
	int directory, fd = -1;

	if (!control_address(path, &address, err))
		return -1;
	directory = directory_open_of(path, err);
	if (directory < 0)
		return -1;
	if (stale_remove(&address, err))
		fd = name_bind(&address, err);
	fd_close(&directory);
	return fd;
}

/* Whoever has removed it and made his own since keeps his. */
static void
socket_remove(const struct control_server *server)
{
	struct stat about;

	if (lstat(server->path, &about) == 0 && about.st_dev == server->device && about.st_ino == server->inode)
		unlink(server->path);
}

/* -- callers ------------------------------------------------------------------------------------------------------- */

static bool
caller_is_allowed(int fd)
{
	pid_t pid;
	uid_t uid;

	return control_peer(fd, &pid, &uid) && (uid == 0 || uid == geteuid());
}

static void
server_watch(struct control_server *server)
{
	bool takes_more = server->call_count < CALLS_MAX && !timer_is_armed(&server->pause);

	watch_want(&server->watch, takes_more ? WATCH_READ : WATCH_NOTHING);
}

static void
server_pause_over(void *owner)
{
	server_watch(owner);
}

static void
server_accept(void *owner, unsigned ready)
{
	struct control_server *server = owner;
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)ready;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			timer_arm(&server->pause, PAUSE_MS);
	} else if (!caller_is_allowed(fd)) {
		fd_close(&fd);
	} else {
		list_add_last(&server->calls, &control_call_start(server, fd)->node);
		server->call_count++;
	}
	server_watch(server);
}

void
server_call_ended(struct control_server *server)
{
	server->call_count--;
	if (server->fd >= 0)
		server_watch(server);
}

/* -- open and close ------------------------------------------------------------------------------------------------ */

struct control_server *
control_server_open(struct loop *loop, const char *path, const struct control_verbs *verbs, void *owner,
    struct err *err)
{
	struct control_server *server;
	struct stat about = { 0 };
	int fd = socket_open(path, err);

	if (fd < 0)
		return NULL;
	server = memory_zalloc(sizeof(*server));
	*server = (struct control_server){ .loop = loop, .verbs = verbs, .owner = owner, .fd = fd };
	server->path = memory_copy_text(path);
	lstat(path, &about);
	server->device = about.st_dev;
	server->inode = about.st_ino;
	list_init(&server->calls);
	timer_init(&server->pause, loop, server_pause_over, server);
	watch_init(&server->watch, loop, fd, server_accept, server);
	watch_want(&server->watch, WATCH_READ);
	return server;
}

/* Waits for a caller to take his answer, for the loop will not run any more. */
static void
call_finish(struct control_call *call, uint64_t deadline_ms)
{
	struct pollfd room = { .fd = call->fd, .events = POLLOUT };
	uint64_t now_ms;

	control_call_send(call);
	while (call->sent < call->answer.len && (now_ms = clock_ms()) < deadline_ms) {
		if (poll(&room, 1, (int)(deadline_ms - now_ms)) > 0 && (room.revents & (POLLERR | POLLHUP)))
			break;
		control_call_send(call);
	}
}

void
control_server_close(struct control_server *server)
{
	uint64_t deadline_ms = clock_ms() + CLOSE_MS;
	struct list_node *node;

	if (server == NULL)
		return;
	socket_remove(server);
	watch_fini(&server->watch);
	timer_fini(&server->pause);
	fd_close(&server->fd);
	while ((node = list_first(&server->calls)) != NULL) {
		struct control_call *call = LIST_OWNER(node, struct control_call, node);

		if (call->state == CALL_WAITING)
			control_reply(call, false, SPAN_OF("reeve is ending"));
		if (call->state == CALL_ANSWERED)
			call_finish(call, deadline_ms);
		control_call_end(call);
	}
	memory_free(server->path);
	memory_free(server);
}

const char *
control_server_path(const struct control_server *server)
{
	return server->path;
}
