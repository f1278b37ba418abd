/* rooms: base loop net conf */
/* Handshakes with a server of OpenSSL's own over a socket pair: whom we trust, what we say, what we keep. */
#include "net/tls_client.h"

#include "base/clock.h"
#include "net/tls.h"
#include "net/tls_roots.h"

#include "pki.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

enum { TURNS_MAX = 1000 };

static const char *const http1[] = { "http/1.1", NULL };
static const char *const h2[] = { "h2", NULL };

static struct {
	struct identity	root, other, site, mine;
} made;

/* -- options and what is made of them ------------------------------------------------------------------------------ */

struct reading {
	struct conf			*conf;
	struct arena			 arena;
	struct conf_problems		 problems;
	struct option_reader		 reader;
	struct tls_client_options	 options;
	struct tls_client		*client;
	struct text			 said;
};

static void
reading_begin(struct reading *reading, const char *yaml, const char *const *protocols)
{
	memset(reading, 0, sizeof(*reading));
	arena_init(&reading->arena, 4096);
	conf_problems_init(&reading->problems);
	reading->conf = conf_load_bytes("t.yaml", span_text(yaml), &reading->problems);
	assert_non_null(reading->conf);
	option_reader_init(&reading->reader, reading->conf, &reading->arena, &reading->problems);
	if (option_read(&reading->reader, &tls_client_group, conf_root(reading->conf), &reading->options))
		reading->client = tls_client_create(&reading->options, conf_root(reading->conf), &reading->reader,
		    protocols);
	conf_problems_format(&reading->problems, &reading->said);
	assert_int_equal(reading->client == NULL, reading->problems.errors > 0);
}

static void
reading_end(struct reading *reading)
{
	tls_client_unref(reading->client);
	text_fini(&reading->said);
	conf_problems_fini(&reading->problems);
	arena_fini(&reading->arena);
	conf_free(reading->conf);
}

static struct tls_client *
client_of(const char *yaml, const char *const *protocols)
{
	struct reading reading;
	struct tls_client *client;

	reading_begin(&reading, yaml, protocols);
	if (reading.client == NULL)
		fail_msg("%s", reading.said.bytes);
	client = tls_client_ref(reading.client);
	reading_end(&reading);
	return client;
}

/* -- a server and a connection to it ------------------------------------------------------------------------------- */

struct talk {
	struct stream		 stream;
	SSL			*server;
	int			 server_fd;
	enum stream_result	 result;	/* of our handshake */
	struct err		 err;
	char			 seen_name[64];	/* SNI */
};

static SSL_CTX *
server_of(const struct identity *identity)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(context, identity->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, identity->key), 1);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"t", 1);
	return context;
}

static void
talk_open(struct talk *talk, int fds[2])
{
	memset(talk, 0, sizeof(*talk));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	talk->server_fd = fds[1];
	stream_init(&talk->stream, fds[0]);
}

/* Both take steps until ours is done. */
static void
talk_shake(struct talk *talk)
{
	const char *name;

	talk->result = STREAM_AGAIN;
	for (int i = 0; i < TURNS_MAX && talk->result == STREAM_AGAIN; i++) {
		talk->result = stream_handshake(&talk->stream);
		if (talk->result == STREAM_OK)
			stream_flush(&talk->stream);
		SSL_do_handshake(talk->server);
	}
	ERR_clear_error();
	name = SSL_get_servername(talk->server, TLSEXT_NAMETYPE_host_name);
	snprintf(talk->seen_name, sizeof(talk->seen_name), "%s", name ? name : "");
	if (talk->result != STREAM_OK)
		tls_client_explain(talk->stream.tls, &talk->err);
}

static void
talk_begin(struct talk *talk, struct tls_client *client, SSL_CTX *server, const char *host, struct tls_session *session)
{
	int fds[2];

	talk_open(talk, fds);
	talk->server = SSL_new(server);
	SSL_set_fd(talk->server, fds[1]);
	SSL_set_accept_state(talk->server);
	stream_secure(&talk->stream, tls_client_connect(client, fds[0], span_text(host), session));
	talk_shake(talk);
}

