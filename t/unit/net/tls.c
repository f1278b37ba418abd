/* rooms: base loop net conf */
/*
 * Both sides of the verbs against a second OpenSSL object as the peer, over loopback. send(2), sendmsg(2) and recv(2) of
 * the verbs come through here, so that they can be counted, cut short and refused; the peer uses read(2) and write(2).
 */
#include "net/tls.h"

#include "base/memory.h"
#include "loop/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { PLENTY = 3000000, RECORD = 16384, YEAR_S = 365 * 86400 };

/* -- the system calls ---------------------------------------------------------------------------------------------- */

static struct {
	unsigned	sends, receives;
	size_t		send_most;	/* 0: as many as there are */
	bool		is_full;	/* EAGAIN for whatever is sent */
	bool		is_moody;	/* short, EAGAIN and EINTR, by turns that look like chance */
	int		error;		/* of the next send */
	uint32_t	chance;
} calls;

static uint32_t
chance(uint32_t of)
{
	calls.chance = calls.chance * 1664525 + 1013904223;
	return (calls.chance >> 8) % of;
}

static bool
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

static size_t
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
	EVP_PKEY	*key;
	X509		*good, *expired;
	SSL_CTX		*server, *client;
	char		*bytes;	/* PLENTY of them */
} made;

static X509 *
certificate_make(long until_s)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:test.example");

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -YEAR_S);
	X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test.example", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, made.key);
	X509_add_ext(certificate, san, -1);
	X509_EXTENSION_free(san);
	assert_true(X509_sign(certificate, made.key, EVP_sha256()) > 0);
	return certificate;
}

static int
protocol_choose(SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *offered, unsigned count,
    void *owner)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";

	(void)ssl;
	(void)owner;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, length, ours, sizeof(ours) - 1, offered, count) ==
		    OPENSSL_NPN_NEGOTIATED
	    ? SSL_TLSEXT_ERR_OK
	    : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *
server_context(X509 *certificate)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, made.key), 1);
	SSL_CTX_set_alpn_select_cb(context, protocol_choose, NULL);
	return context;
}

static SSL_CTX *
client_context(X509 *trusted)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (trusted)
		assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), trusted), 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return context;
}

static int
prepare(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	made.key = EVP_EC_gen("P-256");
	made.good = certificate_make(YEAR_S);
	made.expired = certificate_make(-86400);
	made.server = server_context(made.good);
	made.client = client_context(made.good);
	made.bytes = memory_alloc(PLENTY);
	for (size_t i = 0; i < PLENTY; i++)
		made.bytes[i] = (char)(i * 7 + i / 251);
	return 0;
}

static int
clean(void **state)
{
	(void)state;
	SSL_CTX_free(made.server);
	SSL_CTX_free(made.client);
	X509_free(made.good);
	X509_free(made.expired);
	EVP_PKEY_free(made.key);
	memory_free(made.bytes);
	return 0;
}

/* -- a connection and its peer ------------------------------------------------------------------------------------- */

struct pair {
	struct stream	 stream;
	SSL		*peer;
	int		 other;
};

static void
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
static void
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

static void
pair_close(struct pair *pair)
{
	stream_close(&pair->stream);
	SSL_free(pair->peer);
	if (pair->other >= 0)
		close(pair->other);
}

static void
wait_for(int fd, short events)
{
	struct pollfd wait = { .fd = fd, .events = events };

	assert_int_equal(poll(&wait, 1, 5000), 1);
}

/* Loopback delivers soon, but not within the peer's own system call. */
static void
wait_bytes(struct pair *pair, int least)
{
	int count = 0;

	for (unsigned i = 0; i < 5000 && count < least; i++) {
		assert_int_equal(ioctl(pair->stream.fd, FIONREAD, &count), 0);
		poll(NULL, 0, i > 10 ? 1 : 0);
	}
	assert_true(count >= least);
}

static void
wait_input(struct pair *pair)
{
	wait_for(pair->stream.fd, POLLIN);
}

/* Until one of the two has failed or both are done. */
static enum stream_result
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

static void
pair_ready(struct pair *pair, enum tls_side side)
{
	pair_open(pair, side, side == TLS_SERVER ? made.server : made.client,
	    side == TLS_SERVER ? made.client : made.server);
	assert_int_equal(pair_shake(pair), STREAM_OK);
}

static void
peer_says(struct pair *pair, const void *bytes, size_t length)
{
	size_t count;

	assert_int_equal(SSL_write_ex(pair->peer, bytes, length, &count), 1);
	assert_int_equal(count, length);
	wait_input(pair);
}

/* What one SSL_read() of the peer gives, a record or a part of one; 0 when nothing is there. */
static size_t
peer_hears(struct pair *pair, char *to, size_t room)
{
	size_t count = 0;

	for (unsigned i = 0; i < 100 && !SSL_read_ex(pair->peer, to, room, &count); i++)
		poll(NULL, 0, i > 3 ? 1 : 0);
	return count;
}

