/*
 * tls_bridge: TLS in front of a plain server: whatever that one does, a client sees it through TLS.
 * t/lib/Reeve/SecureUpstream.pm drives it.
 *
 *	tls_bridge NAME=VALUE...	fd (a listening socket), to (path of the plain server's), journal, cert, key
 *		ca=FILE			clients must show a certificate of that authority
 *		max=1.2			no TLS 1.3		old=1		no TLS 1.2 either
 *		alpn=h2,http/1.1	what it chooses from	tickets=0	no sessions
 *		cut=1			ends without close_notify
 *		stall=1			accepts, and says nothing
 *
 * A process for each connection. The end of one side is the end of the other: close_notify ↔ FIN, reset ↔ reset. A line
 * of JSON for each handshake goes into the journal: how it went.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM = 1 << 16 };

static char **settings;

/* One direction: bytes from here are on their way there. */
struct flow {
	char	bytes[ROOM];
	size_t	at, len;
	bool	ended;	/* no more come */
	bool	told;	/* and the other side knows */
};

static SSL *ssl;
static int client = -1, server = -1;
static struct flow inwards, outwards;

static const char *
setting(const char *name)
{
	size_t len = strlen(name);

	for (char **at = settings; *at; at++) {
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=')
			return *at + len + 1;
	}
	return NULL;
}

static void
fail(const char *what)
{
	fprintf(stderr, "# tls_bridge: %s: %s\n", what, ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error())
	    : strerror(errno));
	_exit(1);
}

static void
note(const char *line)
{
	int fd = open(setting("journal"), O_WRONLY | O_APPEND | O_CREAT, 0600);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		fail("journal");
	close(fd);
}

static void
note_handshake(void)
{
	X509 *shown = SSL_get0_peer_certificate(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const unsigned char *protocol;
	char subject[128] = "", line[512];
	unsigned protocol_len;

	if (shown)
		X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, subject, sizeof(subject));
	SSL_get0_alpn_selected(ssl, &protocol, &protocol_len);
	snprintf(line, sizeof(line), "{\"event\":\"handshake\",\"version\":\"%s\",\"resumed\":%d,\"sni\":\"%s\","
	    "\"alpn\":\"%.*s\",\"subject\":\"%s\"}\n", SSL_get_version(ssl), SSL_session_reused(ssl),
	    name ? name : "", (int)protocol_len, (const char *)protocol, subject);
	note(line);
}

static void
note_failure(void)
{
	const char *reason = ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : "the client left";
	char line[512];

	snprintf(line, sizeof(line), "{\"event\":\"failure\",\"why\":\"%s\"}\n", reason ? reason : "?");
	note(line);
}

/* -- one connection ------------------------------------------------------------------------------------------------ */

static void
reset(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	_exit(0);
}

static void
client_read(void)
{
	int count;

	ERR_clear_error();
	count = SSL_read(ssl, inwards.bytes, ROOM);
	if (count > 0) {
		inwards.at = 0;
		inwards.len = (size_t)count;
		return;
	}
	switch (SSL_get_error(ssl, count)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	case SSL_ERROR_ZERO_RETURN:
		inwards.ended = true;
		break;
	default:
		_exit(0);
	}
}

static void
client_write(void)
{
	int count;

	ERR_clear_error();
	count = SSL_write(ssl, outwards.bytes + outwards.at, (int)(outwards.len - outwards.at));
	if (count > 0)
		outwards.at += (size_t)count;
	else if (SSL_get_error(ssl, count) != SSL_ERROR_WANT_WRITE && SSL_get_error(ssl, count) != SSL_ERROR_WANT_READ)
		_exit(0);
}

static void
server_read(void)
{
	ssize_t count = recv(server, outwards.bytes, ROOM, 0);

	if (count < 0 && errno == EAGAIN)
		return;
	if (count < 0)
		reset(client);
	outwards.at = 0;
	outwards.len = (size_t)count;
	outwards.ended = count == 0;
}

