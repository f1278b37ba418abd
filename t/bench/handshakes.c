/*
 * handshakes: load that no tool makes: TLS handshakes and nothing else, full or resumed, as many as can be or so many a
 * second; and connections that are held afterwards.
 *
 *	handshakes [-r] [-S FILE] [-n CLIENTS] [-s SECONDS] [-R RATE] [-g PATH] [-d STALLED] PORT
 *	handshakes -i CONNECTIONS [-2] [-g PATH] PORT	opens so many, one request on each (-2: HTTP/2), says so, holds them
 *							until stdin ends
 *
 * -r: each resumes the same session, which a connection of its own fetches first; -S: which is kept in the file, or taken
 * from it. -1: TLS 1.2. -g: a request on each connection, `Connection: close`. -d: besides, so many connections that say
 * half a ClientHello and then nothing, replaced when they are closed.
 * A handshake without a request ends with our close_notify; the server closes first and keeps TIME_WAIT.
 *
 * Prints, at the end or at SIGTERM: done N failed N resumed N late N slowest MS seconds S. late: those a rate asked for while all clients were busy.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 20000, EVENTS = 256, PATIENCE_MS = 5000 };

enum state { IDLE, SHAKING, ASKING, LEAVING, HELD, STALLED };

static struct client {
	int		 fd;
	enum state	 state;
	SSL		*ssl;
	uint64_t	 began_ms;
	size_t		 answer_len;
	char		 answer[32];	/* its beginning */
	uint64_t	 left;		/* of an HTTP/2 frame */
} *clients;

static int poll_fd;
static struct sockaddr_in address = { .sin_family = AF_INET };
static SSL_CTX *context;
static SSL_SESSION *session;
static const char *session_path;
static char request[4096];
static size_t request_len;
static bool resumes, holds, is_h2, is_old;
static double rate;
static volatile sig_atomic_t is_over;
static uint64_t done, failed, resumed, late, slowest_ms, held;

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
client_connect(struct client *client, enum state state)
{
	*client = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .state = state,
		.began_ms = now_ms() };
	if (client->fd < 0) {
		perror("socket");
		exit(1);
	}
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) && errno != EINPROGRESS)
		failed++;
	watch(client, EPOLLOUT, EPOLL_CTL_ADD);
	if (state == STALLED)
		return;
	client->ssl = SSL_new(context);
	SSL_set_fd(client->ssl, client->fd);
	SSL_set_connect_state(client->ssl);
	if (session) {	/* OpenSSL uses one of TLS 1.3 once */
		SSL_SESSION *copy = SSL_SESSION_dup(session);

		SSL_set_session(client->ssl, copy);
		SSL_SESSION_free(copy);
	}
}

/* The next one at once, unless a rate says when. */
static void
client_end(struct client *client)
{
	enum state was = client->state;

	SSL_free(client->ssl);
	close(client->fd);
	if (was == STALLED)
		client_connect(client, STALLED);
	else if (rate > 0)
		*client = (struct client){ .fd = -1, .state = IDLE };
	else
		client_connect(client, SHAKING);
}

static void
client_broke(struct client *client)
{
	if (getenv("HANDSHAKES_WHY"))
		fprintf(stderr, "failed in state %d: %s, %s\n", client->state, strerror(errno),
		    ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : "");
	failed++;
	client_end(client);
}

static void
client_done(struct client *client)
{
	uint64_t took = now_ms() - client->began_ms;

	if (took > slowest_ms)
		slowest_ms = took;
	done++;
	if (SSL_session_reused(client->ssl))
		resumed++;
}

