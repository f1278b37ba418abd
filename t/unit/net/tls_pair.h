/*
 * tls_pair: both sides of the verbs against a second OpenSSL object as the peer, over loopback. send(2), sendmsg(2) and
 * recv(2) of the verbs come through here, so that they can be counted, cut short and refused; the peer uses read(2) and
 * write(2).
 */
#ifndef REEVE_UNIT_NET_TLS_PAIR_H
#define REEVE_UNIT_NET_TLS_PAIR_H

#include "pki.h"

#include "loop/loop.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { PLENTY = 3000000, RECORD = 16384 };

/* -- the system calls ---------------------------------------------------------------------------------------------- */

static struct {
	unsigned	sends, receives;
	size_t		send_most;	/* 0: as many as there are */
	bool		is_full;	/* EAGAIN for whatever is sent */
	bool		is_moody;	/* short, EAGAIN and EINTR, by turns that look like chance */
	int		error;		/* of the next send */
	uint32_t	chance;
} calls;

static inline uint32_t
chance(uint32_t of)
{
	calls.chance = calls.chance * 1664525 + 1013904223;
	return (calls.chance >> 8) % of;
}

static inline bool
refuse(void)
{
	if (calls.error != 0) {
		errno = calls.error;
		return true;
	}
	errno = EAGAIN;
	if (calls.is_full || (calls.is_moody && chance(4) == 0))
		return true;
	errno = EINTR;
	return calls.is_moody && chance(8) == 0;
}

static inline size_t
allowed(size_t length)
{
	size_t most = calls.is_moody ? 1 + chance(chance(2) ? 40 : 20000) : calls.send_most;

	return most > 0 && length > most ? most : length;
}

ssize_t
send(int fd, const void *from, size_t length, int flags)
{
	calls.sends++;
	assert_true(flags & MSG_NOSIGNAL);
	return refuse() ? -1 : syscall(SYS_sendto, fd, from, allowed(length), flags, NULL, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	char bytes[400000];
	size_t length = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++) {
		assert_true(length + message->msg_iov[i].iov_len <= sizeof(bytes));
		memcpy(bytes + length, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
		length += message->msg_iov[i].iov_len;
	}
	return send(fd, bytes, length, flags);
}

ssize_t
recv(int fd, void *to, size_t room, int flags)
{
	calls.receives++;
	if (calls.is_moody) {
		errno = chance(2) ? EINTR : EAGAIN;
		if (chance(4) == 0)
			return -1;
		room = 1 + chance((uint32_t)room);
	}
	return syscall(SYS_recvfrom, fd, to, room, flags, NULL, NULL);
}

/* -- certificates -------------------------------------------------------------------------------------------------- */

static struct {
	struct identity	 good, expired;
	SSL_CTX		*server, *client;
	char		*bytes;	/* PLENTY of them */
} made;

static inline int
protocol_choose(SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *offered,
    unsigned count, void *owner)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	int answer = SSL_select_next_proto((unsigned char **)(uintptr_t)out, length, ours, sizeof(ours) - 1, offered,
	    count);

	(void)ssl;
	(void)owner;
	return answer == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static inline SSL_CTX *
server_context(const struct identity *identity)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(context, identity->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, identity->key), 1);
	SSL_CTX_set_alpn_select_cb(context, protocol_choose, NULL);
	return context;
}

static inline SSL_CTX *
client_context(const struct identity *trusted)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (trusted)
		assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), trusted->certificate), 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return context;
}

static inline int
prepare(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	made.good = identity_make(&(struct wish){ .name = "test.example", .san = "DNS:test.example" });
	made.expired = identity_make(&(struct wish){ .name = "test.example", .from = -9 * DAY, .until = -DAY });
	made.server = server_context(&made.good);
	made.client = client_context(&made.good);
	made.bytes = memory_alloc(PLENTY);
	for (size_t i = 0; i < PLENTY; i++)
		made.bytes[i] = (char)(i * 7 + i / 251);
	return 0;
}

static inline int
clean(void **state)
{
	SSL_CTX_free(made.server);
	SSL_CTX_free(made.client);
	identity_fini(&made.good);
	identity_fini(&made.expired);
	memory_free(made.bytes);
	return 0;
}

/* -- a connection and its peer ------------------------------------------------------------------------------------- */

struct pair {
	struct stream	 stream;
	SSL		*peer;
	int		 other;
};

static inline void
sockets_open(int *ours_out, int *other_out)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int door = socket(AF_INET, SOCK_STREAM, 0);

	*other_out = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(door, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(door, 1), 0);
	assert_int_equal(getsockname(door, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(*other_out, (struct sockaddr *)&address, size), 0);
	*ours_out = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(*ours_out >= 0);
	fcntl(*other_out, F_SETFL, O_NONBLOCK);
	close(door);
}

