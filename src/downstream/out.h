/*
 * out: what a client's socket did not take at once: bytes, then perhaps a stretch of a file.
 *
 * Bytes added after a file stretch are not allowed before that has left (transport.h: wait for on_drained); an assert
 * says so. Memory is held only while something waits.
 */
#ifndef REEVE_DOWNSTREAM_OUT_H
#define REEVE_DOWNSTREAM_OUT_H

#include "base/text.h"
#include "net/stream.h"

struct out {
	struct text	bytes;
	size_t		sent;	/* of bytes */
	int		file;	/* borrowed; -1: none */
	uint64_t	file_at;
	uint64_t	file_left;
};

void			out_init(struct out *out);
void			out_fini(struct out *out);
bool			out_is_empty(const struct out *out);
size_t			out_waiting(const struct out *out);	/* bytes in memory */
void			out_add(struct out *out, const struct iovec *pieces, unsigned count, size_t skip);
void			out_add_file(struct out *out, int fd, uint64_t offset, uint64_t length);

/* As much as the socket takes now, at most `quantum` bytes of a file. STREAM_OK: all has left. */
enum stream_result	out_flush(struct out *out, struct stream *stream, size_t quantum, size_t *moved_out);

#endif
