/*
 * stream: bytes to and from one peer, in order, plain or TLS.
 *
 * One system call a verb, never blocking, never calling back: the owner may free anything right after any of them
 * returns. It has no timeouts and no queue (downstream/out.h has one). The process ignores SIGPIPE: sendfile(2) has no
 * flag against it.
 *
 * A stream with `tls` set speaks TLS in the same verbs once stream_handshake() has said STREAM_OK. Then two things are
 * different: bytes may wait inside, where no readiness tells of them (stream_has_input()); and an end without
 * close_notify is STREAM_BROKEN, because somebody in between may have cut what the peer sent (RFC 8446 §6.1).
 */
#ifndef REEVE_NET_STREAM_H
#define REEVE_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum stream_result {
	STREAM_OK = 0,	/* some bytes moved */
	STREAM_AGAIN,	/* none for now: wait for readiness */
	STREAM_END,	/* the peer finished sending; we may still write */
	STREAM_BROKEN,	/* nothing moves any more; stream_why() says why */
};

struct tls;

struct stream {
	int		 fd;	/* owned; -1 when closed */
	struct tls	*tls;	/* owned; NULL: plain */
};

static inline bool
stream_is_secure(const struct stream *stream)
{
	return stream->tls != NULL;
}

void			 stream_init(struct stream *stream, int fd);		/* plain */
void			 stream_secure(struct stream *stream, struct tls *tls);	/* takes tls; nothing was read before */
/* TLS has failed and said why: what still comes is read as it is, to be forgotten. */
void			 stream_expose(struct stream *stream);

/*
 * STREAM_OK: done, but for what leaves with the first write or stream_flush(): a server's session tickets, a client's
 * last words, without which the server is not done. STREAM_AGAIN: wait for what stream_wants() says; STREAM_END: the
 * peer left. Plain streams are done at once.
 */
enum stream_result	 stream_handshake(struct stream *stream);
unsigned		 stream_wants(const struct stream *stream);	/* enum watch_for */
void			 stream_flush(struct stream *stream);

enum stream_result	 stream_read(struct stream *stream, char *to, size_t room, size_t *count_out);

/* As many bytes as the peer takes now. `more`: the kernel may wait a moment for what follows (MSG_MORE). */
enum stream_result	 stream_write(struct stream *stream, const struct iovec *pieces, unsigned count, bool more,
    size_t *count_out);

/* From *offset_io of fd, at most `length`. STREAM_END: the file is shorter than that. */
enum stream_result	 stream_send_file(struct stream *stream, int fd, uint64_t *offset_io, uint64_t length,
    size_t *count_out);

/* Bytes have come that stream_read() would give now although the socket may never become readable again. */
bool			 stream_has_input(const struct stream *stream);

/* After STREAM_BROKEN and before the next verb: a sentence without a full stop. Never empty. */
const char		*stream_why(const struct stream *stream);

void			 stream_shutdown(struct stream *stream);	/* we are done sending: close_notify, FIN */
void			 stream_close(struct stream *stream);		/* with close_notify when nothing was broken */
void			 stream_reset(struct stream *stream);	/* closes so that the peer sees a reset, not an end */

/* No Nagle delay, for sockets that we open; accepted ones have it from their listening socket. */
void			 stream_tune(struct stream *stream, bool internet);

#endif
