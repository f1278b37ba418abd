/* Text to endpoint and back; then socket, bind, listen, with a sentence for each way that fails. */
#include "net/endpoint.h"

#include "base/count.h"
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_PASSED_FD 3	/* SD_LISTEN_FDS_START of sd_listen_fds(3) */
#define PASSED_MAX 1024		/* descriptors that we look at */
#define UNIX_SOCKET_MODE 0666	/* who may connect is the directory's matter, as with other servers */

static_assert(sizeof(((struct endpoint *)0)->path) == sizeof(((struct sockaddr_un *)0)->sun_path), "a path that fits");

/* -- text ---------------------------------------------------------------------------------------------------------- */

static bool
path_parse(struct span from, enum endpoint_kind kind, const char *what, struct endpoint *endpoint_out, struct err *err)
{
	if (from.len == 0)
		return err_set(err, "%s is missing", what);
	if (from.len >= sizeof(endpoint_out->path))
		return err_set(err, "%s is too long: at most %zu bytes", what, sizeof(endpoint_out->path) - 1);
	if (memchr(from.at, '\0', from.len) != NULL)
		return err_set(err, "%s holds a NUL byte", what);
	endpoint_out->kind = kind;
	memcpy(endpoint_out->path, from.at, from.len);
	return true;
}

/* ":8080": IPv6 and, because the socket is not IPv6-only, IPv4. */
static void
any_address(uint16_t port, struct address *address_out)
{
	address_out->in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_ANY_INIT,
	};
}

static bool
internet_parse(struct span from, struct endpoint *endpoint_out, struct err *err)
{
	size_t colon = span_find_last(from, ':');
	struct span host = span_first(from, colon);
	struct span port_text = span_skip(from, colon + 1);
	uint64_t port;

	if (span_to_number(from, 65535, &port))
		return err_set(err, "a port alone is no address (did you mean \":%u\"?)", (unsigned)port);
	if (colon == from.len || (memchr(host.at, ':', host.len) != NULL && host.at[0] != '['))
		return err_set(err, "the port is missing (:8080, 127.0.0.1:8080, [::1]:8080, unix:/path or fd:NAME)");
	if (!span_to_number(port_text, 65535, &port) || port == 0)
		return err_set(err, "\"%.*s\" is no port: 1 to 65535", (int)port_text.len, port_text.at);
	endpoint_out->kind = ENDPOINT_INTERNET;
	if (host.len == 0) {
		any_address((uint16_t)port, &endpoint_out->address);
		return true;
	}
	if (span_is(host, "*"))
		return err_set(err, "every interface is written \":%u\"", (unsigned)port);
	if (address_parse_host(host, (uint16_t)port, &endpoint_out->address))
		return true;
	return err_set(err, "\"%.*s\" is no numeric address (names are not looked up here)", (int)host.len, host.at);
}

bool
endpoint_parse(struct span from, struct endpoint *endpoint_out, struct err *err)
{
	memset(endpoint_out, 0, sizeof(*endpoint_out));
	if (from.len == 0)
		return err_set(err, "an address is missing (:8080, 127.0.0.1:8080, [::1]:8080, unix:/path or fd:NAME)");
	if (span_starts_with(from, SPAN_OF("unix:")))
		return path_parse(span_skip(from, 5), ENDPOINT_UNIX, "the socket's path", endpoint_out, err);
	if (span_starts_with(from, SPAN_OF("fd:")))
		return path_parse(span_skip(from, 3), ENDPOINT_PASSED, "the descriptor's name", endpoint_out, err);
	return internet_parse(from, endpoint_out, err);
}

static bool
is_any_address(const struct address *address)
{
	return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

size_t
endpoint_format(const struct endpoint *endpoint, char to[128])
{
	int len;

	if (endpoint->kind == ENDPOINT_UNIX)
		len = snprintf(to, 128, "unix:%s", endpoint->path);
	else if (endpoint->kind == ENDPOINT_PASSED)
		len = snprintf(to, 128, "fd:%s", endpoint->path);
	else if (is_any_address(&endpoint->address))
		len = snprintf(to, 128, ":%u", (unsigned)address_port(&endpoint->address));
	else
		return address_format(&endpoint->address, to);
	return (size_t)len;
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == ENDPOINT_INTERNET)
		return address_equal(&a->address, &b->address);
	return strncmp(a->path, b->path, sizeof(a->path)) == 0;
}

/* -- listening ----------------------------------------------------------------------------------------------------- */

/* The kernel's word, and what can be done about it. Always -1. */
static int
fail(const struct endpoint *endpoint, int fd, struct err *err)
{
	static const struct {
		int		 error;
		const char	*advice;
	} advices[] = {
		{ EADDRINUSE, " (another program listens there: `ss -ltnp` tells which)" },
		{ EADDRNOTAVAIL, " (no interface of this machine has the address)" },
		{ EACCES, " (ports below 1024 need root, CAP_NET_BIND_SERVICE or a socket from systemd)" },
		{ EPERM, " (ports below 1024 need root, CAP_NET_BIND_SERVICE or a socket from systemd)" },
		{ EMFILE, " (raise the limit of open files)" },
	};
	const char *advice = "";
	int error = errno;
	char text[128];

	for (size_t i = 0; i < COUNT(advices); i++) {
		if (advices[i].error == error && endpoint->kind == ENDPOINT_INTERNET)
			advice = advices[i].advice;
	}
	endpoint_format(endpoint, text);
	err_set(err, "cannot listen on %s: %s%s", text, strerror(error), advice);
	fd_close(&fd);
	return -1;
}