static void
assert_heard(struct pair *pair, const char *text)
{
	char bytes[256];
	size_t count = peer_hears(pair, bytes, sizeof(bytes) - 1);

	bytes[count] = '\0';
	assert_string_equal(bytes, text);
}

static size_t
says(struct pair *pair, const char *text, bool more)
{
	struct iovec piece = { (void *)(uintptr_t)text, strlen(text) };
	size_t count;

	assert_int_equal(stream_write(&pair->stream, &piece, 1, more, &count), STREAM_OK);
	return count;
}

/* What the next read gives that gives something; the socket may have to be waited for. */
static enum stream_result
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

static void
assert_reads(struct pair *pair, const char *text)
{
	char bytes[256];
	size_t count;

	assert_int_equal(reads(pair, bytes, sizeof(bytes) - 1, &count), STREAM_OK);
	bytes[count] = '\0';
	assert_string_equal(bytes, text);
}

/* -- handshakes ---------------------------------------------------------------------------------------------------- */

static void
shakes_as_server(void **state)
{
	struct pair pair;
	struct tls_facts facts;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_tlsext_host_name(pair.peer, "test.example");
	SSL_set_alpn_protos(pair.peer, (const unsigned char *)"\x08http/1.1", 9);
	tls_facts(pair.stream.tls, &facts);
	assert_string_equal(facts.version, "");
	assert_int_equal(facts.protocol.len, 0);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	tls_facts(pair.stream.tls, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_string_equal(facts.cipher, "TLS_AES_256_GCM_SHA384");
	assert_true(span_is(facts.protocol, "http/1.1"));
	assert_true(span_is(facts.server_name, "test.example"));
	assert_false(facts.is_resumed);
	assert_false(facts.is_kernel);
	peer_says(&pair, "hello", 5);
	assert_reads(&pair, "hello");
	assert_int_equal(says(&pair, "hello yourself", false), 14);
	assert_heard(&pair, "hello yourself");
	pair_close(&pair);
}

static void
shakes_as_client(void **state)
{
	struct pair pair;
	struct tls_facts facts;

	(void)state;
	pair_ready(&pair, TLS_CLIENT);
	tls_facts(pair.stream.tls, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_int_equal(facts.protocol.len, 0);
	assert_int_equal(facts.server_name.len, 0);
	assert_int_equal(says(&pair, "GET", false), 3);
	assert_heard(&pair, "GET");
	peer_says(&pair, "200", 3);
	assert_reads(&pair, "200");
	pair_close(&pair);
}

static void
shakes_tls12(void **state)
{
	struct pair pair;
	struct tls_facts facts;

	(void)state;
	for (enum tls_side side = TLS_SERVER; side <= TLS_CLIENT; side++) {
		pair_open(&pair, side, side == TLS_SERVER ? made.server : made.client,
		    side == TLS_SERVER ? made.client : made.server);
		SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
		assert_int_equal(pair_shake(&pair), STREAM_OK);
		tls_facts(pair.stream.tls, &facts);
		assert_string_equal(facts.version, "TLSv1.2");
		assert_string_equal(facts.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
		assert_int_equal(says(&pair, "hello", false), 5);
		assert_heard(&pair, "hello");
		peer_says(&pair, "hello", 5);
		assert_reads(&pair, "hello");
		pair_close(&pair);
	}
}

/* A flight is one system call each way, and tickets share the answer's. */
static void
shakes_in_few_calls(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(stream_wants(&pair.stream), WATCH_READ);
	assert_int_equal(calls.receives, 1);
	assert_int_equal(calls.sends, 1);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_do_handshake(pair.peer), 1);
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_OK);
	assert_int_equal(calls.receives, 2);
	assert_int_equal(calls.sends, 1);
	assert_false(SSL_SESSION_is_resumable(SSL_get_session(pair.peer)));
	says(&pair, "answer", false);
	assert_int_equal(calls.sends, 2);
	assert_heard(&pair, "answer");
	assert_true(SSL_SESSION_is_resumable(SSL_get_session(pair.peer)));
	pair_close(&pair);
}

static void
flushes_tickets(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	assert_int_equal(recv(pair.other, &byte, 1, MSG_PEEK), -1);
	stream_flush(&pair.stream);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_read_ex(pair.peer, &byte, 1, &count), 0);
	assert_true(SSL_SESSION_is_resumable(SSL_get_session(pair.peer)));
	calls.sends = 0;
	stream_flush(&pair.stream);
	assert_int_equal(calls.sends, 0);
	pair_close(&pair);
}

