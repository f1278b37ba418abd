/* What may be done to the descriptor depends on what it is: a file of our own, a socket, or a pipe others share. */
#include "logger/destination.h"

#include "base/fd.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640
#define FILE_BATCH ((size_t)256 * 1024)
#define SOCKET_BATCH ((size_t)64 * 1024)

/* 1, 2, or -1 for a path. */
static int
output_fd(const char *output)
{
	if (strcmp(output, "stderr") == 0)
		return STDERR_FILENO;
	return strcmp(output, "stdout") == 0 ? STDOUT_FILENO : -1;
}

/* O_NONBLOCK: a FIFO that nobody reads refuses instead of waiting; on a file of ours it changes nothing. */
static int
path_open(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, FILE_MODE);

	if (fd < 0)
		err_set_errno(err, "cannot open %s%s", path, errno == ENXIO ? " (a FIFO that nobody reads)" : "");
	return fd;
}

bool
destination_open(struct destination *destination, const char *output, struct err *err)
{
	struct stat about;
	int standard = output_fd(output);
	int fd = standard < 0 ? path_open(output, err) : standard;

	if (fd < 0)
		return false;
	*destination = (struct destination){ .fd = fd, .path = standard < 0 ? memory_copy_text(output) : NULL };
	if (fstat(fd, &about) == 0) {
		destination->is_file = S_ISREG(about.st_mode);
		destination->is_socket = S_ISSOCK(about.st_mode);
	}
	return true;
}

void
destination_close(struct destination *destination)
{
	if (destination->path)
		fd_close(&destination->fd);
	memory_free(destination->path);
	*destination = (struct destination){ .fd = -1 };
}

size_t
destination_batch(const struct destination *destination)
{
	if (destination->is_file)
		return FILE_BATCH;
	return destination->is_socket ? SOCKET_BATCH : PIPE_BUF;
}

static bool
fd_takes_bytes(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	return poll(&poll_fd, 1, 0) != 0;
}

static ssize_t
bytes_send(const struct destination *destination, struct span bytes)
{
	if (destination->is_socket)
		return send(destination->fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!destination->is_file && !fd_takes_bytes(destination->fd)) {
		errno = EAGAIN;
		return -1;
	}
	return write(destination->fd, bytes.at, bytes.len);
}

enum destination_result
destination_write(struct destination *destination, struct span bytes, size_t *written_out, struct err *err)
{
	ssize_t written = bytes_send(destination, span_first(bytes, destination_batch(destination)));

	*written_out = written > 0 ? (size_t)written : 0;
	if (written >= 0)
		return DESTINATION_OK;
	if (errno == EAGAIN || errno == EINTR)
		return DESTINATION_AGAIN;
	err_set_errno(err, "cannot write to %s",
	    destination->path ? destination->path : destination->fd == STDOUT_FILENO ? "stdout" : "stderr");
	return DESTINATION_FAILED;
}

bool
output_is_terminal(const char *output)
{
	int fd = output_fd(output);

	return fd >= 0 && isatty(fd);
}
