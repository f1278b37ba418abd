/* rooms: base loop net conf */
#include "net/endpoint.h"

#include "base/fd.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/reeve-unit-endpoint.XXXXXX";

static int
set_up(void **state)
{
	return mkdtemp(directory) == NULL;
}

static int
tear_down(void **state)
{
	return rmdir(directory);
}

static struct endpoint
endpoint_of(const char *text)
{
	struct endpoint endpoint;
	struct err err;

	if (!endpoint_parse(span_text(text), &endpoint, &err))
		fail_msg("%s: %s", text, err.text);
	return endpoint;
}

static void
test_round_trip(void **state)
{
	static const char *const texts[] = {
		":8080", "127.0.0.1:80", "[::1]:65535", "[2001:db8::7]:443", "unix:/run/a b.sock", "fd:web",
		"0.0.0.0:1",
	};
	char shown[128];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct endpoint endpoint = endpoint_of(texts[i]);

		assert_int_equal(endpoint_format(&endpoint, shown), strlen(texts[i]));
		assert_string_equal(shown, texts[i]);
		for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
			struct endpoint other = endpoint_of(texts[j]);

			assert_int_equal(endpoint_equal(&endpoint, &other), i == j);
		}
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char	*text;
		const char	*says;
	} rows[] = {
		{ "", "missing" },
		{ "8080", "did you mean \":8080\"" },
		{ ":0", "no port" },
		{ ":65536", "no port" },
		{ ":", "no port" },
		{ ":80 ", "no port" },
		{ "127.0.0.1", "port is missing" },
		{ "::1", "port is missing" },
		{ "::1:80", "port is missing" },
		{ "*:80", "written \":80\"" },
		{ "localhost:80", "no numeric address" },
		{ "300.1.1.1:80", "no numeric address" },
		{ "[::1:80", "no numeric address" },
		{ "unix:", "path is missing" },
		{ "fd:", "name is missing" },
		{ "unix:/01234567890123456789012345678901234567890123456789012345678901234567890123456789"
		  "0123456789012345678901234567", "too long: at most 107" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct endpoint endpoint;
		struct err err = { "" };

		assert_false(endpoint_parse(span_text(rows[i].text), &endpoint, &err));
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("\"%s\": %s", rows[i].text, err.text);
	}
}

/* A port that was free a moment ago. */
static uint16_t
free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static bool
can_connect(const char *ip, uint16_t port)
{
	struct address address;
	int fd;
	bool is_connected;

	assert_true(address_parse_host(span_text(ip), port, &address));
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_connected = connect(fd, &address.any, address_length(&address)) == 0;
	close(fd);
	return is_connected;
}

static void
test_listens(void **state)
{
	uint16_t port = free_port();
	char text[64];
	struct endpoint endpoint;
	struct err err = { "" };
	int fd, nodelay = 0;
	socklen_t size = sizeof(nodelay);

	snprintf(text, sizeof(text), ":%u", port);
	endpoint = endpoint_of(text);
	fd = endpoint_listen(&endpoint, 16, false, &err);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(can_connect("127.0.0.1", port));
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
	assert_true(nodelay);
	assert_int_equal(endpoint_listen(&endpoint, 16, false, &err), -1);
	assert_non_null(strstr(err.text, text));
	assert_non_null(strstr(err.text, "another program listens there"));
	assert_int_equal(endpoint_listen(&endpoint, 16, true, &err), -1);
	close(fd);
	fd = endpoint_listen(&endpoint, 16, true, &err);
	assert_true(fd >= 0);
	nodelay = endpoint_listen(&endpoint, 16, true, &err);
	assert_true(nodelay >= 0);
	close(fd);
	close(nodelay);
}

static void
test_no_such_address(void **state)
{
	struct endpoint endpoint = endpoint_of("192.0.2.1:8080");
	struct err err;

	assert_int_equal(endpoint_listen(&endpoint, 16, false, &err), -1);
	assert_non_null(strstr(err.text, "no interface of this machine"));
}

static void
test_unix(void **state)
{
	char path[100], text[110];
	struct endpoint endpoint;
	struct err err = { "" };
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "%s/s", directory);
	snprintf(text, sizeof(text), "unix:%s", path);
	endpoint = endpoint_of(text);
	fd = endpoint_listen(&endpoint, 16, false, &err);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0666);
	assert_int_equal(endpoint_listen(&endpoint, 16, false, &err), -1);
	assert_non_null(strstr(err.text, "another program listens there"));
	close(fd);	/* the file stays behind, as after a crash */
	fd = endpoint_listen(&endpoint, 16, false, &err);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(endpoint_listen(&endpoint, 16, false, &err), -1);
	assert_non_null(strstr(err.text, "no socket"));
	assert_int_equal(stat(path, &status), 0);	/* nobody's file is removed */
	unlink(path);
	endpoint = endpoint_of("unix:/nowhere/at/all/s");
	assert_int_equal(endpoint_listen(&endpoint, 16, false, &err), -1);
	assert_non_null(strstr(err.text, "unix:/nowhere/at/all/s: No such file"));
}

/* In a child, because descriptor 3 on and LISTEN_PID are the process's own. */
static void
test_passed(void **state)
{
	struct endpoint listener, web = endpoint_of("fd:web"), other = endpoint_of("fd:other");
	char text[64], pid[32];
	pid_t child;
	int status;

	snprintf(text, sizeof(text), "127.0.0.1:%u", free_port());
	listener = endpoint_of(text);
	child = fork();
	if (child == 0) {
		int listening = endpoint_listen(&listener, 16, false, NULL);
		struct err err;
		int fd;

		dup2(listening, 4);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv("LISTEN_PID", "1", 1);
		setenv("LISTEN_FDS", "2", 1);
		setenv("LISTEN_FDNAMES", "control:web", 1);
		if (endpoint_listen(&web, 16, false, &err) >= 0)
			_exit(1);	/* meant for another process */
		setenv("LISTEN_PID", pid, 1);
		fd = endpoint_listen(&web, 16, false, &err);
		if (fd < 5 || !(fcntl(fd, F_GETFD) & FD_CLOEXEC) || !(fcntl(4, F_GETFD) & FD_CLOEXEC))
			_exit(2);
		if (!can_connect("127.0.0.1", address_port(&listener.address)))
			_exit(3);
		fd = endpoint_listen(&other, 16, false, &err);
		_exit(fd < 0 && strstr(err.text, "no socket of that name") ? 0 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_listens),
		cmocka_unit_test(test_no_such_address),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_passed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