static SSL_SESSION *
session_of(SSL_CTX *server, SSL_CTX *client)
{
	SSL_SESSION *session;
	struct pair pair;

	pair_open(&pair, TLS_SERVER, server, client);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	says(&pair, "x", false);
	assert_heard(&pair, "x");
	session = SSL_get1_session(pair.peer);
	SSL_set_shutdown(pair.peer, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	pair_close(&pair);
	return session;
}

static void
resumes(void **state)
{
	struct pair pair;
	struct tls_facts facts;
	SSL_SESSION *session = session_of(made.server, made.client);

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_session(pair.peer, session);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	tls_facts(pair.stream.tls, &facts);
	assert_true(facts.is_resumed);
	pair_close(&pair);
	SSL_SESSION_free(session);
}

/* As a client: a connection that was cut off says nothing against its session. */
static void
keeps_sessions_of_cut_connections(void **state)
{
	struct pair pair;
	SSL_SESSION *session;
	char byte;
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_CLIENT);
	peer_says(&pair, "x", 1);
	assert_reads(&pair, "x");
	session = SSL_get1_session(tls_ssl(pair.stream.tls));
	shutdown(pair.other, SHUT_WR);
	assert_int_equal(reads(&pair, &byte, 1, &count), STREAM_BROKEN);
	pair_close(&pair);
	assert_true(SSL_SESSION_is_resumable(session));
	SSL_SESSION_free(session);
}

static void
assert_refuses(struct pair *pair, enum stream_result expected, const char *why)
{
	assert_int_equal(pair_shake(pair), expected);
	assert_string_equal(stream_why(&pair->stream), why);
	assert_false(stream_has_input(&pair->stream));
	assert_int_equal(stream_handshake(&pair->stream), expected);
	pair_close(pair);
}

static void
refuses_certificates(void **state)
{
	SSL_CTX *expired = server_context(made.expired), *trusting = client_context(made.expired);
	SSL_CTX *strange = client_context(NULL);
	struct pair pair;

	(void)state;
	pair_open(&pair, TLS_CLIENT, trusting, expired);
	assert_refuses(&pair, STREAM_BROKEN, "certificate verify failed: certificate has expired");
	pair_open(&pair, TLS_CLIENT, strange, made.server);
	assert_refuses(&pair, STREAM_BROKEN, "certificate verify failed: self-signed certificate");
	pair_open(&pair, TLS_CLIENT, made.client, made.server);
	SSL_set1_host(tls_ssl(pair.stream.tls), "other.example");
	assert_refuses(&pair, STREAM_BROKEN, "certificate verify failed: hostname mismatch");
	/* The other way round: what the client thinks of ours comes as an alert. */
	pair_open(&pair, TLS_SERVER, made.server, strange);
	assert_refuses(&pair, STREAM_BROKEN, "the peer refused: unknown ca");
	SSL_CTX_free(expired);
	SSL_CTX_free(trusting);
	SSL_CTX_free(strange);
}

/* In TLS 1.3 a client is done before its certificate was judged: the refusal meets its first read, or write. */
static void
is_refused_after_the_handshake(void **state)
{
	SSL_CTX *demanding = server_context(made.good);
	struct pair pair;
	char byte;
	size_t count;

	(void)state;
	SSL_CTX_set_verify(demanding, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	for (unsigned writes = 0; writes < 2; writes++) {
		pair_open(&pair, TLS_CLIENT, made.client, demanding);
		assert_int_equal(SSL_do_handshake(pair.peer), -1);
		while (stream_handshake(&pair.stream) == STREAM_AGAIN)
			SSL_do_handshake(pair.peer);
		wait_for(pair.other, POLLIN);
		assert_int_equal(SSL_do_handshake(pair.peer), -1);
		wait_input(&pair);
		calls.error = writes ? EPIPE : 0;
		if (writes)
			assert_int_equal(stream_write(&pair.stream, &(struct iovec){ &byte, 1 }, 1, false, &count),
			    STREAM_BROKEN);
		else
			assert_int_equal(reads(&pair, &byte, 1, &count), STREAM_BROKEN);
		assert_string_equal(stream_why(&pair.stream), "the peer refused: certificate required");
		assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_BROKEN);
		assert_string_equal(stream_why(&pair.stream), "the peer refused: certificate required");
		pair_close(&pair);
	}
	SSL_CTX_free(demanding);
}

static void
finds_nothing_in_common(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
	SSL_set_cipher_list(pair.peer, "ECDHE-RSA-AES128-GCM-SHA256");
	assert_refuses(&pair, STREAM_BROKEN, "no shared cipher");
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_min_proto_version(tls_ssl(pair.stream.tls), TLS1_3_VERSION);
	SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
	assert_refuses(&pair, STREAM_BROKEN, "no shared protocol version");
	pair_open(&pair, TLS_CLIENT, made.client, made.server);
	SSL_set_min_proto_version(pair.peer, TLS1_3_VERSION);
	SSL_set_max_proto_version(tls_ssl(pair.stream.tls), TLS1_2_VERSION);
	assert_refuses(&pair, STREAM_BROKEN, "the peer refused: protocol version");
}

