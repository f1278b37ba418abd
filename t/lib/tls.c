/*
 * tls: a TLS client in the hand of a test, which decides every byte and every end: t/lib/Reeve/TLS.pm drives it.
 *
 *	tls NAME=VALUE...	connects and shakes hands; then words on stdin, events on stdout
 *	tls hello NAME=VALUE...	prints the ClientHello it would send, and no more
 *
 * Words: `send N`, `raw N` (past TLS), each followed by N bytes; notify, fin, reset, renegotiate, update, pause, resume.
 * Events: `facts JSON` (the handshake is done), `data N` and N bytes, session (a ticket came), notify, fin, reset,
 * `error TEXT`. What it sends passes through memory, so that `piece=N` may cut it anywhere.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { INPUT = 1 << 16, OUTPUT_FULL = 1 << 20 };

static const struct setting {
	const char	*name;
	const char	*value;
} *settings;
static int settings_count;

static SSL *ssl;
static BIO *from_peer, *to_peer;
static int peer = -1;
static char words[4 << 20], *out;
static size_t words_len, out_len, out_sent, out_size, piece;
static bool greeted, paused, finishing, no_more_words;

static void
fail(const char *what)
{
	const char *reason = ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : strerror(errno);

	printf("error %s: %s\n", what, reason ? reason : "?");
	fflush(stdout);
	exit(1);
}

static const char *
setting(const char *name)
{
	for (int i = 0; i < settings_count; i++) {
		if (strcmp(settings[i].name, name) == 0)
			return settings[i].value;
	}
	return NULL;
}

/* -- what it wants to speak ------------------------------------------------------------------------------------------ */

static int
version_of(const char *text)
{
	static const struct { const char *name; int version; } versions[] = {
		{ "1.0", TLS1_VERSION }, { "1.1", TLS1_1_VERSION }, { "1.2", TLS1_2_VERSION }, { "1.3", TLS1_3_VERSION },
	};

	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		if (strcmp(versions[i].name, text) == 0)
			return versions[i].version;
	}
	return 0;
}

static int
session_came(SSL *from, SSL_SESSION *session)
{
	const char *path = setting("save");
	FILE *file;

	(void)from;
	if (path && (file = fopen(path, "w"))) {
		PEM_write_SSL_SESSION(file, session);
		fclose(file);
	}
	printf("session %lu\n", SSL_SESSION_get_ticket_lifetime_hint(session));
	return 0;
}

static void
offer_protocols(const char *list)
{
	unsigned char wire[256];
	size_t len = 0;

	while (*list) {
		size_t one = strcspn(list, ",");

		wire[len] = (unsigned char)one;
		memcpy(wire + len + 1, list, one);
		len += one + 1;
		list += one + (list[one] == ',');
	}
	SSL_set_alpn_protos(ssl, wire, (unsigned)len);
}

static void
resume_session(const char *path)
{
	FILE *file = fopen(path, "r");
	SSL_SESSION *session = file ? PEM_read_SSL_SESSION(file, NULL, NULL, NULL) : NULL;

	if (file)
		fclose(file);
	if (session)
		SSL_set_session(ssl, session);
	SSL_SESSION_free(session);
}

static void
prepare(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	const char *value;

	if (setting("weak"))
		SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_min_proto_version(context, (value = setting("min")) ? version_of(value) : TLS1_2_VERSION);
	if ((value = setting("max")))
		SSL_CTX_set_max_proto_version(context, version_of(value));
	if ((value = setting("ciphers")) && !SSL_CTX_set_cipher_list(context, value))
		fail("ciphers");
	if ((value = setting("suites")) && !SSL_CTX_set_ciphersuites(context, value))
		fail("suites");
	if ((value = setting("sigalgs")) && !SSL_CTX_set1_sigalgs_list(context, value))
		fail("sigalgs");
	if ((value = setting("groups")) && !SSL_CTX_set1_groups_list(context, value))
		fail("groups");
	if ((value = setting("ca")) && !SSL_CTX_load_verify_locations(context, value, NULL))
		fail("ca");
	if ((value = setting("cert")) && SSL_CTX_use_certificate_chain_file(context, value) != 1)
		fail("cert");
	if ((value = setting("key")) && SSL_CTX_use_PrivateKey_file(context, value, SSL_FILETYPE_PEM) != 1)
		fail("key");
	if ((value = setting("fragment")))
		SSL_CTX_set_max_send_fragment(context, atol(value));
	SSL_CTX_clear_options(context, SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, session_came);
	ssl = SSL_new(context);
	from_peer = BIO_new(BIO_s_mem());
	to_peer = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(from_peer, -1);
	SSL_set_bio(ssl, from_peer, to_peer);
	SSL_set_connect_state(ssl);
	if ((value = setting("sni")))
		SSL_set_tlsext_host_name(ssl, value);
	if ((value = setting("alpn")))
		offer_protocols(value);
	if (setting("staple"))
		SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
	if ((value = setting("session")))
		resume_session(value);
	if ((value = setting("piece")))
		piece = (size_t)atol(value);
}

