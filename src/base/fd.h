/*
 * fd: descriptors, born close-on-exec, and whole files.
 */
#ifndef REEVE_BASE_FD_H
#define REEVE_BASE_FD_H

#include "base/err.h"
#include "base/text.h"

#include <sys/types.h>

void	fd_close(int *fd_io);				/* closes when ≥ 0, and stores -1 */
bool	fd_set_nonblocking(int fd, bool nonblocking);
bool	fd_set_cloexec(int fd, bool cloexec);
bool	fd_write_all(int fd, struct span bytes);	/* for blocking descriptors; retries EINTR and short writes */

/* The whole of a regular file, at most max_bytes; the sentence names the path. */
bool	file_read(const char *path, size_t max_bytes, struct text *to, struct err *err);

/* Written to a temporary neighbour, synced and renamed over. */
bool	file_write(const char *path, struct span bytes, mode_t mode, struct err *err);

/* mkdir -p. */
bool	directory_make(const char *path, mode_t mode, struct err *err);

/* How many descriptors this process has open (from /proc/self/fd). */
size_t	fd_count(void);

#endif