static bool
socket_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* TCP_NODELAY is inherited by what is accepted, so nobody needs a system call for each connection. */
static bool
internet_options(int fd, const struct address *address, bool reuse_port)
{
	return socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
	    (!reuse_port || socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
	    (address->any.sa_family != AF_INET6 ||
		socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, is_any_address(address) ? 0 : 1));
}

static int
internet_listen(const struct endpoint *endpoint, int backlog, bool reuse_port, struct err *err)
{
	struct address address = endpoint->address;
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* A machine without IPv6 still has every IPv4 interface. */
	if (fd < 0 && errno == EAFNOSUPPORT && is_any_address(&address)) {
		uint16_t port = address.in6.sin6_port;

		address.in4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd < 0 || !internet_options(fd, &address, reuse_port) ||
	    bind(fd, &address.any, address_length(&address)) != 0 || listen(fd, backlog) != 0)
		return fail(endpoint, fd, err);
	return fd;
}

/* Of a process that ended without removing it: nobody accepts there. */
static bool
is_left_over(const struct sockaddr_un *address)
{
	struct stat status;
	int fd;
	bool is_refused;

	if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	is_refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
	    errno == ECONNREFUSED;
	fd_close(&fd);
	return is_refused;
}

static int
unix_fail(const struct endpoint *endpoint, int fd, struct err *err)
{
	struct stat status;

	if (errno != EADDRINUSE || lstat(endpoint->path, &status) != 0)
		return fail(endpoint, fd, err);
	fd_close(&fd);
	if (S_ISSOCK(status.st_mode))
		err_set(err, "cannot listen on unix:%s: another program listens there", endpoint->path);
	else
		err_set(err, "cannot listen on unix:%s: a file of that name is no socket", endpoint->path);
	return -1;
}

static int
unix_listen(const struct endpoint *endpoint, int backlog, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, endpoint->path, sizeof(address.sun_path));
	if (fd < 0)
		return fail(endpoint, fd, err);
	if (is_left_over(&address))
		(void)unlink(address.sun_path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return unix_fail(endpoint, fd, err);
	if (chmod(address.sun_path, UNIX_SOCKET_MODE) != 0 || listen(fd, backlog) != 0) {
		fail(endpoint, fd, err);
		(void)unlink(address.sun_path);
		return -1;
	}
	return fd;
}

/* -- passed by systemd --------------------------------------------------------------------------------------------- */

static uint64_t
environment_number(const char *name)
{
	uint64_t number = 0;

	(void)span_to_number(span_text(getenv(name)), UINT32_MAX, &number);
	return number;
}

/* sd_listen_fds(3): the variables count only for the process whose pid they name. -1: there is none of that name. */
static int
passed_find(const char *name)
{
	struct span names = span_text(getenv("LISTEN_FDNAMES"));
	uint64_t count = environment_number("LISTEN_FDS");
	struct span one;

	if (environment_number("LISTEN_PID") != (uint64_t)getpid())
		return -1;
	for (int i = 0; i < PASSED_MAX && (uint64_t)i < count && span_cut(&names, ':', &one); i++) {
		if (span_is(one, name))
			return FIRST_PASSED_FD + i;
	}
	return -1;
}

/* A duplicate, so that the listener can be removed from the configuration and come back. */
static int
passed_listen(const struct endpoint *endpoint, int backlog, struct err *err)
{
	int passed = passed_find(endpoint->path);
	int is_listening = 0;
	socklen_t size = sizeof(is_listening);
	int fd;

	if (passed < 0) {
		err_set(err, "cannot listen on fd:%s: no socket of that name was passed (systemd: FileDescriptorName=)",
		    endpoint->path);
		return -1;
	}
	if (!fd_set_cloexec(passed, true) || !fd_set_nonblocking(passed, true) ||
	    getsockopt(passed, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0)
		return fail(endpoint, -1, err);
	if (!is_listening && listen(passed, backlog) != 0)
		return fail(endpoint, -1, err);
	fd = fcntl(passed, F_DUPFD_CLOEXEC, 0);
	return fd >= 0 ? fd : fail(endpoint, -1, err);
}

int
endpoint_listen(const struct endpoint *endpoint, int backlog, bool reuse_port, struct err *err)
{
	switch (endpoint->kind) {
	case ENDPOINT_INTERNET:
		return internet_listen(endpoint, backlog, reuse_port, err);
	case ENDPOINT_UNIX:
		return unix_listen(endpoint, backlog, err);
	case ENDPOINT_PASSED:
		return passed_listen(endpoint, backlog, err);
	}
	assert(!"a kind of endpoint that is none");
	return -1;
}