/* Ours is the server; the peer speaks through `peer_context`, or is a bare socket when that is NULL. */
static inline void
pair_open(struct pair *pair, enum tls_side side, SSL_CTX *context, SSL_CTX *peer_context)
{
	int fd;

	memset(&calls, 0, sizeof(calls));
	sockets_open(&fd, &pair->other);
	stream_init(&pair->stream, fd);
	stream_secure(&pair->stream, tls_create(context, fd, side));
	pair->peer = NULL;
	if (!peer_context)
		return;
	pair->peer = SSL_new(peer_context);
	SSL_set_fd(pair->peer, pair->other);
	if (side == TLS_SERVER)
		SSL_set_connect_state(pair->peer);
	else
		SSL_set_accept_state(pair->peer);
}

static inline void
pair_close(struct pair *pair)
{
	stream_close(&pair->stream);
	SSL_free(pair->peer);
	if (pair->other >= 0)
		close(pair->other);
}

static inline void
wait_for(int fd, short events)
{
	struct pollfd wait = { .fd = fd, .events = events };

	assert_int_equal(poll(&wait, 1, 5000), 1);
}

/* Loopback delivers soon, but not within the peer's own system call. */
static inline void
wait_bytes(struct pair *pair, int least)
{
	int count = 0;

	for (unsigned i = 0; i < 5000 && count < least; i++) {
		assert_int_equal(ioctl(pair->stream.fd, FIONREAD, &count), 0);
		poll(NULL, 0, i > 10 ? 1 : 0);
	}
	assert_true(count >= least);
}

static inline void
wait_input(struct pair *pair)
{
	wait_for(pair->stream.fd, POLLIN);
}

/* Until one of the two has failed or both are done. */
static inline enum stream_result
pair_shake(struct pair *pair)
{
	enum stream_result result = STREAM_AGAIN;
	int answer = 0;

	for (unsigned i = 0; i < 2000; i++) {
		if (answer != 1) {
			ERR_clear_error();
			answer = SSL_do_handshake(pair->peer);
		}
		if (result == STREAM_AGAIN)
			result = stream_handshake(&pair->stream);
		if (result == STREAM_OK && answer != 1)
			stream_flush(&pair->stream);	/* a client's last words */
		if (result != STREAM_AGAIN && result != STREAM_OK)
			return result;
		if (result == STREAM_OK && answer == 1)
			return STREAM_OK;
		if (answer != 1 && SSL_get_error(pair->peer, answer) != SSL_ERROR_WANT_READ)
			shutdown(pair->other, SHUT_WR);
		poll(NULL, 0, i > 20 ? 1 : 0);
	}
	fail_msg("the handshake never ends");
	return STREAM_BROKEN;
}

static inline void
pair_ready(struct pair *pair, enum tls_side side)
{
	pair_open(pair, side, side == TLS_SERVER ? made.server : made.client,
	    side == TLS_SERVER ? made.client : made.server);
	assert_int_equal(pair_shake(pair), STREAM_OK);
}

static inline void
peer_says(struct pair *pair, const void *bytes, size_t length)
{
	size_t count;

	assert_int_equal(SSL_write_ex(pair->peer, bytes, length, &count), 1);
	assert_int_equal(count, length);
	wait_input(pair);
}

/* What one SSL_read() of the peer gives, a record or a part of one; 0 when nothing is there. */
static inline size_t
peer_hears(struct pair *pair, char *to, size_t room)
{
	size_t count = 0;

	for (unsigned i = 0; i < 100 && !SSL_read_ex(pair->peer, to, room, &count); i++)
		poll(NULL, 0, i > 3 ? 1 : 0);
	return count;
}

static inline void
assert_heard(struct pair *pair, const char *text)
{
	char bytes[256];
	size_t count = peer_hears(pair, bytes, sizeof(bytes) - 1);

	bytes[count] = '\0';
	assert_string_equal(bytes, text);
}

static inline size_t
says(struct pair *pair, const char *text, bool more)
{
	struct iovec piece = { (void *)(uintptr_t)text, strlen(text) };
	size_t count;

	assert_int_equal(stream_write(&pair->stream, &piece, 1, more, &count), STREAM_OK);
	return count;
}

/* What the next read gives that gives something; the socket may have to be waited for. */
static inline enum stream_result
reads(struct pair *pair, char *to, size_t room, size_t *count_out)
{
	enum stream_result result;

	while ((result = stream_read(&pair->stream, to, room, count_out)) == STREAM_AGAIN) {
		assert_int_equal(*count_out, 0);
		assert_false(stream_has_input(&pair->stream));
		wait_input(pair);
	}
	return result;
}

static inline void
assert_reads(struct pair *pair, const char *text)
{
	char bytes[256];
	size_t count;

	assert_int_equal(reads(pair, bytes, sizeof(bytes) - 1, &count), STREAM_OK);
	bytes[count] = '\0';
	assert_string_equal(bytes, text);
}

#endif