/* -- what it tells --------------------------------------------------------------------------------------------------- */

static void
tell_text(const char *name, const char *text)
{
	printf("\"%s\":\"", name);
	for (; text && *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text >= ' ')
			putchar(*text);
	}
	printf("\",");
}

static void
tell_hex(const char *name, const unsigned char *bytes, size_t len)
{
	printf("\"%s\":\"", name);
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\",");
}

static void
tell_certificate(void)
{
	X509 *leaf = SSL_get0_peer_certificate(ssl);
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char name[512];

	if (leaf) {
		X509_NAME_oneline(X509_get_subject_name(leaf), name, sizeof(name));
		tell_text("subject", name);
		X509_digest(leaf, EVP_sha256(), digest, &len);
		tell_hex("fingerprint", digest, len);
		tell_text("key", OBJ_nid2sn(EVP_PKEY_get_base_id(X509_get0_pubkey(leaf))));
	}
	printf("\"chain\":%d,", chain ? sk_X509_num(chain) : 0);
}

static void
tell_authorities(void)
{
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);
	char name[512];

	printf("\"authorities\":[");
	for (int i = 0; names && i < sk_X509_NAME_num(names); i++)
		printf("%s\"%s\"", i ? "," : "", X509_NAME_oneline(sk_X509_NAME_value(names, i), name, sizeof(name)));
	printf("],");
}

static void
tell_facts(void)
{
	const unsigned char *protocol, *staple = NULL;
	char text[256] = "";
	unsigned len;
	int nid = 0;
	long staple_len = SSL_get_tlsext_status_ocsp_resp(ssl, &staple);

	printf("facts {");
	tell_text("version", SSL_get_version(ssl));
	tell_text("cipher", SSL_get_cipher(ssl));
	SSL_get0_alpn_selected(ssl, &protocol, &len);
	snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)protocol);
	tell_text("alpn", text);
	tell_certificate();
	tell_authorities();
	tell_text("verify", X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	if (SSL_get_peer_signature_type_nid(ssl, &nid))
		tell_text("signature", OBJ_nid2sn(nid));
	tell_hex("staple", staple, staple_len > 0 ? (size_t)staple_len : 0);
	tell_text("compression", SSL_get_current_compression(ssl) ? "some" : "none");
	printf("\"renegotiation\":%ld,\"group\":%ld,", SSL_get_secure_renegotiation_support(ssl),
	    (long)SSL_get_negotiated_group(ssl));
	printf("\"resumed\":%d}\n", SSL_session_reused(ssl));
}

/* -- bytes ----------------------------------------------------------------------------------------------------------- */

static void
queue(const void *bytes, size_t len)
{
	if (out_len + len > out_size) {
		out_size = (out_len + len) * 2;
		out = realloc(out, out_size);
	}
	memcpy(out + out_len, bytes, len);
	out_len += len;
}

static void
queue_ours(void)
{
	char bytes[16384];
	int got;

	while ((got = BIO_read(to_peer, bytes, sizeof(bytes))) > 0)
		queue(bytes, (size_t)got);
}

static void
leave(const char *why)
{
	printf("%s\n", why);
	fflush(stdout);
	close(peer);
	peer = -1;
}

