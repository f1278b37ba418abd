/*
 * Bytes first, then the file. The first bytes leave with MSG_MORE when a file follows, so head and content share
 * packets.
 */
#include "downstream/out.h"

#include <assert.h>

void
out_init(struct out *out)
{
	text_init(&out->bytes);
	out->sent = 0;
	out->file = -1;
	out->file_left = 0;
}

void
out_fini(struct out *out)
{
	text_fini(&out->bytes);
	out_init(out);
}

bool
out_is_empty(const struct out *out)
{
	return out->bytes.len == out->sent && out->file_left == 0;
}

size_t
out_waiting(const struct out *out)
{
	return out->bytes.len - out->sent;
}

void
out_add(struct out *out, const struct iovec *pieces, unsigned count, size_t skip)
{
	assert(out->file_left == 0);
	for (unsigned i = 0; i < count; i++) {
		struct span piece = span_make(pieces[i].iov_base, pieces[i].iov_len), rest = span_skip(piece, skip);

		if (rest.len > 0)
			text_add(&out->bytes, rest);
		skip -= piece.len - rest.len;
	}
}

void
out_add_file(struct out *out, int fd, uint64_t offset, uint64_t length)
{
	assert(out->file_left == 0);
	out->file = fd;
	out->file_at = offset;
	out->file_left = length;
}

static enum stream_result
flush_bytes(struct out *out, struct stream *stream, size_t *moved_io)
{
	while (out->sent < out->bytes.len) {
		const struct iovec piece = { out->bytes.bytes + out->sent, out->bytes.len - out->sent };
		size_t count;
		enum stream_result result = stream_write(stream, &piece, 1, out->file_left > 0, &count);

		if (result != STREAM_OK)
			return result;
		out->sent += count;
		*moved_io += count;
	}
	text_fini(&out->bytes);
	out->sent = 0;
	return STREAM_OK;
}

static enum stream_result
flush_file(struct out *out, struct stream *stream, size_t quantum, size_t *moved_io)
{
	while (out->file_left > 0) {
		uint64_t length = out->file_left < quantum ? out->file_left : quantum;
		size_t count;
		enum stream_result result = stream_send_file(stream, out->file, &out->file_at, length, &count);

		if (result == STREAM_END)
			return STREAM_BROKEN;	/* the file became shorter: the announced length cannot be kept */
		if (result != STREAM_OK)
			return result;
		out->file_left -= count;
		*moved_io += count;
		if (count >= quantum)
			return out->file_left > 0 ? STREAM_AGAIN : STREAM_OK;
		quantum -= count;
	}
	return STREAM_OK;
}

enum stream_result
out_flush(struct out *out, struct stream *stream, size_t quantum, size_t *moved_out)
{
	enum stream_result result = STREAM_OK;

	*moved_out = 0;
	if (out->sent < out->bytes.len)
		result = flush_bytes(out, stream, moved_out);
	if (result == STREAM_OK && out->file_left > 0)
		result = flush_file(out, stream, quantum, moved_out);
	return result;
}