/* A peer that sends these bytes, then perhaps FIN. */
static void
assert_shakes_off(const char *bytes, bool ends, enum stream_result expected, const char *why)
{
	struct pair pair;
	enum stream_result result;

	pair_open(&pair, TLS_SERVER, made.server, NULL);
	assert_int_equal(write(pair.other, bytes, strlen(bytes)), strlen(bytes));
	if (ends)
		shutdown(pair.other, SHUT_WR);
	do {
		wait_input(&pair);
	} while ((result = stream_handshake(&pair.stream)) == STREAM_AGAIN && ends);
	assert_int_equal(result, expected);
	if (result != STREAM_AGAIN)
		assert_string_equal(stream_why(&pair.stream), why);
	pair_close(&pair);
}

static void
refuses_what_is_not_tls(void **state)
{
	(void)state;
	assert_shakes_off("GET / HTTP/1.1\r\n\r\n", false, STREAM_BROKEN, "the client speaks HTTP without TLS");
	assert_shakes_off("CONNECT a:1 HTTP/1.1\r\n\r\n", false, STREAM_BROKEN, "the client speaks HTTP without TLS");
	assert_shakes_off("SSH-2.0-OpenSSH_9.2\r\n", false, STREAM_BROKEN, "what the peer sent is not TLS");
	assert_shakes_off("", true, STREAM_END, "the peer closed the connection during the handshake");
	assert_shakes_off("\x16\x03\x01\x01", true, STREAM_END, "the peer closed the connection during the handshake");
	assert_shakes_off("\x16\x03\x01\x01", false, STREAM_AGAIN, NULL);
	assert_true(tls_looks_like_http(SPAN_OF("GET / HTTP/1.1")));
	assert_true(tls_looks_like_http(SPAN_OF("g")));
	assert_false(tls_looks_like_http(SPAN_OF("\x16\x03\x01")));
	assert_false(tls_looks_like_http(SPAN_OF("")));
}

static void
notices_resets(void **state)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct pair pair;
	char byte;
	size_t count;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, NULL);
	setsockopt(pair.other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(pair.other);
	pair.other = -1;
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "the peer reset the connection during the handshake");
	pair_close(&pair);
	pair_ready(&pair, TLS_SERVER);
	setsockopt(pair.other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(pair.other);
	pair.other = -1;
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "Connection reset by peer");
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ &byte, 1 }, 1, false, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "Connection reset by peer");
	pair_close(&pair);
}

/* A flight that the socket takes in bits; in TLS 1.2 a full handshake ends with one of ours. */
static void
shakes_through_a_narrow_socket(void **state)
{
	struct pair pair;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_open(&pair, TLS_SERVER, made.server, made.client);
		SSL_set_max_proto_version(pair.peer, version);
		calls.send_most = 7;
		assert_int_equal(pair_shake(&pair), STREAM_OK);
		pair_close(&pair);
	}
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	calls.is_full = true;
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(stream_wants(&pair.stream), WATCH_READ | WATCH_WRITE);
	calls.is_full = false;
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(stream_wants(&pair.stream), WATCH_READ);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	pair_close(&pair);
}

/* Whoever wants to see how a connection begins has to read its beginning. */
static void
takes_what_was_read_before(void **state)
{
	struct pair pair;
	char bytes[2000];
	size_t count;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	count = (size_t)recv(pair.stream.fd, bytes, sizeof(bytes), 0);
	assert_false(tls_looks_like_http(span_make(bytes, count)));
	tls_give(pair.stream.tls, span_make(bytes, count));
	calls.receives = 0;
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	assert_int_equal(calls.receives, 0);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	pair_close(&pair);
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	tls_give(pair.stream.tls, span_make(bytes, 20));
	tls_give(pair.stream.tls, span_make(bytes, 0));
	pair_close(&pair);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static void
reads_many_records_at_once(void **state)
{
	struct pair pair;
	char bytes[100];
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	for (unsigned i = 0; i < 3; i++)
		peer_says(&pair, made.bytes + 40 * i, 40);
	wait_bytes(&pair, 3 * (40 + 22));
	calls.receives = 0;
	assert_int_equal(stream_read(&pair.stream, bytes, 60, &count), STREAM_OK);
	assert_int_equal(count, 60);
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes + 60, 40, &count), STREAM_OK);
	assert_int_equal(count, 40);
	assert_memory_equal(bytes, made.bytes, 100);
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, sizeof(bytes), &count), STREAM_OK);
	assert_int_equal(count, 20);
	assert_memory_equal(bytes, made.bytes + 100, 20);
	assert_false(stream_has_input(&pair.stream));
	assert_int_equal(calls.receives, 1);
	assert_int_equal(stream_read(&pair.stream, bytes, sizeof(bytes), &count), STREAM_AGAIN);
	assert_int_equal(calls.receives, 2);
	pair_close(&pair);
}