/* What the server says comes to us; so do session tickets. */
static enum stream_result
talk_hear(struct talk *talk, const char *words)
{
	enum stream_result result;
	char bytes[64];
	size_t count;

	SSL_write(talk->server, words, (int)strlen(words));
	ERR_clear_error();
	result = stream_read(&talk->stream, bytes, sizeof(bytes), &count);
	if (result == STREAM_OK)
		assert_true(span_is(span_make(bytes, count), words));
	return result;
}

static void
talk_end(struct talk *talk)
{
	stream_close(&talk->stream);
	SSL_free(talk->server);
	fd_close(&talk->server_fd);
}

static bool
is_resumed(const struct talk *talk)
{
	struct tls_facts facts;

	tls_facts(talk->stream.tls, &facts);
	assert_int_equal(facts.is_resumed, SSL_session_reused(talk->server));
	return facts.is_resumed;
}

/* -- whom we trust ------------------------------------------------------------------------------------------------- */

static void
test_a_good_server(void **state)
{
	struct tls_client *client = client_of("{ca: root.pem}", http1);
	SSL_CTX *server = server_of(&made.site);
	struct tls_session session = { NULL };
	struct tls_facts facts;
	struct talk talk;
	struct err err;

	talk_begin(&talk, client, server, "A.test", &session);
	assert_int_equal(talk.result, STREAM_OK);
	assert_string_equal(talk.seen_name, "A.test");
	assert_true(tls_client_agreed(client, talk.stream.tls, &err));
	tls_facts(talk.stream.tls, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_string_equal(facts.cipher, "TLS_AES_128_GCM_SHA256");
	assert_int_equal(SSL_get_verify_result(tls_ssl(talk.stream.tls)), X509_V_OK);
	assert_int_equal(talk_hear(&talk, "hello"), STREAM_OK);
	talk_end(&talk);
	tls_session_fini(&session);
	SSL_CTX_free(server);
	tls_client_unref(client);
}

/* trust NULL: the root's file. */
static const struct {
	const char	*yaml;
	struct wish	 wish;
	bool		 is_root, is_others;	/* who signed it */
	const char	*host;
	const char	*why;			/* NULL: it is good */
	const char	*seen_name;
} cases[] = {
	{ "{ca: root.pem}", { .san = "DNS:b.test,DNS:*.c.test,IP:192.0.2.7" }, true, false, "a.test",
	  "certificate verify failed: hostname mismatch, it is for b.test, *.c.test, 192.0.2.7; host a.test",
	  "a.test" },
	{ "{ca: root.pem}", { .san = "DNS:*.a.test" }, true, false, "x.a.test", NULL, "x.a.test" },
	{ "{ca: root.pem}", { .san = "DNS:*.a.test" }, true, false, "a.test", "hostname mismatch", "a.test" },
	{ "{ca: root.pem}", { .san = "DNS:*.a.test" }, true, false, "y.x.a.test", "hostname mismatch", "y.x.a.test" },
	{ "{ca: root.pem}", { .san = "DNS:x*.a.test" }, true, false, "xy.a.test", "hostname mismatch", "xy.a.test" },
	{ "{ca: root.pem}", { .san = "DNS:a.test" }, true, false, "a.test.", NULL, "a.test" },
	{ "{ca: root.pem}", { .name = "a.test" }, true, false, "a.test",
	  "hostname mismatch, it is for no name (a common name does not count: RFC 9110 section 4.3.4); host a.test",
	  "a.test" },
	{ "{ca: root.pem}", { .name = "a.test", .san = "email:a@a.test" }, true, false, "a.test", "it is for no name",
	  "a.test" },
	{ "{ca: root.pem}", { .san = "IP:127.0.0.1" }, true, false, "127.0.0.1", NULL, "" },
	{ "{ca: root.pem}", { .san = "DNS:127.0.0.1" }, true, false, "127.0.0.1", "IP address mismatch", "" },
	{ "{ca: root.pem}", { .san = "IP:127.0.0.2" }, true, false, "127.0.0.1",
	  "certificate verify failed: IP address mismatch, it is for 127.0.0.2; host 127.0.0.1", "" },
	{ "{ca: root.pem}", { .san = "IP:2001:db8::1" }, true, false, "2001:db8::1", NULL, "" },
	{ "{ca: root.pem}", { .san = "IP:2001:db8::1" }, true, false, "2001:DB8:0::1", NULL, "" },
	{ "{ca: root.pem, server_name: a.test}", { .san = "DNS:a.test" }, true, false, "127.0.0.1", NULL, "a.test" },
	{ "{ca: root.pem, server_name: a.test}", { .san = "DNS:b.test" }, true, false, "b.test",
	  "hostname mismatch, it is for b.test; host a.test", "a.test" },
	{ "{ca: root.pem}", { .san = "DNS:a.test", .from = -9 * DAY, .until = -DAY }, true, false, "a.test",
	  "certificate verify failed: certificate has expired, it ended on 20", "a.test" },
	{ "{ca: root.pem}", { .san = "DNS:a.test", .from = DAY }, true, false, "a.test",
	  "certificate verify failed: certificate is not yet valid, it begins on 20", "a.test" },
	{ "{ca: root.pem}", { .san = "DNS:a.test" }, false, true, "a.test",
	  "certificate verify failed: unable to get local issuer certificate, its issuer is CN=other; host a.test",
	  "a.test" },
	{ "{ca: root.pem}", { .san = "DNS:a.test" }, false, false, "a.test",
	  "certificate verify failed: self-signed certificate; host a.test", "a.test" },
	{ "{ca: root.pem}", { .san = "DNS:a.test", .is_for_clients = true }, true, false, "a.test", "purpose",
	  "a.test" },
	{ "{}", { .san = "DNS:a.test" }, true, false, "a.test", "unable to get local issuer certificate", "a.test" },
	{ "{ca: both.pem}", { .san = "DNS:a.test" }, false, true, "a.test", NULL, "a.test" },
	{ "{verify: false}", { .san = "DNS:b.test", .from = -9 * DAY, .until = -DAY }, false, true, "a.test", NULL,
	  "a.test" },
	{ "{verify: false, server_name: c.test}", { .san = "DNS:b.test" }, false, false, "127.0.0.1", NULL, "c.test" },
};

static void
test_certificates(void **state)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct wish wish = cases[i].wish;
		struct tls_client *client = client_of(cases[i].yaml, http1);
		struct tls_session session = { NULL };
		struct identity identity;
		SSL_CTX *server;
		struct talk talk;

		if (cases[i].is_root || cases[i].is_others)
			wish.issuer = cases[i].is_root ? &made.root : &made.other;
		if (wish.name == NULL)
			wish.name = "leaf";
		identity = identity_make(&wish);
		server = server_of(&identity);
		talk_begin(&talk, client, server, cases[i].host, &session);
		if (cases[i].why == NULL && talk.result != STREAM_OK)
			fail_msg("case %zu: %s", i, talk.err.text);
		if (cases[i].why != NULL && (talk.result != STREAM_BROKEN || !strstr(talk.err.text, cases[i].why)))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, talk.err.text, cases[i].why);
		assert_string_equal(talk.seen_name, cases[i].seen_name);
		talk_end(&talk);
		tls_session_fini(&session);
		SSL_CTX_free(server);
		identity_fini(&identity);
		tls_client_unref(client);
	}
}

