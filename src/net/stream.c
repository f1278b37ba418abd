/*
 * Plain sockets: each verb is its system call, with EINTR repeated and errors sorted into four results. What is TLS goes
 * to tls.c.
 */
#include "net/stream.h"

#include "base/fd.h"
#include "loop/loop.h"
#include "net/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

void
stream_init(struct stream *stream, int fd)
{
	stream->fd = fd;
	stream->tls = NULL;
}

void
stream_secure(struct stream *stream, struct tls *tls)
{
	stream->tls = tls;
}

enum stream_result
stream_handshake(struct stream *stream)
{
	return stream->tls ? tls_handshake(stream->tls) : STREAM_OK;
}

unsigned
stream_wants(const struct stream *stream)
{
	return stream->tls ? tls_wants(stream->tls) : WATCH_READ;
}

void
stream_flush(struct stream *stream)
{
	if (stream->tls)
		tls_flush(stream->tls);
}

bool
stream_has_input(const struct stream *stream)
{
	return stream->tls && tls_has_input(stream->tls);
}

const char *
stream_why(const struct stream *stream)
{
	return stream->tls ? tls_why(stream->tls) : strerror(errno);
}

static enum stream_result
result_of_errno(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_BROKEN;
}

enum stream_result
stream_read(struct stream *stream, char *to, size_t room, size_t *count_out)
{
	ssize_t count;

	if (stream->tls)
		return tls_read(stream->tls, to, room, count_out);
	do {
		count = recv(stream->fd, to, room, 0);
	} while (count < 0 && errno == EINTR);
	if (count < 0) {
		*count_out = 0;
		return result_of_errno();
	}
	*count_out = (size_t)count;
	return count > 0 ? STREAM_OK : STREAM_END;
}

enum stream_result
stream_write(struct stream *stream, const struct iovec *pieces, unsigned count, bool more, size_t *count_out)
{
	struct msghdr message = { .msg_iovlen = count };
	ssize_t written;
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	if (stream->tls)
		return tls_write(stream->tls, pieces, count, more, count_out);
	if (count == 1) {
		do {
			written = send(stream->fd, pieces[0].iov_base, pieces[0].iov_len, flags);
		} while (written < 0 && errno == EINTR);
	} else {
		memcpy(&message.msg_iov, &pieces, sizeof(pieces));	/* sendmsg() does not write through it */
		do {
			written = sendmsg(stream->fd, &message, flags);
		} while (written < 0 && errno == EINTR);
	}
	*count_out = written > 0 ? (size_t)written : 0;
	return written < 0 ? result_of_errno() : STREAM_OK;
}

enum stream_result
stream_send_file(struct stream *stream, int fd, uint64_t *offset_io, uint64_t length, size_t *count_out)
{
	off_t offset = (off_t)*offset_io;
	size_t want = length < (1u << 30) ? (size_t)length : (1u << 30);
	ssize_t sent;

	if (stream->tls)
		return tls_send_file(stream->tls, fd, offset_io, length, count_out);
	do {
		sent = sendfile(stream->fd, fd, &offset, want);
	} while (sent < 0 && errno == EINTR);
	*count_out = sent > 0 ? (size_t)sent : 0;
	if (sent < 0)
		return result_of_errno();
	*offset_io = (uint64_t)offset;
	return sent > 0 ? STREAM_OK : STREAM_END;
}

void
stream_shutdown(struct stream *stream)
{
	if (stream->tls)
		tls_shutdown(stream->tls);
	if (stream->fd >= 0)
		shutdown(stream->fd, SHUT_WR);
}

void
stream_close(struct stream *stream)
{
	if (stream->tls && stream->fd >= 0)
		tls_shutdown(stream->tls);
	tls_free(stream->tls);
	stream->tls = NULL;
	fd_close(&stream->fd);
}

void
stream_reset(struct stream *stream)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (stream->fd >= 0)
		setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	tls_free(stream->tls);
	stream->tls = NULL;
	fd_close(&stream->fd);
}

void
stream_tune(struct stream *stream, bool internet)
{
	const int on = 1;

	if (internet)
		setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}