static void
server_write(void)
{
	ssize_t count = send(server, inwards.bytes + inwards.at, inwards.len - inwards.at, MSG_NOSIGNAL);

	if (count > 0)
		inwards.at += (size_t)count;
	else if (count < 0 && errno != EAGAIN)
		inwards.at = inwards.len;	/* it takes no more; it may still speak */
}

static bool
is_empty(const struct flow *flow)
{
	return flow->at == flow->len;
}

static void
ends_tell(void)
{
	if (inwards.ended && is_empty(&inwards) && !inwards.told) {
		shutdown(server, SHUT_WR);
		inwards.told = true;
	}
	if (outwards.ended && is_empty(&outwards) && !outwards.told) {
		if (!setting("cut"))
			SSL_shutdown(ssl);
		outwards.told = true;
	}
}

static bool
takes_more(const struct flow *flow)
{
	return is_empty(flow) && !flow->ended;
}

static void
bridge(void)
{
	const short heard = POLLIN | POLLHUP | POLLERR;

	while (!outwards.told) {
		struct pollfd fds[2] = { { .fd = client }, { .fd = server } };
		bool has_inside = takes_more(&inwards) && SSL_pending(ssl) > 0;

		fds[0].events = (takes_more(&inwards) ? POLLIN : 0) | (is_empty(&outwards) ? 0 : POLLOUT);
		fds[1].events = (takes_more(&outwards) ? POLLIN : 0) | (is_empty(&inwards) ? 0 : POLLOUT);
		fds[0].fd = fds[0].events ? client : -1;
		if (poll(fds, 2, has_inside ? 0 : -1) < 0)
			fail("poll");
		if (takes_more(&inwards) && (has_inside || fds[0].revents & heard))
			client_read();
		if (takes_more(&outwards) && fds[1].revents & heard)
			server_read();
		if (!is_empty(&inwards))
			server_write();
		if (!is_empty(&outwards))
			client_write();
		ends_tell();
	}
}

static void
server_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", setting("to"));
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(server, (struct sockaddr *)&address, sizeof(address)) != 0)
		_exit(0);
	fcntl(server, F_SETFL, O_NONBLOCK);
}

static void
serve(SSL_CTX *context)
{
	if (setting("stall")) {
		pause();
		_exit(0);
	}
	ssl = SSL_new(context);
	SSL_set_fd(ssl, client);
	ERR_clear_error();
	if (SSL_accept(ssl) != 1) {
		note_failure();
		_exit(0);
	}
	note_handshake();
	server_connect();
	fcntl(client, F_SETFL, O_NONBLOCK);
	bridge();
	_exit(0);
}

/* -- all of them --------------------------------------------------------------------------------------------------- */

static int
choose(SSL *of, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
    void *owner)
{
	char ours[128];

	(void)of, (void)owner;
	snprintf(ours, sizeof(ours), "%s", setting("alpn"));
	for (char *rest = ours, *word; (word = strsep(&rest, ",")) != NULL;) {
		for (const unsigned char *at = in; at < in + in_len; at += 1 + *at) {
			if (*at == strlen(word) && memcmp(at + 1, word, *at) == 0) {
				*out = at + 1;
				*out_len = *at;
				return SSL_TLSEXT_ERR_OK;
			}
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *
context_make(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (SSL_CTX_use_certificate_chain_file(context, setting("cert")) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, setting("key"), SSL_FILETYPE_PEM) != 1)
		fail("certificate");
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"bridge", 6);
	if (setting("max"))
		SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	if (setting("old")) {
		SSL_CTX_set_security_level(context, 0);
		SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
	}
	if (setting("tickets")) {
		SSL_CTX_set_num_tickets(context, 0);
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	}
	if (setting("alpn"))
		SSL_CTX_set_alpn_select_cb(context, choose, NULL);
	if (setting("ca")) {
		if (SSL_CTX_load_verify_locations(context, setting("ca"), NULL) != 1)
			fail("ca");
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	return context;
}

int
main(int argc, char **argv)
{
	SSL_CTX *context;
	int listener;

	(void)argc;
	settings = argv + 1;
	context = context_make();
	listener = atoi(setting("fd"));
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		client = accept(listener, NULL, NULL);
		if (client < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			serve(context);
		}
		close(client);
	}
}