/* A record that has come whole fills the room exactly; of the next only a part is there: that is not input. */
static void
waits_for_whole_records(void **state)
{
	BIO *out = BIO_new(BIO_s_mem());
	struct pair pair;
	char bytes[100], *sealed;
	size_t count, length;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	SSL_set0_wbio(pair.peer, out);
	assert_int_equal(SSL_write_ex(pair.peer, made.bytes, 50, &count), 1);
	assert_int_equal(SSL_write_ex(pair.peer, made.bytes, 50, &count), 1);
	length = (size_t)BIO_get_mem_data(out, &sealed);
	assert_int_equal(write(pair.other, sealed, length - 10), length - 10);
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, bytes, 50, &count), STREAM_OK);
	assert_int_equal(count, 50);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(stream_read(&pair.stream, bytes, 50, &count), STREAM_AGAIN);
		assert_int_equal(count, 0);
		assert_false(stream_has_input(&pair.stream));
	}
	assert_int_equal(write(pair.other, sealed + length - 10, 10), 10);
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, bytes, 50, &count), STREAM_OK);
	assert_int_equal(count, 50);
	assert_false(stream_has_input(&pair.stream));
	pair_close(&pair);
}

/* The first request may come in the same packet as the end of the handshake: no readiness tells of it. */
static void
has_what_came_with_the_handshake(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_AGAIN);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_do_handshake(pair.peer), 1);
	assert_int_equal(SSL_write_ex(pair.peer, "GET", 3, &count), 1);
	wait_bytes(&pair, 80 + 3 + 22);
	assert_int_equal(stream_handshake(&pair.stream), STREAM_OK);
	assert_true(stream_has_input(&pair.stream));
	assert_reads(&pair, "GET");
	assert_false(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_AGAIN);
	pair_close(&pair);
}

static void
reads_a_lot(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	size_t said = 0, heard = 0, count;

	(void)state;
	for (unsigned moody = 0; moody < 2; moody++) {
		pair_ready(&pair, TLS_SERVER);
		SSL_set_mode(pair.peer, SSL_MODE_ENABLE_PARTIAL_WRITE);
		calls.is_moody = moody;
		said = heard = 0;
		while (heard < PLENTY) {
			size_t room = 1 + (heard * 7) % 40000;

			if (said < PLENTY && SSL_write_ex(pair.peer, made.bytes + said, PLENTY - said, &count))
				said += count;
			if (room > PLENTY - heard)
				room = PLENTY - heard;
			if (stream_read(&pair.stream, got + heard, room, &count) == STREAM_AGAIN)
				assert_false(stream_has_input(&pair.stream));
			heard += count;
		}
		assert_memory_equal(got, made.bytes, PLENTY);
		pair_close(&pair);
	}
	memory_free(got);
}

/* -- the end ------------------------------------------------------------------------------------------------------- */

static void
hears_the_end(void **state)
{
	struct pair pair;
	char bytes[10];
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	peer_says(&pair, "last", 4);
	SSL_shutdown(pair.peer);
	wait_bytes(&pair, 4 + 22 + 2 + 22);
	/* No FIN: after this nothing makes the socket readable again. */
	assert_int_equal(stream_read(&pair.stream, bytes, 4, &count), STREAM_OK);
	assert_int_equal(count, 4);
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, 10, &count), STREAM_END);
	assert_int_equal(count, 0);
	assert_false(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, 10, &count), STREAM_END);
	/* He is done, we are not. */
	says(&pair, "answer", false);
	pair_close(&pair);
	pair_ready(&pair, TLS_SERVER);
	peer_says(&pair, "last", 4);
	SSL_shutdown(pair.peer);
	wait_bytes(&pair, 4 + 22 + 2 + 22);
	assert_reads(&pair, "last");
	assert_true(stream_has_input(&pair.stream));
	assert_int_equal(stream_read(&pair.stream, bytes, 10, &count), STREAM_END);
	pair_close(&pair);
}

static void
hears_that_it_was_cut(void **state)
{
	struct pair pair;
	char bytes[10];
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	peer_says(&pair, "half", 4);
	shutdown(pair.other, SHUT_WR);
	assert_reads(&pair, "half");
	assert_int_equal(reads(&pair, bytes, 10, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "the peer closed the connection without close_notify");
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ bytes, 1 }, 1, false, &count), STREAM_BROKEN);
	calls.sends = 0;
	pair_close(&pair);
	assert_int_equal(calls.sends, 0);
}

static void
notices_damage(void **state)
{
	static const unsigned char record[] = { 23, 3, 3, 0, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
		19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40 };
	struct pair pair;
	char bytes[10];
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	assert_int_equal(write(pair.other, record, sizeof(record)), sizeof(record));
	assert_int_equal(reads(&pair, bytes, 10, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "a record was damaged on its way (bad record MAC)");
	/* He is told. */
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_read_ex(pair.peer, bytes, 1, &count), 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
	ERR_clear_error();
	pair_close(&pair);
}

static void
says_the_end(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	says(&pair, "last", true);
	calls.sends = 0;
	stream_shutdown(&pair.stream);
	assert_heard(&pair, "last");
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_read_ex(pair.peer, &byte, 1, &count), 0);
	assert_true(SSL_get_shutdown(pair.peer) & SSL_RECEIVED_SHUTDOWN);
	peer_says(&pair, "and I?", 6);
	assert_reads(&pair, "and I?");
	calls.sends = 0;
	pair_close(&pair);
	assert_int_equal(calls.sends, 0);
}