/* Whoever is named in `ca` is trusted: an authority in the middle, or the server's own certificate. */
static void
test_ca_needs_no_root(void **state)
{
	struct identity between = identity_make(&(struct wish){ .name = "two", .issuer = &made.other,
	    .is_authority = true });
	struct identity below = identity_make(&(struct wish){ .name = "x", .san = "DNS:a.test", .issuer = &between });
	struct identity own = identity_make(&(struct wish){ .name = "x", .san = "DNS:a.test" });
	const struct identity *servers[] = { &below, &below, &own };
	static const char *const yamls[] = { "{ca: between.pem}", "{ca: below.pem}", "{ca: own.pem}" };

	put_identity("between", &between, NULL);
	put_identity("below", &below, NULL);
	put_identity("own", &own, NULL);
	for (size_t i = 0; i < COUNT(servers); i++) {
		struct tls_client *client = client_of(yamls[i], http1);
		SSL_CTX *server = server_of(servers[i]);
		struct tls_session session = { NULL };
		struct talk talk;

		talk_begin(&talk, client, server, "a.test", &session);
		assert_int_equal(talk.result, STREAM_OK);
		talk_end(&talk);
		talk_begin(&talk, client, server, "b.test", &session);
		assert_int_equal(talk.result, STREAM_BROKEN);
		talk_end(&talk);
		tls_session_fini(&session);
		SSL_CTX_free(server);
		tls_client_unref(client);
	}
	identity_fini(&between);
	identity_fini(&below);
	identity_fini(&own);
}

