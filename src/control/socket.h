/*
 * socket: the control socket as a file, for both ends.
 */
#ifndef REEVE_CONTROL_SOCKET_H
#define REEVE_CONTROL_SOCKET_H

#include "base/err.h"

#include <sys/types.h>
#include <sys/un.h>

/* False when the path does not fit: the sentence says so. */
bool	control_address(const char *path, struct sockaddr_un *address_out, struct err *err);

/* A connected socket, close-on-exec and non-blocking; -1 with errno. EAGAIN: too many callers wait already. */
int	control_connect(const struct sockaddr_un *address);

/* Who is at the other end of a connected socket. False: not told. */
bool	control_peer(int fd, pid_t *pid_out, uid_t *uid_out);

#endif
