/*
 * origin: a bare epoll loop that answers canned bytes, one read and one write a request. It is the floor that servers are
 * measured against, and the upstream of the proxied cases.
 *
 *	origin PORT	GET /N answers N bytes (at most 1 MB); keep-alive, pipelining, no other methods, no content;
 *			GET /Nc closes behind the answer
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
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS = 65536, SIZE_MAX_ANSWER = 1 << 20, HEAD_ROOM = 256, EVENTS = 256, INPUT = 65536 };

static struct client {
	unsigned	 matched;	/* bytes of "\r\n\r\n" at the end of what came */
	size_t		 size;		/* of the answer; known from the request line's first piece */
	bool		 will_close;
	size_t		 unsent;	/* of the answer under way */
	const char	*rest;
} clients[FDS];

static struct answer {
	size_t	 size;
	size_t	 length;
	char	*bytes;
} answers[16];

static int poll_fd;

static const struct answer *
answer_of(size_t size)
{
	struct answer *answer = answers;

	for (; answer->bytes; answer++)
		if (answer->size == size)
			return answer;
	if (answer == answers + 15 || size > SIZE_MAX_ANSWER)
		return answers;
	answer->bytes = malloc(HEAD_ROOM + size);
	if (!answer->bytes)
		abort();
	int head = snprintf(answer->bytes, HEAD_ROOM, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
	    "Content-Length: %zu\r\n\r\n", size);
	memset(answer->bytes + head, 'x', size);
	answer->size = size;
	answer->length = (size_t)head + size;
	return answer;
}

static void
client_close(int fd)
{
	close(fd);
	clients[fd] = (struct client){ 0 };
}

static void
wait_for(int fd, unsigned events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event);
}

/* False: the socket is full or gone. */
static bool
client_send(int fd, const char *bytes, size_t length)
{
	ssize_t sent = write(fd, bytes, length);

	if (sent == (ssize_t)length)
		return true;
	if (sent < 0 && errno != EAGAIN) {
		client_close(fd);
		return false;
	}
	clients[fd].rest = bytes + (sent > 0 ? sent : 0);
	clients[fd].unsent = length - (size_t)(sent > 0 ? sent : 0);
	wait_for(fd, EPOLLOUT);
	return false;
}

static void
client_read(int fd)
{
	static char input[INPUT + 1];
	struct client *client = &clients[fd];
	ssize_t got = read(fd, input, INPUT);

	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			client_close(fd);
		return;
	}
	input[got] = '\0';
	for (const char *at = input; at < input + got; at++) {
		if (client->matched == 0 && !strncmp(at, "GET /", 5)) {
			char *end;

			client->size = strtoul(at + 5, &end, 10);
			client->will_close = *end == 'c';
		}
		client->matched = *at == "\r\n\r\n"[client->matched] ? client->matched + 1 : *at == '\r';
		if (client->matched == 4) {
			const struct answer *answer = answer_of(client->size);

			client->matched = 0;
			if (!client_send(fd, answer->bytes, answer->length))
				return;
			if (client->will_close) {
				client_close(fd);
				return;
			}
		}
	}
}

static void
client_continue(int fd)
{
	struct client *client = &clients[fd];
	size_t unsent = client->unsent;

	client->unsent = 0;
	wait_for(fd, EPOLLIN);
	client_send(fd, client->rest, unsent);
}

static void
accept_all(int listener)
{
	for (int i = 0; i < 8; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

		if (fd < 0)
			return;
		if (fd >= FDS) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event events[EVENTS];
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (argc != 2) {
		fprintf(stderr, "usage: origin PORT\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4096)) {
		perror("origin");
		return 1;
	}
	answer_of(13);
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &(struct epoll_event){ .events = EPOLLIN, .data.fd = listener });
	for (;;) {
		int count = epoll_wait(poll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				accept_all(listener);
			else if (events[i].events & EPOLLOUT)
				client_continue(fd);
			else
				client_read(fd);
		}
	}
}