/* Errors that others left in OpenSSL's queue are not this connection's. */
static void
minds_its_own_errors(void **state)
{
	struct pair pair;
	char byte;
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
	assert_int_equal(stream_read(&pair.stream, &byte, 1, &count), STREAM_AGAIN);
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
	says(&pair, "hello", false);
	assert_heard(&pair, "hello");
	pair_close(&pair);
}

static void
bounds_late_handshakes(void **state)
{
	struct pair pair;
	char bytes[64];
	size_t count;
	enum stream_result result = STREAM_OK;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	for (unsigned i = 0; i < 10; i++) {
		SSL_key_update(pair.peer, SSL_KEY_UPDATE_REQUESTED);
		peer_says(&pair, "fresh", 5);
		assert_reads(&pair, "fresh");
		says(&pair, "fresh", false);
		assert_heard(&pair, "fresh");
	}
	for (unsigned i = 0; i < 100 && result == STREAM_OK; i++) {
		SSL_key_update(pair.peer, SSL_KEY_UPDATE_REQUESTED);
		peer_says(&pair, "x", 1);
		result = reads(&pair, bytes, sizeof(bytes), &count);
	}
	assert_int_equal(result, STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "the peer sends key updates or handshakes without end");
	pair_close(&pair);
}

static void
does_not_negotiate_again(void **state)
{
	struct pair pair;
	char bytes[64];
	size_t count;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_max_proto_version(pair.peer, TLS1_2_VERSION);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	assert_int_equal(SSL_renegotiate(pair.peer), 1);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	wait_input(&pair);
	assert_int_equal(stream_read(&pair.stream, bytes, sizeof(bytes), &count), STREAM_AGAIN);
	wait_for(pair.other, POLLIN);
	assert_int_equal(SSL_do_handshake(pair.peer), -1);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
	pair_close(&pair);
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

/* The lengths of the records that the peer has read. */
static struct {
	size_t		lengths[400];
	unsigned	count;
} records;

static void
record_note(int is_written, int version, int type, const void *bytes, size_t length, SSL *ssl, void *owner)
{
	const unsigned char *head = bytes;

	(void)version;
	(void)length;
	(void)ssl;
	(void)owner;
	if (is_written || type != SSL3_RT_HEADER || head[0] != 23 || records.count == 400)
		return;
	records.lengths[records.count++] = ((size_t)head[3] << 8 | head[4]) - 17;	/* TLS 1.3: type and tag */
}

static void
peer_hears_all(struct pair *pair, char *to, size_t length)
{
	size_t done = 0;

	while (done < length) {
		size_t count = peer_hears(pair, to + done, length - done);

		assert_true(count > 0);
		done += count;
	}
}

static void
gathers_pieces(void **state)
{
	struct iovec pieces[] = { { made.bytes, 10 }, { made.bytes, 0 }, { made.bytes + 10, 200 }, { made.bytes + 210, 5 } };
	struct pair pair;
	char bytes[300];
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	calls.sends = 0;
	assert_int_equal(stream_write(&pair.stream, pieces, 4, false, &count), STREAM_OK);
	assert_int_equal(count, 215);
	assert_int_equal(calls.sends, 1);
	assert_int_equal(peer_hears(&pair, bytes, sizeof(bytes)), 215);
	assert_memory_equal(bytes, made.bytes, 215);
	assert_int_equal(stream_write(&pair.stream, NULL, 0, false, &count), STREAM_OK);
	assert_int_equal(calls.sends, 1);
	pair_close(&pair);
}

static void
holds_a_head_for_its_content(void **state)
{
	struct pair pair;
	char bytes[300];

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	calls.sends = 0;
	assert_int_equal(says(&pair, "head ", true), 5);
	assert_int_equal(says(&pair, "more ", true), 5);
	assert_int_equal(calls.sends, 0);
	assert_int_equal(says(&pair, "content", false), 7);
	assert_int_equal(calls.sends, 1);
	assert_heard(&pair, "head more content");
	/* One that is too long to be held leaves at once. */
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, 5000 }, 1, true, &(size_t){ 0 }), STREAM_OK);
	assert_int_equal(calls.sends, 2);
	for (size_t left = 5000, count; left > 0; left -= count)
		assert_true((count = peer_hears(&pair, bytes, sizeof(bytes))) > 0);
	says(&pair, "forgotten", true);
	stream_flush(&pair.stream);
	assert_heard(&pair, "forgotten");
	pair_close(&pair);
}

