/*
 * connload: load that wrk does not make: closed-loop clients, each a new connection per request or one that is kept and
 * watched, counting every way a request can fail.
 *
 *	connload [-k] [-n CLIENTS] [-s SECONDS] PORT PATH
 *	connload -i CONNECTIONS PORT PATH	opens so many, one request on each, says so, holds them until stdin ends
 *
 * Prints: done N failed N closed N refused N seconds S. closed: kept connections that ended between two answers or were
 * told to. A client waits 5 s for an answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 20000, INPUT = 65536, EVENTS = 256 };

static struct client {
	int		fd;
	bool		connecting;
	bool		in_body;
	bool		will_close;
	bool		served;	/* at least one answer came on this connection */
	size_t		head_len;
	uint64_t	left;
	uint64_t	deadline_ms;
	char		head[2048];
} *clients;

static int poll_fd;
static bool keep;
static struct sockaddr_in address = { .sin_family = AF_INET };
static char request[4096];
static size_t request_len;
static uint64_t done, failed, closed, refused;
static uint64_t idle_wanted, idle_have;

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
watch(struct client *client, unsigned events, int operation)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	epoll_ctl(poll_fd, operation, client->fd, &event);
}

static void
client_connect(struct client *client)
{
	int on = 1;

	*client = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.connecting = true, .deadline_ms = now_ms() + 5000 };
	if (client->fd < 0) {
		perror("socket");
		exit(1);
	}
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS)
		refused++;
	watch(client, EPOLLOUT, EPOLL_CTL_ADD);
}

static void
client_again(struct client *client)
{
	close(client->fd);
	client_connect(client);
}

static void
client_ask(struct client *client)
{
	client->head_len = 0;
	client->in_body = client->will_close = false;
	client->deadline_ms = now_ms() + 5000;
	if (write(client->fd, request, request_len) == (ssize_t)request_len)
		return;
	/* kept alive, and gone before we could ask: a closed connection, not a failed request of ours to repair */
	client->served ? closed++ : failed++;
	client_again(client);
}

static void
client_broke(struct client *client)
{
	if (client->served && client->head_len == 0 && !client->in_body)
		closed++;	/* it ended while the next request was under way */
	failed++;
	client_again(client);
}

static void
client_answered(struct client *client)
{
	done++;
	client->served = true;
	if (idle_wanted) {
		client->deadline_ms = UINT64_MAX;
		idle_have++;
		return;
	}
	if (!keep) {
		/* The server closes; whoever closes first keeps TIME_WAIT, so wait for it. */
		client->will_close = true;
	} else if (client->will_close) {
		closed++;
		client_again(client);
	} else {
		client_ask(client);
	}
}

/* Looks at what came of the head; true when it is complete. Then `from` stands behind it. */
static bool
client_head(struct client *client, const char *bytes, size_t count, size_t *from)
{
	size_t before = client->head_len, room = sizeof(client->head) - 1 - before;
	size_t some = count < room ? count : room;

	memcpy(client->head + before, bytes, some);
	client->head_len += some;
	client->head[client->head_len] = '\0';
	char *end = strstr(client->head, "\r\n\r\n");
	if (!end)
		return false;
	*from = (size_t)(end + 4 - client->head) - before;
	char *length = strcasestr(client->head, "\ncontent-length:");
	client->left = length && length < end ? strtoull(length + 16, NULL, 10) : 0;
	char *connection = strcasestr(client->head, "\nconnection: close");
	client->will_close = connection && connection < end;
	client->in_body = true;
	return true;
}

static void
client_read(struct client *client)
{
	static char input[INPUT];
	ssize_t got = read(client->fd, input, sizeof(input));
	size_t from = 0;

	if (got < 0 && errno == EAGAIN)
		return;
	if (!keep && client->will_close && client->served) {
		if (got <= 0)
			client_again(client);
		return;
	}
	if (got <= 0) {
		client_broke(client);
		return;
	}
	if (!client->in_body && !client_head(client, input, (size_t)got, &from))
		return;
	uint64_t body = (uint64_t)got - from;
	client->left -= body < client->left ? body : client->left;
	if (client->left)
		return;
	if (strncmp(client->head, "HTTP/1.1 200", 12)) {
		failed++;
		client_again(client);
		return;
	}
	client->in_body = false;
	client_answered(client);
}

static void
client_ready(struct client *client)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!client->connecting) {
		client_read(client);
		return;
	}
	getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		refused++;
		failed++;
		client_again(client);
		return;
	}
	client->connecting = false;
	watch(client, EPOLLIN, EPOLL_CTL_MOD);
	client_ask(client);
}

static void
expire(unsigned count)
{
	uint64_t now = now_ms();

	for (unsigned i = 0; i < count; i++) {
		if (now < clients[i].deadline_ms)
			continue;
		if (keep || !clients[i].served)
			failed++;
		client_again(&clients[i]);
	}
}

static void
run(unsigned count, uint64_t until_ms)
{
	struct epoll_event events[EVENTS];
	uint64_t next_look = now_ms() + 500;

	while (now_ms() < until_ms && (!idle_wanted || idle_have < idle_wanted)) {
		int ready = epoll_wait(poll_fd, events, EVENTS, 100);

		for (int i = 0; i < ready; i++)
			client_ready(events[i].data.ptr);
		if (now_ms() < next_look)
			continue;
		expire(count);
		next_look = now_ms() + 500;
	}
}

int
main(int argc, char **argv)
{
	unsigned count = 32;
	double seconds = 5;
	int option;

	while ((option = getopt(argc, argv, "kn:s:i:")) != -1) {
		switch (option) {
		case 'k': keep = true; break;
		case 'n': count = (unsigned)strtoul(optarg, NULL, 10); break;
		case 's': seconds = strtod(optarg, NULL); break;
		case 'i': idle_wanted = strtoul(optarg, NULL, 10); count = (unsigned)idle_wanted; keep = true; break;
		default: return 2;
		}
	}
	if (argc - optind != 2 || count == 0 || count > CLIENTS_MAX) {
		fprintf(stderr, "usage: connload [-k] [-n CLIENTS] [-s SECONDS] [-i CONNECTIONS] PORT PATH\n");
		return 2;
	}
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)strtoul(argv[optind], NULL, 10));
	request_len = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", argv[optind + 1],
	    keep ? "" : "Connection: close\r\n");
	clients = calloc(count, sizeof(*clients));
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || poll_fd < 0)
		return 1;
	uint64_t start = now_ms();
	for (unsigned i = 0; i < count; i++) {
		client_connect(&clients[i]);
		if (idle_wanted && i % 500 == 499) {	/* in parts, so that no backlog overflows */
			uint64_t wanted = idle_wanted;

			idle_wanted = i + 1;
			run(i + 1, now_ms() + 10000);
			idle_wanted = wanted;
		}
	}
	run(count, idle_wanted ? now_ms() + 20000 : start + (uint64_t)(seconds * 1000));
	printf("done %lu failed %lu closed %lu refused %lu seconds %.3f\n", (unsigned long)done, (unsigned long)failed,
	    (unsigned long)closed, (unsigned long)refused, (double)(now_ms() - start) / 1000);
	fflush(stdout);
	if (idle_wanted)
		while (getchar() != EOF)
			;
	return 0;
}