static void
test_the_systems_roots(void **state)
{
	struct reading reading;

	assert_ptr_equal(tls_roots(), tls_roots());
	assert_int_equal(setenv("SSL_CERT_FILE", "/nowhere", 1), 0);
	assert_int_equal(setenv("SSL_CERT_DIR", directory, 1), 0);
	assert_false(tls_roots_are_there());
	reading_begin(&reading, "{}", http1);
	assert_non_null(strstr(reading.said.bytes, "warning: this system has no root certificates"));
	reading_end(&reading);
	assert_int_equal(symlink("root.pem", "4042bcee.0"), 0);
	assert_true(tls_roots_are_there());
	unsetenv("SSL_CERT_FILE");
	unsetenv("SSL_CERT_DIR");
}

static void
test_hosts_that_nobody_has(void **state)
{
	char long_one[300];
	const char *const hosts[] = { "", ".", ".a.test", "..", long_one };
	struct tls_client *client = client_of("{ca: root.pem}", http1);
	struct tls_session session = { NULL };

	memset(long_one, 'a', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	for (size_t i = 0; i < COUNT(hosts); i++)
		assert_null(tls_client_connect(client, -1, span_text(hosts[i]), &session));
	tls_client_unref(client);
}

/* -- peers that do not get along with us --------------------------------------------------------------------------- */

static void
test_old_versions(void **state)
{
	static const char *const yamls[] = { "{ca: root.pem}", "{verify: false}" };
	SSL_CTX *server = server_of(&made.site);

	SSL_CTX_set_security_level(server, 0);
	SSL_CTX_set_min_proto_version(server, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION);
	for (size_t i = 0; i < COUNT(yamls); i++) {
		struct tls_client *client = client_of(yamls[i], http1);
		struct tls_session session = { NULL };
		struct talk talk;

		talk_begin(&talk, client, server, "a.test", &session);
		assert_int_equal(talk.result, STREAM_BROKEN);
		assert_non_null(strstr(talk.err.text, "TLS handshake failed: "));
		assert_non_null(strstr(talk.err.text, "protocol version"));
		talk_end(&talk);
		tls_client_unref(client);
	}
	SSL_CTX_free(server);
}

static const struct {
	const char		*bytes;	/* NULL: it only leaves */
	enum stream_result	 result;
	const char		*why;
} strangers[] = {
	{ "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", STREAM_BROKEN,
	  "TLS handshake failed: what the peer sent is not TLS" },
	{ "SSH-2.0-OpenSSH_9.2\r\n", STREAM_BROKEN, "TLS handshake failed: " },
	{ NULL, STREAM_END, "TLS handshake failed: the peer closed the connection during the handshake" },
};

static void
test_strangers(void **state)
{
	struct tls_client *client = client_of("{ca: root.pem}", http1);

	for (size_t i = 0; i < COUNT(strangers); i++) {
		struct tls_session session = { NULL };
		struct talk talk;
		int fds[2];

		talk_open(&talk, fds);
		stream_secure(&talk.stream, tls_client_connect(client, fds[0], SPAN_OF("a.test"), &session));
		assert_int_equal(stream_handshake(&talk.stream), STREAM_AGAIN);
		if (strangers[i].bytes)
			assert_true(write(fds[1], strangers[i].bytes, strlen(strangers[i].bytes)) > 0);
		shutdown(fds[1], SHUT_WR);
		assert_int_equal(stream_handshake(&talk.stream), strangers[i].result);
		tls_client_explain(talk.stream.tls, &talk.err);
		if (!strstr(talk.err.text, strangers[i].why))
			fail_msg("\"%s\" does not say \"%s\"", talk.err.text, strangers[i].why);
		talk_end(&talk);
	}
	tls_client_unref(client);
}

/* -- ALPN ---------------------------------------------------------------------------------------------------------- */

static int
choose(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
    void *owner)
{
	const char *wanted = owner;

	(void)ssl;
	for (const unsigned char *at = in; at < in + in_len; at += 1 + *at) {
		if (*at == strlen(wanted) && memcmp(at + 1, wanted, *at) == 0) {
			*out = at + 1;
			*out_len = *at;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
choose_blindly(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
    void *owner)
{
	(void)ssl, (void)in, (void)in_len;
	*out = owner;
	*out_len = (unsigned char)strlen(owner);
	return SSL_TLSEXT_ERR_OK;
}

static const struct {
	const char *const	*offered;
	SSL_CTX_alpn_select_cb_func	 chooser;	/* NULL: the server knows no ALPN */
	char				 chosen[16];
	enum stream_result		 result;
	const char			*why;		/* NULL: agreed */
} agreements[] = {
#define REFUSED "TLS handshake failed: the peer refused: no application protocol"
	{ http1,	choose,		"http/1.1",	STREAM_OK,	NULL },
	{ http1,	NULL,		"",		STREAM_OK,	NULL },
	{ h2,		choose,		"h2",		STREAM_OK,	NULL },
	{ h2,		NULL,		"",		STREAM_OK,	"it does not agree to h2 (ALPN)" },
	{ h2,		choose,		"http/1.1",	STREAM_BROKEN,	REFUSED },
	{ http1,	choose,		"h2",		STREAM_BROKEN,	REFUSED },
	{ http1,	choose_blindly,	"h2",		STREAM_BROKEN,	"" },	/* OpenSSL since 3.0.15 */
	{ h2,		choose_blindly,	"http/1.1",	STREAM_BROKEN,	"" },
	{ NULL,		NULL,		"",		STREAM_OK,	NULL },
};

static void
test_protocols(void **state)
{
	for (size_t i = 0; i < COUNT(agreements); i++) {
		struct tls_client *client = client_of("{ca: root.pem}", agreements[i].offered);
		struct tls_session session = { NULL };
		SSL_CTX *server = server_of(&made.site);
		char chosen[16];
		struct talk talk;
		bool is_agreed;

		memcpy(chosen, agreements[i].chosen, sizeof(chosen));
		if (agreements[i].chooser)
			SSL_CTX_set_alpn_select_cb(server, agreements[i].chooser, chosen);
		talk_begin(&talk, client, server, "a.test", &session);
		if (agreements[i].chooser == choose_blindly)
			assert_true(talk.result == STREAM_BROKEN || !tls_client_agreed(client, talk.stream.tls, NULL));
		else
			assert_int_equal(talk.result, agreements[i].result);
		if (talk.result == STREAM_OK) {
			is_agreed = tls_client_agreed(client, talk.stream.tls, &talk.err);
			assert_int_equal(is_agreed, agreements[i].why == NULL);
		}
		if (agreements[i].why && !strstr(talk.err.text, agreements[i].why))
			fail_msg("%zu: \"%s\" does not say \"%s\"", i, talk.err.text, agreements[i].why);
		talk_end(&talk);
		tls_session_fini(&session);
		SSL_CTX_free(server);
		tls_client_unref(client);
	}
}

/* -- who we are ---------------------------------------------------------------------------------------------------- */

static void
mutual(int version, bool shows)
{
	struct tls_client *client = client_of(shows ? "{ca: root.pem, cert: mine.pem, key: mine.key}"
	    : "{ca: root.pem}", http1);
	struct tls_session session = { NULL };
	SSL_CTX *server = server_of(&made.site);
	X509 *seen;
	struct talk talk;

	SSL_CTX_set_max_proto_version(server, version);
	SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(server), made.root.certificate);
	talk_begin(&talk, client, server, "a.test", &session);
	if (shows) {
		assert_int_equal(talk.result, STREAM_OK);
		assert_int_equal(talk_hear(&talk, "welcome"), STREAM_OK);
		seen = SSL_get1_peer_certificate(talk.server);
		assert_int_equal(X509_cmp(seen, made.mine.certificate), 0);
		X509_free(seen);
	} else if (version == TLS1_3_VERSION) {	/* the refusal comes behind our end of the handshake */
		assert_int_equal(talk.result, STREAM_OK);
		assert_int_equal(talk_hear(&talk, "never"), STREAM_BROKEN);
		assert_string_equal(stream_why(&talk.stream), "the peer refused: certificate required");
	} else {
		assert_int_equal(talk.result, STREAM_BROKEN);
		assert_string_equal(talk.err.text, "TLS handshake failed: the peer refused: handshake failure");
	}
	talk_end(&talk);
	tls_session_fini(&session);
	SSL_CTX_free(server);
	tls_client_unref(client);
}

static void
test_mutual(void **state)
{
	mutual(TLS1_3_VERSION, true);
	mutual(TLS1_3_VERSION, false);
	mutual(TLS1_2_VERSION, true);
	mutual(TLS1_2_VERSION, false);
}

/* -- sessions ------------------------------------------------------------------------------------------------------ */

static void
resume(int version)
{
	struct tls_client *client = client_of("{ca: root.pem}", http1);
	struct tls_session session = { NULL }, another = { NULL };
	SSL_CTX *server = server_of(&made.site);
	struct talk talk;

	SSL_CTX_set_max_proto_version(server, version);
	for (int i = 0; i < 4; i++) {
		talk_begin(&talk, client, server, "a.test", &session);
		assert_int_equal(talk.result, STREAM_OK);
		assert_int_equal(is_resumed(&talk), i > 0);
		assert_int_equal(talk_hear(&talk, "hello"), STREAM_OK);	/* and tickets before it */
		assert_non_null(session.session);
		if (i == 1)	/* a server that leaves without close_notify spoils nothing */
			shutdown(talk.server_fd, SHUT_RDWR);
		talk_end(&talk);
	}
	talk_begin(&talk, client, server, "a.test", &another);
	assert_false(is_resumed(&talk));
	talk_end(&talk);
	tls_session_fini(&session);
	tls_session_fini(&another);
	SSL_CTX_free(server);
	tls_client_unref(client);
}

static void
test_sessions(void **state)
{
	resume(TLS1_3_VERSION);
	resume(TLS1_2_VERSION);
}

/* Two connections that began with the same session: each goes its way. */
static void
test_sessions_of_two_at_once(void **state)
{
	struct tls_client *client = client_of("{ca: root.pem}", http1);
	struct tls_session session = { NULL };
	SSL_CTX *server = server_of(&made.site);
	struct talk first, second;

	talk_begin(&first, client, server, "a.test", &session);
	talk_hear(&first, "x");
	talk_end(&first);
	talk_begin(&first, client, server, "a.test", &session);
	talk_begin(&second, client, server, "a.test", &session);
	assert_true(is_resumed(&first) && is_resumed(&second));
	assert_int_equal(talk_hear(&first, "x"), STREAM_OK);
	talk_end(&first);
	assert_int_equal(talk_hear(&second, "y"), STREAM_OK);
	talk_end(&second);
	talk_begin(&first, client, server, "a.test", &session);
	assert_true(is_resumed(&first));
	talk_end(&first);
	tls_session_fini(&session);
	SSL_CTX_free(server);
	tls_client_unref(client);
}

/* Nobody looks at the certificate when a session is resumed, so it must not outlive it. */
static void
test_a_session_ends_with_its_certificate(void **state)
{
	struct identity brief = identity_make(&(struct wish){ .name = "x", .san = "DNS:a.test", .issuer = &made.root,
	    .until = 2 });
	struct tls_client *client = client_of("{ca: root.pem}", http1);
	struct tls_session session = { NULL };
	SSL_CTX *server = server_of(&brief);
	uint64_t until_ms = clock_ms() + 10000;
	struct talk talk;

	talk_begin(&talk, client, server, "a.test", &session);
	assert_int_equal(talk.result, STREAM_OK);
	talk_hear(&talk, "x");
	talk_end(&talk);
	while (X509_cmp_current_time(X509_get0_notAfter(brief.certificate)) > 0 && clock_ms() < until_ms)
		usleep(20000);
	talk_begin(&talk, client, server, "a.test", &session);
	assert_int_equal(talk.result, STREAM_BROKEN);
	assert_non_null(strstr(talk.err.text, "certificate has expired"));
	assert_null(session.session);
	talk_end(&talk);
	SSL_CTX_free(server);
	tls_client_unref(client);
	identity_fini(&brief);
}

/* RFC 5246 §7.2.2: what a fatal alert has ended is not resumed. */
static void
test_a_session_ends_with_a_fatal_alert(void **state)
{
	struct tls_client *client = client_of("{ca: root.pem}", http1);
	struct tls_session session = { NULL };
	SSL_CTX *server = server_of(&made.site);
	struct talk talk;
	char byte;
	size_t count;

	talk_begin(&talk, client, server, "a.test", &session);
	talk_hear(&talk, "x");
	assert_true(SSL_SESSION_is_resumable(session.session));
	assert_true(write(talk.server_fd, "\x17\x03\x03\x00\x20" "00000000000000000000000000000000", 37) > 0);
	assert_int_equal(stream_read(&talk.stream, &byte, 1, &count), STREAM_BROKEN);
	talk_end(&talk);
	talk_begin(&talk, client, server, "a.test", &session);
	assert_int_equal(talk.result, STREAM_OK);
	assert_false(is_resumed(&talk));
	talk_end(&talk);
	tls_session_fini(&session);
	SSL_CTX_free(server);
	tls_client_unref(client);
}

/* -- equal ones ---------------------------------------------------------------------------------------------------- */

static void
test_equality(void **state)
{
	static const char *const yamls[] = {
		"{ca: root.pem}", "{ca: other.pem}", "{}", "{verify: false}", "{ca: root.pem, server_name: a.test}",
		"{ca: root.pem, server_name: b.test}", "{ca: root.pem, cert: mine.pem, key: mine.key}",
		"{ca: root.pem, cert: site.pem, key: site.key}", "{cert: mine.pem, key: mine.key}",
	};
	struct tls_client *clients[COUNT(yamls)], *same, *for_h2;

	for (size_t i = 0; i < COUNT(yamls); i++)
		clients[i] = client_of(yamls[i], http1);
	for (size_t i = 0; i < COUNT(yamls); i++) {
		for (size_t j = 0; j < COUNT(yamls); j++)
			assert_int_equal(tls_client_equal(clients[i], clients[j]), i == j);
		same = client_of(yamls[i], http1);
		for_h2 = client_of(yamls[i], h2);
		assert_ptr_not_equal(same, clients[i]);
		assert_true(tls_client_equal(same, clients[i]));
		assert_false(tls_client_equal(for_h2, clients[i]));
		assert_false(tls_client_equal(NULL, clients[i]));
		assert_false(tls_client_equal(clients[i], NULL));
		tls_client_unref(same);
		tls_client_unref(for_h2);
	}
	assert_true(tls_client_equal(NULL, NULL));
	/* Another path with the same contents is the same; other contents on the same path are not. */
	put_identity("copy", &made.root, NULL);
	same = client_of("{ca: copy.pem}", http1);
	assert_true(tls_client_equal(same, clients[0]));
	tls_client_unref(same);
	put_identity("copy", &made.other, NULL);
	same = client_of("{ca: copy.pem}", http1);
	assert_false(tls_client_equal(same, clients[0]));
	tls_client_unref(same);
	for (size_t i = 0; i < COUNT(yamls); i++)
		tls_client_unref(clients[i]);
}

/* -- configuration ------------------------------------------------------------------------------------------------- */

static const struct {
	const char	*yaml;
	const char	*said;
} sayings[] = {
	{ "{ca: missing.pem}", "t.yaml:1:6: ca: cannot " },
	{ "{ca: mine.key}", "t.yaml:1:6: ca: the file has no certificate in PEM form" },
	{ "{ca: empty.pem}", "t.yaml:1:6: ca: the file has no certificate in PEM form" },
	{ "{cert: mine.pem, key: site.key}", "t.yaml:1:8: cert: " },
	{ "{cert: missing.pem, key: missing.key}", "t.yaml:1:8: cert: cannot " },
	{ "{cert: missing.pem, key: missing.key}", "t.yaml:1:26: key: cannot " },
	{ "{cert: mine.key, key: mine.pem}", "t.yaml:1:8: cert: " },
	{ "{cert: old.pem, key: old.key, ca: root.pem}",
	  "t.yaml:1:8: cert: warning: the certificate has expired: servers will refuse it" },
	{ "{cert: brief.pem, key: brief.key, ca: root.pem}",
	  "t.yaml:1:8: cert: warning: the certificate ends within 3 days" },
};

static void
test_sayings(void **state)
{
	struct identity old = identity_make(&(struct wish){ .name = "old", .until = -DAY, .from = -3 * DAY });
	struct identity brief = identity_make(&(struct wish){ .name = "brief", .until = 3 * DAY - 60 });

	put_text("empty.pem", "");
	put_identity("old", &old, NULL);
	put_identity("brief", &brief, NULL);
	for (size_t i = 0; i < COUNT(sayings); i++) {
		struct reading reading;

		reading_begin(&reading, sayings[i].yaml, http1);
		if (reading.said.bytes == NULL || !strstr(reading.said.bytes, sayings[i].said))
			fail_msg("%s: \"%s\" does not say \"%s\"", sayings[i].yaml,
			    reading.said.bytes ? reading.said.bytes : "", sayings[i].said);
		assert_null(reading.said.bytes ? strstr(reading.said.bytes, "PRIVATE KEY-----\nM") : NULL);
		reading_end(&reading);
	}
	identity_fini(&old);
	identity_fini(&brief);
}

/* The files are watched, and are in the pack for workers, who may not be able to read them. */
static void
test_files_are_watched(void **state)
{
	struct reading reading;
	size_t count = 0;

	reading_begin(&reading, "{ca: root.pem, cert: mine.pem, key: mine.key}", http1);
	assert_non_null(reading.client);
	while (conf_watched(reading.conf, count) != NULL)
		count++;
	assert_int_equal(count, 3);
	reading_end(&reading);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_server),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_ca_needs_no_root),
		cmocka_unit_test(test_hosts_that_nobody_has),
		cmocka_unit_test(test_old_versions),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_mutual),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_sessions_of_two_at_once),
		cmocka_unit_test(test_a_session_ends_with_its_certificate),
		cmocka_unit_test(test_a_session_ends_with_a_fatal_alert),
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_sayings),
		cmocka_unit_test(test_files_are_watched),
		cmocka_unit_test(test_the_systems_roots),
	};
	struct text both = { 0 };
	int failed;

	directory_enter();
	made.root = identity_make(&(struct wish){ .name = "root", .is_authority = true });
	made.other = identity_make(&(struct wish){ .name = "other", .is_authority = true, .key = rsa_key(2048) });
	made.site = identity_make(&(struct wish){ .name = "site", .san = "DNS:a.test", .issuer = &made.root });
	made.mine = identity_make(&(struct wish){ .name = "mine", .issuer = &made.root, .is_for_clients = true });
	put_identity("root", &made.root, NULL);
	put_identity("other", &made.other, NULL);
	put_identity("site", &made.site, NULL);
	put_identity("mine", &made.mine, NULL);
	pem_of(&both, &made.root, &made.other);
	put("both.pem", text_span(&both));
	text_fini(&both);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	identity_fini(&made.root);
	identity_fini(&made.other);
	identity_fini(&made.site);
	identity_fini(&made.mine);
	directory_leave();
	return failed;
}