/* In pieces the peer gets each alone: a moment between them. */
static void
send_queued(void)
{
	while (peer >= 0 && out_sent < out_len) {
		size_t len = out_len - out_sent;
		ssize_t sent = send(peer, out + out_sent, piece && piece < len ? piece : len, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (sent < 0) {	/* what it has to say may still be read */
			out_sent = out_len;
			break;
		}
		out_sent += (size_t)sent;
		if (piece)
			nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	out_len = out_sent = 0;
	if (finishing && peer >= 0)
		shutdown(peer, SHUT_WR);
	finishing = false;
}

static void
tell_error(void)
{
	unsigned long code = ERR_peek_last_error();

	printf("error %s\n", code ? ERR_reason_error_string(code) : "?");
	fflush(stdout);
	ERR_clear_error();
}

/* Everything that TLS has for us. False: it is broken. */
static bool
take_input(void)
{
	char bytes[16384];
	int got, error;

	ERR_clear_error();
	if (!greeted) {
		got = SSL_do_handshake(ssl);
		error = SSL_get_error(ssl, got);
		queue_ours();
		if (got == 1) {
			greeted = true;
			tell_facts();
		} else if (error != SSL_ERROR_WANT_READ) {
			tell_error();
			return false;
		}
	}
	while (greeted) {
		got = SSL_read(ssl, bytes, sizeof(bytes));
		error = SSL_get_error(ssl, got);
		if (got > 0) {
			printf("data %d\n", got);
			fwrite(bytes, 1, (size_t)got, stdout);
			continue;
		}
		if (error == SSL_ERROR_ZERO_RETURN) {
			printf("notify\n");
			greeted = false;	/* nothing more to read */
		} else if (error != SSL_ERROR_WANT_READ) {
			tell_error();
			queue_ours();
			return false;
		}
		break;
	}
	queue_ours();
	fflush(stdout);
	return true;
}

static void
read_peer(void)
{
	static bool is_over;
	char bytes[INPUT];
	ssize_t got = recv(peer, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		leave("reset");
		return;
	}
	if (got == 0) {
		leave("fin");
		return;
	}
	if (is_over)
		return;
	BIO_write(from_peer, bytes, (int)got);
	is_over = !take_input() || (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN);
}

/* -- words ----------------------------------------------------------------------------------------------------------- */

static void
write_all(const char *bytes, size_t len)
{
	size_t done = 0, some;

	while (done < len) {
		if (SSL_write_ex(ssl, bytes + done, len - done, &some) != 1)
			return tell_error();
		done += some;
	}
	queue_ours();
}

static void
obey(const char *word, const char *bytes, size_t len)
{
	if (strcmp(word, "send") == 0) {
		write_all(bytes, len);
	} else if (strcmp(word, "raw") == 0) {
		queue(bytes, len);
	} else if (strcmp(word, "notify") == 0) {
		SSL_shutdown(ssl);
		queue_ours();
	} else if (strcmp(word, "fin") == 0) {
		finishing = true;
	} else if (strcmp(word, "reset") == 0) {
		setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
		close(peer);
		exit(0);
	} else if (strcmp(word, "renegotiate") == 0) {
		SSL_renegotiate(ssl);
		SSL_do_handshake(ssl);
		queue_ours();
	} else if (strcmp(word, "update") == 0) {
		SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(ssl);
		queue_ours();
	} else if (strcmp(word, "pause") == 0 || strcmp(word, "resume") == 0) {
		paused = *word == 'p';
	}
	ERR_clear_error();
}

static void
read_words(void)
{
	ssize_t got = read(0, words + words_len, sizeof(words) - words_len);
	size_t at = 0;

	if (got <= 0) {
		no_more_words = true;
		return;
	}
	words_len += (size_t)got;
	while (at < words_len) {
		char *line = words + at, *end = memchr(line, '\n', words_len - at), word[32] = "";
		size_t len = 0, head;

		if (end == NULL)
			break;
		*end = '\0';
		sscanf(line, "%31s %zu", word, &len);
		*end = '\n';
		head = (size_t)(end + 1 - line);
		if (words_len - at < head + len)
			break;
		if (peer >= 0)
			obey(word, line + head, len);
		at += head + len;
	}
	memmove(words, words + at, words_len - at);
	words_len -= at;
}

/* -- life ------------------------------------------------------------------------------------------------------------ */

static int
reach(void)
{
	const char *path = setting("path"), *port = setting("port"), *from = setting("from");
	struct sockaddr_in ours = { .sin_family = AF_INET };
	struct sockaddr_in internet = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM, 0), done;

	if (path) {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", path);
		done = connect(fd, (struct sockaddr *)&local, sizeof(local));
	} else {
		internet.sin_port = htons((uint16_t)atoi(port ? port : "443"));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		if (from && (inet_pton(AF_INET, from, &ours.sin_addr) != 1 || bind(fd, (struct sockaddr *)&ours, sizeof(ours))))
			fail("from");
		done = connect(fd, (struct sockaddr *)&internet, sizeof(internet));
	}
	if (done < 0)
		fail("connect");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

static void
run(void)
{
	take_input();
	while (!no_more_words) {
		struct pollfd polled[] = {
			{ .fd = out_len - out_sent < OUTPUT_FULL ? 0 : -1, .events = POLLIN },
			{ .fd = peer, .events = (short)((paused ? 0 : POLLIN) | (out_sent < out_len || finishing ? POLLOUT : 0)) },
		};

		if (peer < 0 || polled[1].events == 0)
			polled[1].fd = -1;
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return;
		if (polled[0].revents)
			read_words();
		if (peer >= 0 && (out_sent < out_len || finishing))
			send_queued();
		if (peer >= 0 && (polled[1].revents & (POLLIN | POLLHUP | POLLERR)))
			read_peer();
	}
}

int
main(int argc, char **argv)
{
	bool only_hello = argc > 1 && strcmp(argv[1], "hello") == 0;
	struct setting *read = calloc((size_t)argc, sizeof(*read));

	for (int i = only_hello ? 2 : 1; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (equals == NULL)
			return 2;
		*equals = '\0';
		read[settings_count++] = (struct setting){ argv[i], equals + 1 };
	}
	settings = read;
	prepare();
	if (only_hello) {
		SSL_do_handshake(ssl);
		queue_ours();
		return fwrite(out, 1, out_len, stdout) == out_len ? 0 : 1;
	}
	peer = reach();
	if (setting("before"))	/* a PROXY header */
		queue(setting("before"), strlen(setting("before")));
	run();
	return 0;
}
