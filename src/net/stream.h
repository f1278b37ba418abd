/*
 * stream: bytes to and from one peer, in order.
 *
 * One system call a verb, never blocking, never calling back: the owner may free anything right after any of them
 * returns. It has no timeouts and no queue (downstream/out.h has one). The process ignores SIGPIPE: sendfile(2) has no
 * flag against it.
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
	STREAM_BROKEN,	/* nothing moves any more; errno of the call says why */
};

struct stream {
	int	fd;	/* owned; -1 when closed */
};

void			stream_init(struct stream *stream, int fd);
enum stream_result	stream_read(struct stream *stream, char *to, size_t room, size_t *count_out);

/* As many bytes as the peer takes now. `more`: the kernel may wait a moment for what follows (MSG_MORE). */
enum stream_result	stream_write(struct stream *stream, const struct iovec *pieces, unsigned count, bool more,
    size_t *count_out);

/* From *offset_io of fd, at most `length`. STREAM_END: the file is shorter than that. */
enum stream_result	stream_send_file(struct stream *stream, int fd, uint64_t *offset_io, uint64_t length,
    size_t *count_out);

void			stream_shutdown(struct stream *stream);	/* we are done sending */
void			stream_close(struct stream *stream);
void			stream_reset(struct stream *stream);	/* closes so that the peer sees a reset, not an end */

/* No Nagle delay, for sockets that we open; accepted ones have it from their listening socket. */
void			stream_tune(struct stream *stream, bool internet);

#endif