static void
lets_records_grow(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	says(&pair, "x", false);
	assert_heard(&pair, "x");
	records.count = 0;
	SSL_set_msg_callback(pair.peer, record_note);
	calls.sends = 0;
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, PLENTY }, 1, false, &count), STREAM_OK);
	assert_int_equal(count, TLS_VERB_MAX);
	assert_int_equal(calls.sends, 1);
	peer_hears_all(&pair, got, count);
	assert_memory_equal(got, made.bytes, count);
	assert_int_equal(records.count, 7);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(records.lengths[i], TLS_SLOW_RECORD);
	for (unsigned i = 4; i < 7; i++)
		assert_int_equal(records.lengths[i], RECORD);
	records.count = 0;
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, RECORD }, 1, false, &count), STREAM_OK);
	peer_hears_all(&pair, got, count);
	assert_int_equal(records.count, 1);
	memory_free(got);
	pair_close(&pair);
}

/* RFC 6066 §4: a peer with little memory. */
static void
obeys_short_records(void **state)
{
	struct pair pair;
	char *got = memory_alloc(TLS_VERB_MAX);
	size_t count;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	SSL_set_tlsext_max_fragment_length(pair.peer, TLSEXT_max_fragment_length_512);
	assert_int_equal(pair_shake(&pair), STREAM_OK);
	says(&pair, "x", false);
	assert_heard(&pair, "x");
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, PLENTY }, 1, false, &count), STREAM_OK);
	assert_int_equal(count, TLS_VERB_MAX);
	records.count = 0;
	SSL_set_msg_callback(pair.peer, record_note);
	peer_hears_all(&pair, got, count);
	assert_memory_equal(got, made.bytes, count);
	assert_int_equal(records.count, TLS_VERB_MAX / 512);
	memory_free(got);
	pair_close(&pair);
}

/* Whatever the socket takes: bytes arrive once and in order, and what waits with us is bounded. */
static void
push_all(struct pair *pair, char *got, unsigned pieces_count, bool hears)
{
	size_t said = 0, heard = 0, count, cut;
	enum stream_result result;

	while (heard < PLENTY) {
		struct iovec pieces[2] = { { made.bytes + said, PLENTY - said } };

		cut = pieces_count == 2 ? (said * 5) % 3000 : 0;
		if (cut > 0 && cut < PLENTY - said) {
			pieces[0].iov_len = cut;
			pieces[1] = (struct iovec){ made.bytes + said + cut, PLENTY - said - cut };
		} else {
			pieces_count = 1;
		}
		if (said < PLENTY) {
			result = stream_write(&pair->stream, pieces, pieces_count, false, &count);
			assert_true(result == STREAM_OK ? count > 0 : result == STREAM_AGAIN && count == 0);
			said += count;
			assert_true(said <= PLENTY);
		}
		if ((hears || said == PLENTY || result == STREAM_AGAIN) &&
		    SSL_read_ex(pair->peer, got + heard, PLENTY - heard, &count))
			heard += count;
	}
	assert_int_equal(said, PLENTY);
	assert_memory_equal(got, made.bytes, PLENTY);
}

static void
waits_for_a_slow_peer(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	const int small = 4096;

	(void)state;
	for (unsigned way = 0; way < 6; way++) {
		memset(got, 0, PLENTY);
		pair_ready(&pair, TLS_SERVER);
		calls.is_moody = way & 1;
		if (way >= 2)
			setsockopt(pair.stream.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
		if (way >= 4)
			calls.send_most = 1000;
		push_all(&pair, got, 1 + (way & 1), way & 2);
		pair_close(&pair);
	}
	memory_free(got);
}

/* The one byte that is owed may be all that is left. */
static void
pays_what_it_owes(void **state)
{
	struct pair pair;
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	calls.is_full = true;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, 1 }, 1, false, &count), STREAM_AGAIN);
		assert_int_equal(count, 0);
	}
	calls.is_full = false;
	assert_int_equal(says(&pair, "a", false), 1);
	calls.is_full = true;
	assert_int_equal(says(&pair, "bcd", false), 2);
	assert_int_equal(stream_write(&pair.stream, &(struct iovec){ made.bytes, 0 }, 1, false, &count), STREAM_OK);
	assert_int_equal(says(&pair, "def", true), 2);
	calls.is_full = false;
	assert_int_equal(says(&pair, "f", false), 1);
	pair_close(&pair);
}

/* -- files --------------------------------------------------------------------------------------------------------- */

static int
file_make(size_t length)
{
	int fd = memfd_create("content", MFD_CLOEXEC);

	assert_int_equal(write(fd, made.bytes, length), length);
	return fd;
}

