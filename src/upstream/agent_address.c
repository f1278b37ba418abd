/* Where a server is, and the first step there: a socket that does not wait. */
#include "upstream/agent.h"

#include <errno.h>
#include <stdio.h>

bool
agent_address_equal(const struct agent_address *a, const struct agent_address *b)
{
	if (a->address.any.sa_family == AF_UNIX && b->address.any.sa_family == AF_UNIX)
		return strcmp(a->path, b->path) == 0;
	return address_equal(&a->address, &b->address);
}

size_t
agent_address_format(const struct agent_address *address, char to[AGENT_ADDRESS_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];
	int len;

	if (address->address.any.sa_family == AF_UNIX) {
		len = snprintf(to, AGENT_ADDRESS_TEXT_MAX, "unix:%s", address->path);
	} else {
		address_format(&address->address, text);
		len = snprintf(to, AGENT_ADDRESS_TEXT_MAX, "%s", text);
	}
	return len < AGENT_ADDRESS_TEXT_MAX ? (size_t)len : AGENT_ADDRESS_TEXT_MAX - 1;
}

static int
connect_to(int fd, const struct agent_address *address)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (address->address.any.sa_family != AF_UNIX)
		return connect(fd, &address->address.any, address_length(&address->address));
	memcpy(un.sun_path, address->path, sizeof(un.sun_path));
	return connect(fd, (const struct sockaddr *)&un, sizeof(un));
}

int
agent_address_dial(const struct agent_address *address, bool *is_connected_out)
{
	int family = address->address.any.sa_family;
	struct stream stream;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -1;
	stream_init(&stream, fd);
	stream_tune(&stream, family != AF_UNIX);
	*is_connected_out = connect_to(fd, address) == 0;
	if (*is_connected_out || errno == EINPROGRESS)
		return fd;
	error = errno;
	stream_close(&stream);
	errno = error;
	return -1;
}
