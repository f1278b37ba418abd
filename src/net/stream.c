/* Each verb goes to tls.c or plain.c. */
#include "net/stream.h"

#include "base/fd.h"
#include "loop/loop.h"
#include "net/plain.h"
#include "net/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

void
stream_expose(struct stream *stream)
{
	tls_free(stream->tls);
	stream->tls = NULL;
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

enum stream_result
stream_read(struct stream *stream, char *to, size_t room, size_t *count_out)
{
	return stream->tls ? tls_read(stream->tls, to, room, count_out) : plain_read(stream->fd, to, room, count_out);
}

enum stream_result
stream_write(struct stream *stream, const struct iovec *pieces, unsigned count, bool more, size_t *count_out)
{
	return stream->tls ? tls_write(stream->tls, pieces, count, more, count_out)
			   : plain_write(stream->fd, pieces, count, more, count_out);
}

enum stream_result
stream_send_file(struct stream *stream, int fd, uint64_t *offset_io, uint64_t length, size_t *count_out)
{
	return stream->tls ? tls_send_file(stream->tls, fd, offset_io, length, count_out)
			   : plain_send_file(stream->fd, fd, offset_io, length, count_out);
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
	stream_expose(stream);
	fd_close(&stream->fd);
}

void
stream_reset(struct stream *stream)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (stream->fd >= 0)
		setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	stream_expose(stream);
	fd_close(&stream->fd);
}

void
stream_tune(struct stream *stream, bool internet)
{
	const int on = 1;

	if (internet)
		setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}