/* What OpenSSL waits for. False: it is broken. */
static bool
client_waits(struct client *client, int result)
{
	switch (SSL_get_error(client->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		watch(client, EPOLLIN, EPOLL_CTL_MOD);
		return true;
	case SSL_ERROR_WANT_WRITE:
		watch(client, EPOLLOUT, EPOLL_CTL_MOD);
		return true;
	default:
		return false;
	}
}

/* Nothing more of TLS: only the socket stays, which is what the server shall hold. */
static void
client_hold(struct client *client)
{
	client_done(client);
	SSL_free(client->ssl);
	client->ssl = NULL;
	client->state = HELD;
	watch(client, 0, EPOLL_CTL_MOD);
	held++;
}

static void
client_leave(struct client *client)
{
	SSL_shutdown(client->ssl);
	client->state = LEAVING;
	watch(client, EPOLLIN, EPOLL_CTL_MOD);
}

/* The end of stream 1 among frames that may come in any pieces: only heads are looked at. */
static bool
h2_answered(struct client *client, const char *bytes, size_t count)
{
	while (count > 0) {
		size_t some = client->left < count ? client->left : count;

		client->left -= some, bytes += some, count -= some;
		while (count > 0 && client->left == 0 && client->answer_len < 9) {
			client->answer[client->answer_len++] = *bytes++;
			count--;
		}
		if (client->left == 0 && client->answer_len == 9) {
			const unsigned char *head = (const unsigned char *)client->answer;

			client->left = (uint64_t)head[0] << 16 | (uint64_t)head[1] << 8 | head[2];
			client->answer_len = 0;
			if (head[3] <= 1 && (head[4] & 1) && head[8] == 1)
				return true;
		}
	}
	return false;
}

static void
client_listen(struct client *client)
{
	char bytes[16384];
	int got = SSL_read(client->ssl, bytes, sizeof(bytes));

	if (got <= 0) {
		if (!client_waits(client, got)) {
			/* the answer is whole when it was one and the server said so */
			if (!holds && client->answer_len >= 12 && strncmp(client->answer, "HTTP/1.1 200", 12) == 0 &&
			    SSL_get_shutdown(client->ssl) & SSL_RECEIVED_SHUTDOWN) {
				client_done(client);
				client_leave(client);
			} else {
				client_broke(client);
			}
		}
		return;
	}
	if (is_h2) {
		if (h2_answered(client, bytes, (size_t)got))
			client_hold(client);
		return;
	}
	for (int i = 0; i < got && client->answer_len < sizeof(client->answer) - 1; i++)
		client->answer[client->answer_len++] = bytes[i];
	if (holds && client->answer_len >= 12) {
		if (strncmp(client->answer, "HTTP/1.1 200", 12) == 0)
			client_hold(client);
		else
			client_broke(client);
	}
}

static void
client_shake(struct client *client)
{
	int result = SSL_do_handshake(client->ssl);

	if (result != 1) {
		if (!client_waits(client, result))
			client_broke(client);
		return;
	}
	if (request_len == 0) {
		client_done(client);
		client_leave(client);
		return;
	}
	client->state = ASKING;
	watch(client, EPOLLIN, EPOLL_CTL_MOD);
	if (SSL_write(client->ssl, request, (int)request_len) != (int)request_len)
		client_broke(client);
}

static void
client_stall(struct client *client)
{
	static const char half[] = "\x16\x03\x01\x01\x2f\x01\x00\x01\x2b\x03\x03 and nothing more of it";
	char bytes[64];
	ssize_t got = read(client->fd, bytes, sizeof(bytes));

	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		client_end(client);
		return;
	}
	watch(client, EPOLLIN, EPOLL_CTL_MOD);
	if (client->answer_len++ == 0 && write(client->fd, half, sizeof(half) - 1) < 0)
		client_end(client);
}

static void
client_ready(struct client *client)
{
	char bytes[4096];
	ssize_t got;

	ERR_clear_error();
	switch (client->state) {
	case SHAKING:
		client_shake(client);
		break;
	case ASKING:
		client_listen(client);
		break;
	case LEAVING:	/* tickets and the server's close_notify: not looked at */
		got = read(client->fd, bytes, sizeof(bytes));
		if (got == 0 || (got < 0 && errno != EAGAIN))
			client_end(client);
		break;
	case STALLED:
		client_stall(client);
		break;
	case HELD:
	case IDLE:
		break;
	}
}

static void
expire(unsigned count)
{
	uint64_t now = now_ms();

	for (unsigned i = 0; i < count; i++) {
		struct client *client = &clients[i];

		if (client->state == HELD || client->state == IDLE || client->state == STALLED || now < client->began_ms + PATIENCE_MS)
			continue;
		if (client->state == LEAVING)
			client_end(client);
		else
			client_broke(client);
	}
}

/* As many as are due by the rate. */
static void
start_due(unsigned count, uint64_t start, uint64_t *started)
{
	uint64_t due = (uint64_t)((double)(now_ms() - start) / 1000 * rate);

	for (unsigned i = 0; i < count && *started < due; i++) {
		if (clients[i].state != IDLE)
			continue;
		client_connect(&clients[i], SHAKING);
		++*started;
	}
	late += due - *started;
	*started = due;
}

static void
run(unsigned all, unsigned count, uint64_t until_ms, uint64_t wanted)
{
	struct epoll_event events[EVENTS];
	uint64_t start = now_ms(), next_look = start + 500, started = 0;

	while (now_ms() < until_ms && !is_over && (!holds || held < wanted)) {
		int ready = epoll_wait(poll_fd, events, EVENTS, rate > 0 ? 1 : 100);

		for (int i = 0; i < ready; i++)
			client_ready(events[i].data.ptr);
		if (rate > 0)
			start_due(count, start, &started);
		if (now_ms() < next_look)
			continue;
		expire(all);
		next_look = now_ms() + 500;
	}
}

/* -- the session that is resumed ------------------------------------------------------------------------------------- */

static int
session_came(SSL *ssl, SSL_SESSION *got)
{
	(void)ssl;
	if (session || !resumes || SSL_session_reused(ssl))
		return 0;
	session = got;
	return 1;
}