static void
sends_a_file(void **state)
{
	struct pair pair;
	char *got = memory_alloc(PLENTY);
	int file = file_make(PLENTY);
	uint64_t offset;
	size_t heard, count;
	enum stream_result result;

	(void)state;
	for (unsigned moody = 0; moody < 2; moody++) {
		pair_ready(&pair, TLS_SERVER);
		calls.is_moody = moody;
		assert_int_equal(says(&pair, "head", true), 4);
		offset = 1000;
		heard = 0;
		while (heard < PLENTY - 1000 + 4) {
			uint64_t before = offset;

			if (offset < PLENTY) {
				result = stream_send_file(&pair.stream, file, &offset, PLENTY - offset, &count);
				assert_true(result == STREAM_OK || result == STREAM_AGAIN);
				assert_int_equal(offset, before + count);
				assert_true(offset <= PLENTY);
			}
			if (SSL_read_ex(pair.peer, got + heard, PLENTY - heard, &count))
				heard += count;
		}
		assert_memory_equal(got, "head", 4);
		assert_memory_equal(got + 4, made.bytes + 1000, PLENTY - 1000);
		pair_close(&pair);
	}
	close(file);
	memory_free(got);
}

static void
shares_a_record_with_the_head(void **state)
{
	struct pair pair;
	int file = file_make(100);
	char bytes[300];
	uint64_t offset = 0;
	size_t count;

	(void)state;
	pair_ready(&pair, TLS_SERVER);
	calls.sends = 0;
	says(&pair, "head", true);
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 100, &count), STREAM_OK);
	assert_int_equal(count, 100);
	assert_int_equal(calls.sends, 1);
	assert_int_equal(peer_hears(&pair, bytes, sizeof(bytes)), 104);
	/* It is shorter than was thought. */
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 100, &count), STREAM_END);
	assert_int_equal(count, 0);
	offset = 60;
	calls.is_full = true;
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 100, &count), STREAM_OK);
	assert_int_equal(count, 39);
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 61, &count), STREAM_AGAIN);
	calls.is_full = false;
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 61, &count), STREAM_OK);
	assert_int_equal(offset, 100);
	assert_int_equal(stream_send_file(&pair.stream, file, &offset, 60, &count), STREAM_END);
	assert_int_equal(stream_send_file(&pair.stream, -1, &offset, 60, &count), STREAM_BROKEN);
	assert_string_equal(stream_why(&pair.stream), "Bad file descriptor");
	close(file);
	pair_close(&pair);
}

/* Asked for, and not offered by every kernel: it works either way. */
static void
tries_the_kernel(void **state)
{
	struct pair pair;
	int file = file_make(PLENTY);
	char *got = memory_alloc(PLENTY);
	uint64_t offset = 0;
	size_t heard = 0, count;

	(void)state;
	pair_open(&pair, TLS_SERVER, made.server, made.client);
	stream_reset(&pair.stream);
	SSL_free(pair.peer);
	close(pair.other);
	SSL_CTX_set_options(made.server, SSL_OP_ENABLE_KTLS);
	pair_ready(&pair, TLS_SERVER);
	while (heard < PLENTY) {
		if (offset < PLENTY)
			stream_send_file(&pair.stream, file, &offset, PLENTY - offset, &count);
		if (SSL_read_ex(pair.peer, got + heard, PLENTY - heard, &count))
			heard += count;
	}
	assert_memory_equal(got, made.bytes, PLENTY);
	SSL_CTX_clear_options(made.server, SSL_OP_ENABLE_KTLS);
	pair_close(&pair);
	memory_free(got);
	close(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shakes_as_server),
		cmocka_unit_test(shakes_as_client),
		cmocka_unit_test(shakes_tls12),
		cmocka_unit_test(shakes_in_few_calls),
		cmocka_unit_test(flushes_tickets),
		cmocka_unit_test(resumes),
		cmocka_unit_test(keeps_sessions_of_cut_connections),
		cmocka_unit_test(refuses_certificates),
		cmocka_unit_test(is_refused_after_the_handshake),
		cmocka_unit_test(finds_nothing_in_common),
		cmocka_unit_test(refuses_what_is_not_tls),
		cmocka_unit_test(notices_resets),
		cmocka_unit_test(shakes_through_a_narrow_socket),
		cmocka_unit_test(takes_what_was_read_before),
		cmocka_unit_test(reads_many_records_at_once),
		cmocka_unit_test(waits_for_whole_records),
		cmocka_unit_test(has_what_came_with_the_handshake),
		cmocka_unit_test(reads_a_lot),
		cmocka_unit_test(hears_the_end),
		cmocka_unit_test(hears_that_it_was_cut),
		cmocka_unit_test(notices_damage),
		cmocka_unit_test(says_the_end),
		cmocka_unit_test(minds_its_own_errors),
		cmocka_unit_test(bounds_late_handshakes),
		cmocka_unit_test(does_not_negotiate_again),
		cmocka_unit_test(gathers_pieces),
		cmocka_unit_test(holds_a_head_for_its_content),
		cmocka_unit_test(lets_records_grow),
		cmocka_unit_test(obeys_short_records),
		cmocka_unit_test(waits_for_a_slow_peer),
		cmocka_unit_test(pays_what_it_owes),
		cmocka_unit_test(sends_a_file),
		cmocka_unit_test(shares_a_record_with_the_head),
		cmocka_unit_test(tries_the_kernel),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
