/* The kernel says who is at the other end (SO_PEERCRED): nobody has to be believed. */
#include "control/socket.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool
control_address(const char *path, struct sockaddr_un *address_out, struct err *err)
{
	size_t len = strlen(path);

	*address_out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len == 0)
		return err_set(err, "the control socket's path is empty");
	if (len >= sizeof(address_out->sun_path))
		return err_set(err, "the control socket's path %s is longer than the %zu bytes a unix socket's may have",
		    path, sizeof(address_out->sun_path) - 1);
	memcpy(address_out->sun_path, path, len + 1);
	return true;
}

int
control_connect(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failure;

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return fd;
	failure = errno;
	fd_close(&fd);
	errno = failure;
	return -1;
}

bool
control_peer(int fd, pid_t *pid_out, uid_t *uid_out)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	*pid_out = peer.pid;
	*uid_out = peer.uid;
	return true;
}