static bool
session_load(void)
{
	FILE *file = session_path ? fopen(session_path, "r") : NULL;

	if (file == NULL)
		return false;
	session = PEM_read_SSL_SESSION(file, NULL, NULL, NULL);
	fclose(file);
	return session != NULL;
}

static void
session_fetch(const char *path)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(context);
	struct timeval patience = { .tv_sec = 2 };
	char bytes[4096];
	FILE *file;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1) {
		fprintf(stderr, "no session: the first handshake failed\n");
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	snprintf(bytes, sizeof(bytes), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
	SSL_write(ssl, bytes, (int)strlen(bytes));
	while (SSL_read(ssl, bytes, sizeof(bytes)) > 0)
		;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
	if (session && session_path && (file = fopen(session_path, "w"))) {
		PEM_write_SSL_SESSION(file, session);
		fclose(file);
	}
}

/* -- what is asked --------------------------------------------------------------------------------------------------- */

/* The preface, empty SETTINGS, their ACK for the server's, and GET on stream 1: indexed and literal fields (RFC 7541). */
static void
make_h2_request(const char *path)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" "\0\0\0\4\1\0\0\0\0";
	char fields[300];
	size_t path_len = strlen(path), len;

	fields[0] = (char)0x82, fields[1] = (char)0x87;	/* :method GET, :scheme https */
	fields[2] = 0x01, fields[3] = 9;		/* :authority */
	memcpy(fields + 4, "127.0.0.1", 9);
	fields[13] = 0x04, fields[14] = (char)path_len;	/* :path */
	memcpy(fields + 15, path, path_len);
	len = 15 + path_len;
	memcpy(request, preface, sizeof(preface) - 1);
	request_len = sizeof(preface) - 1;
	memcpy(request + request_len, (char[]){ 0, 0, (char)len, 1, 5, 0, 0, 0, 1 }, 9);
	memcpy(request + request_len + 9, fields, len);
	request_len += 9 + len;
}

static void
prepare(const char *path)
{
	context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(context, is_old ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(context, is_old ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set1_groups_list(context, "X25519:P-256");	/* TLS 1.2 wants the certificate's, too */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, session_came);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	if (is_h2)
		SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\2h2", 3);
	if (is_h2)
		make_h2_request(path);
	else if (path)
		request_len = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", path,
		    holds ? "" : "Connection: close\r\n");
	if (resumes && !session_load())
		session_fetch(path ? path : "/");
	if (resumes && !session) {
		fprintf(stderr, "no session: the server gives none\n");
		exit(1);
	}
}

static void
told_to_end(int number)
{
	(void)number;
	is_over = 1;
}

int
main(int argc, char **argv)
{
	unsigned count = 32, stalled = 0;
	const char *path = NULL;
	double seconds = 5;
	int option;

	while ((option = getopt(argc, argv, "12rn:s:R:S:g:i:d:")) != -1) {
		switch (option) {
		case '1': is_old = true; break;
		case '2': is_h2 = true; break;
		case 'r': resumes = true; break;
		case 'n': count = (unsigned)strtoul(optarg, NULL, 10); break;
		case 's': seconds = strtod(optarg, NULL); break;
		case 'R': rate = strtod(optarg, NULL); break;
		case 'S': session_path = optarg; break;
		case 'g': path = optarg; break;
		case 'i': holds = true, count = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'd': stalled = (unsigned)strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (argc - optind != 1 || count + stalled == 0 || count + stalled > CLIENTS_MAX || (path && strlen(path) > 100)) {
		fprintf(stderr, "usage: see the head of handshakes.c\n");
		return 2;
	}
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)strtoul(argv[optind], NULL, 10));
	if (holds && !path)
		path = "/";
	signal(SIGTERM, told_to_end);
	prepare(path);
	clients = calloc(count + stalled, sizeof(*clients));
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || poll_fd < 0)
		return 1;
	uint64_t start = now_ms();
	for (unsigned i = 0; i < count; i++) {
		if (rate > 0)
			clients[i] = (struct client){ .fd = -1, .state = IDLE };
		else
			client_connect(&clients[i], SHAKING);
		if (holds && i % 100 == 99)	/* in parts, so that no backlog overflows and none loses patience */
			run(i + 1, i + 1, now_ms() + 10000, i + 1);
	}
	for (unsigned i = 0; i < stalled; i++)
		client_connect(&clients[count + i], STALLED);
	run(count + stalled, count, holds ? now_ms() + 20000 : start + (uint64_t)(seconds * 1000), count);
	printf("done %lu failed %lu resumed %lu late %lu slowest %lu seconds %.3f\n", (unsigned long)done, (unsigned long)failed,
	    (unsigned long)resumed, (unsigned long)late, (unsigned long)slowest_ms, (double)(now_ms() - start) / 1000);
	fflush(stdout);
	if (holds)
		while (getchar() != EOF)
			;
	return 0;
}
