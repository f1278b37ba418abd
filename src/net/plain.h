/*
 * plain: the verbs of stream.h on a bare socket: each is its system call. What it leaves in errno is the reason of
 * STREAM_BROKEN.
 */
#ifndef REEVE_NET_PLAIN_H
#define REEVE_NET_PLAIN_H

#include "net/stream.h"

enum stream_result	plain_read(int socket, char *to, size_t room, size_t *count_out);
enum stream_result	plain_write(int socket, const struct iovec *pieces, unsigned count, bool more,
    size_t *count_out);
enum stream_result	plain_send_file(int socket, int fd, uint64_t *offset_io, uint64_t length, size_t *count_out);

#endif
