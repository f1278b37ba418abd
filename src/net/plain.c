/* System calls with EINTR repeated and errors sorted into four results. */
#include "net/plain.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

static enum stream_result
result_of_errno(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_BROKEN;
}

enum stream_result
plain_read(int socket, char *to, size_t room, size_t *count_out)
{
	ssize_t count;

	do {
		count = recv(socket, to, room, 0);
	} while (count < 0 && errno == EINTR);
	if (count < 0) {
		*count_out = 0;
		return result_of_errno();
	}
	*count_out = (size_t)count;
	return count > 0 ? STREAM_OK : STREAM_END;
}

enum stream_result
plain_write(int socket, const struct iovec *pieces, unsigned count, bool more, size_t *count_out)
{
	struct msghdr message = { .msg_iovlen = count };
	ssize_t written;
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	if (count == 1) {
		do {
			written = send(socket, pieces[0].iov_base, pieces[0].iov_len, flags);
		} while (written < 0 && errno == EINTR);
	} else {
		memcpy(&message.msg_iov, &pieces, sizeof(pieces));	/* sendmsg() does not write through it */
		do {
			written = sendmsg(socket, &message, flags);
		} while (written < 0 && errno == EINTR);
	}
	*count_out = written > 0 ? (size_t)written : 0;
	return written < 0 ? result_of_errno() : STREAM_OK;
}

enum stream_result
plain_send_file(int socket, int fd, uint64_t *offset_io, uint64_t length, size_t *count_out)
{
	off_t offset = (off_t)*offset_io;
	size_t want = length < (1u << 30) ? (size_t)length : (1u << 30);
	ssize_t sent;

	do {
		sent = sendfile(socket, fd, &offset, want);
	} while (sent < 0 && errno == EINTR);
	*count_out = sent > 0 ? (size_t)sent : 0;
	if (sent < 0)
		return result_of_errno();
	*offset_io = (uint64_t)offset;
	return sent > 0 ? STREAM_OK : STREAM_END;
}
