/* rooms: base loop conf net */
/*
 * Any bytes as the first flight of a client: taken, waited with, or refused for a reason; the same whether they were read
 * before or come through the socket, in one piece or in two; and what is answered is made of TLS records.
 */
#include "fuzz.h"
#include "net/stream.h"
#include "net/tls.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FLIGHT_MAX = 60000, ANSWER_MAX = 200000, RECORD_MAX = 16384 + 256, CONTENT_FIRST = 20, CONTENT_LAST = 23 };

static char answer[ANSWER_MAX];

static SSL_CTX *
context_make(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_set_version(certificate, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)"a", -1,
	    -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509_set_pubkey(certificate, key);
	check(X509_sign(certificate, key, EVP_sha256()) > 0);
	check(SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

static void
connection_open(struct stream *stream, int *peer_out)
{
	static SSL_CTX *context;
	int ends[2];

	if (context == NULL)
		context = context_make();
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	*peer_out = ends[1];
	stream_init(stream, ends[0]);
	stream_secure(stream, tls_create(context, ends[0], TLS_SERVER));
}

/* All that was said so far is heard: a step that has read nothing new is the last. */
static enum stream_result
shake(struct stream *stream)
{
	enum stream_result result = STREAM_AGAIN;
	int waiting = 1;

	while (result == STREAM_AGAIN && waiting > 0) {
		char byte;

		result = stream_handshake(stream);
		waiting = (int)recv(stream->fd, &byte, 1, MSG_PEEK);
	}
	return result;
}

static void
answer_check(int peer)
{
	const unsigned char *at = (const unsigned char *)answer;
	ssize_t count = recv(peer, answer, sizeof(answer), 0);

	check(count < ANSWER_MAX);
	while (count > 0) {
		size_t length;

		check(count >= 5 && at[0] >= CONTENT_FIRST && at[0] <= CONTENT_LAST);
		length = (size_t)at[3] << 8 | at[4];
		check(length > 0 && length <= RECORD_MAX && (size_t)count >= 5 + length);
		count -= (ssize_t)(5 + length);
		at += 5 + length;
	}
}

static enum stream_result
connection_close(struct stream *stream, int peer, enum stream_result result)
{
	struct tls_facts facts;

	check(result != STREAM_BROKEN || (stream_why(stream)[0] != '\0' && !stream_has_input(stream)));
	check(result != STREAM_OK);	/* nobody has answered our key share */
	tls_facts(stream->tls, &facts);
	check(facts.version[0] == '\0' && facts.server_name.len == 0);
	check(stream_handshake(stream) == result || result == STREAM_AGAIN);
	answer_check(peer);
	stream_close(stream);
	close(peer);
	return result;
}

/* The first `early` bytes were read by somebody else. */
static enum stream_result
judge(struct span flight, size_t early)
{
	struct span before = fuzz_copy(span_first(flight, early)), after = span_skip(flight, early);
	struct stream stream;
	enum stream_result result = STREAM_AGAIN;
	int peer;

	connection_open(&stream, &peer);
	tls_give(stream.tls, before);
	fuzz_release(before);
	if (early > 0)
		result = stream_handshake(&stream);
	if (after.len > 0) {
		check(send(peer, after.at, after.len, MSG_NOSIGNAL) == (ssize_t)after.len);
		if (result == STREAM_AGAIN)
			result = shake(&stream);
	}
	return connection_close(&stream, peer, result);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span flight = span_first(span_make((const char *)bytes, size), FLIGHT_MAX);
	enum stream_result whole = judge(flight, flight.len);

	(void)tls_looks_like_http(flight);
	check(judge(flight, 0) == whole);
	if (flight.len > 1)
		check(judge(flight, 1 + flight.len * 5 % (flight.len - 1)) == whole);
	return 0;
}
