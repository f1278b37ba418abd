/*
 * One SSL_CTX for all connections of an upstream. What makes two of them equal is one digest: of the options, and of
 * the contents of the files that they name.
 */
#include "net/tls_client.h"

#include "base/address.h"
#include "base/memory.h"
#include "net/tls.h"
#include "net/tls_certificate.h"
#include "net/tls_pem.h"
#include "net/tls_roots.h"
#include "net/tls_session.h"
#include "net/tls_verdict.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* As OpenSSL has them, but the one first whose hash has instructions of its own: a tenth off a resumed handshake. */
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

enum {
	CA_MAX = 4 * 1024 * 1024,
	PAIR_MAX = 256 * 1024,
	ALPN_MAX = 64,
	DIGEST_SIZE = 32,
	DAY_S = 24 * 60 * 60,
	SOON_DAYS = 7,
};

struct tls_client {
	unsigned	 refs;
	SSL_CTX		*context;		/* owned */
	char		*server_name;		/* owned; NULL: the host of the URL */
	unsigned char	 digest[DIGEST_SIZE];
	char		 alpn[ALPN_MAX];	/* as in the protocol: a length byte before each */
	size_t		 alpn_len;
	bool		 verifies;
};

/* What stands around while one is made. */
struct making {
	struct tls_client		*client;
	const struct tls_client_options	*options;
	const struct conf_node		*node;
	struct option_reader		*reader;
	EVP_MD_CTX			*digest;
	bool				 is_good;
};

/* -- what it is made of -------------------------------------------------------------------------------------------- */

/* With its length, so that no two rows of parts give the same bytes. */
static void
digest_add(struct making *making, struct span part)
{
	uint64_t length = part.len;

	EVP_DigestUpdate(making->digest, &length, sizeof(length));
	EVP_DigestUpdate(making->digest, part.at, part.len);
}

static void
problem_at(struct making *making, const char *key, const char *sentence)
{
	making->is_good = option_problem_at(making->reader, making->node, key, "%s", sentence);
}

static bool
file_read(struct making *making, const char *key, struct span path, size_t max, struct span *contents_out)
{
	struct err err;

	if (!conf_file_watched(making->reader->conf, path.at, max, contents_out, &err)) {
		problem_at(making, key, err.text);
		return false;
	}
	digest_add(making, *contents_out);
	return true;
}

/* -- whom we trust ------------------------------------------------------------------------------------------------- */

/*
 * Whoever is named in `ca` is trusted, also when he has no issuer there: an authority in the middle of a chain, or a
 * server's own certificate (X509_V_FLAG_PARTIAL_CHAIN).
 */
static void
trust_file(struct making *making, struct span pem)
{
	X509_STORE *store = X509_STORE_new();
	struct err err;
	STACK_OF(X509) *certificates = tls_pem_certificates(pem, &err);

	if (certificates == NULL)
		problem_at(making, "ca", err.text);
	for (int i = 0; i < sk_X509_num(certificates); i++)
		X509_STORE_add_cert(store, sk_X509_value(certificates, i));
	sk_X509_pop_free(certificates, X509_free);
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_cert_store(making->client->context, store);
}

static void
trust_set(struct making *making)
{
	const struct tls_client_options *options = making->options;
	struct span pem;

	if (!options->verify)
		return;
	tls_verdict_setup(making->client->context);
	if (options->ca.len > 0) {
		if (file_read(making, "ca", options->ca, CA_MAX, &pem))
			trust_file(making, pem);
		return;
	}
	SSL_CTX_set1_cert_store(making->client->context, tls_roots());
	if (!tls_roots_are_there())
		option_warning(making->reader, making->node, "this system has no root certificates, so no server will "
		    "be trusted: install them (ca-certificates), or name them with `ca`");
}

/* -- who we are ---------------------------------------------------------------------------------------------------- */

static void
dates_warn(struct making *making, const struct tls_certificate *certificate)
{
	int64_t left_s = certificate->until_s - (int64_t)time(NULL);

	if (left_s < 0)
		option_warning_at(making->reader, making->node, "cert", "the certificate has expired: servers will "
		    "refuse it");
	else if (left_s < SOON_DAYS * DAY_S)
		option_warning_at(making->reader, making->node, "cert", "the certificate ends within %d days",
		    (int)(left_s / DAY_S) + 1);
}

static void
pair_use(struct making *making, struct span cert, struct span key)
{
	struct tls_certificate certificate = { .leaf = NULL };
	SSL_CTX *context = making->client->context;
	struct err err;

	if (!tls_certificate_read(&certificate, cert, key, making->reader->arena, &err)) {
		problem_at(making, "cert", err.text);
		return;
	}
	dates_warn(making, &certificate);
	if (SSL_CTX_use_cert_and_key(context, certificate.leaf, certificate.key, certificate.chain, 1) != 1)
		problem_at(making, "cert", "OpenSSL does not take this certificate: its key or signature is too weak");
	tls_reason();	/* OpenSSL's queue is of the process */
	tls_certificate_fini(&certificate);
}

static void
pair_set(struct making *making)
{
	const struct tls_client_options *options = making->options;
	struct span cert, key;
	bool is_read;

	if (options->cert.len == 0 || options->key.len == 0)
		return;
	is_read = file_read(making, "cert", options->cert, PAIR_MAX, &cert);
	is_read &= file_read(making, "key", options->key, PAIR_MAX, &key);
	if (is_read)
		pair_use(making, cert, key);
}

/* -- a context ----------------------------------------------------------------------------------------------------- */

static void
protocols_set(struct making *making, const char *const *protocols)
{
	struct tls_client *client = making->client;

	for (; protocols && *protocols; protocols++) {
		size_t len = strlen(*protocols);

		assert(len < 256 && client->alpn_len + 1 + len <= ALPN_MAX);
		client->alpn[client->alpn_len++] = (char)len;
		memcpy(client->alpn + client->alpn_len, *protocols, len);
		client->alpn_len += len;
	}
	if (client->alpn_len > 0)
		SSL_CTX_set_alpn_protos(client->context, (const unsigned char *)client->alpn,
		    (unsigned)client->alpn_len);
	digest_add(making, span_make(client->alpn, client->alpn_len));
}

static void
context_make(struct tls_client *client)
{
	client->context = SSL_CTX_new(TLS_client_method());
	assert(client->context != NULL);
	SSL_CTX_set_min_proto_version(client->context, TLS1_2_VERSION);
	SSL_CTX_set_options(client->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	if (SSL_CTX_set_ciphersuites(client->context, SUITES) != 1)
		tls_reason();	/* forbidden by the system's policy: its own order, then */
	tls_session_setup(client->context);
}

static void
options_apply(struct making *making, const char *const *protocols)
{
	const struct tls_client_options *options = making->options;
	struct tls_client *client = making->client;

	client->verifies = options->verify;
	digest_add(making, options->verify ? SPAN_OF("verify") : SPAN_OF(""));
	digest_add(making, options->server_name);
	digest_add(making, options->ca.len > 0 ? SPAN_OF("ca") : SPAN_OF(""));
	if (options->server_name.len > 0)
		client->server_name = memory_copy_text(options->server_name.at);
	protocols_set(making, protocols);
	trust_set(making);
	pair_set(making);
}

struct tls_client *
tls_client_create(const struct tls_client_options *options, const struct conf_node *node,
    struct option_reader *reader, const char *const *protocols)
{
	struct tls_client *client = memory_zalloc(sizeof(*client));
	struct making making = {
		.client = client, .options = options, .node = node, .reader = reader, .is_good = true,
	};

	client->refs = 1;
	context_make(client);
	making.digest = EVP_MD_CTX_new();
	EVP_DigestInit_ex(making.digest, EVP_sha256(), NULL);
	options_apply(&making, protocols);
	EVP_DigestFinal_ex(making.digest, client->digest, NULL);
	EVP_MD_CTX_free(making.digest);
	if (making.is_good)
		return client;
	tls_client_unref(client);
	return NULL;
}

struct tls_client *
tls_client_ref(struct tls_client *client)
{
	client->refs++;
	return client;
}

void
tls_client_unref(struct tls_client *client)
{
	if (client == NULL || --client->refs > 0)
		return;
	SSL_CTX_free(client->context);
	memory_free(client->server_name);
	memory_free(client);
}

bool
tls_client_equal(const struct tls_client *a, const struct tls_client *b)
{
	return a == b || (a != NULL && b != NULL && memcmp(a->digest, b->digest, DIGEST_SIZE) == 0);
}

/* -- connections --------------------------------------------------------------------------------------------------- */

/*
 * RFC 6125 §6.4.3: a wildcard is a whole label. RFC 9110 §4.3.4: the common name is none that counts. RFC 6066 §3:
 * names only in SNI, without the dot that ends an absolute one.
 */
static bool
name_expect(SSL *ssl, struct span host, bool verifies)
{
	X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);
	struct address address;
	char name[256];

	if (span_ends_with(host, SPAN_OF(".")))
		host.len--;
	if (host.len == 0 || host.len >= sizeof(name) || host.at[0] == '.')
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)host.len, host.at);
	X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (address_parse_host(host, 0, &address))
		return !verifies || X509_VERIFY_PARAM_set1_ip_asc(expected, name) == 1;
	return SSL_set_tlsext_host_name(ssl, name) == 1 &&
	    (!verifies || X509_VERIFY_PARAM_set1_host(expected, name, 0) == 1);
}

struct tls *
tls_client_connect(struct tls_client *client, int fd, struct span host, struct tls_session *session)
{
	struct tls *tls = tls_create(client->context, fd, TLS_CLIENT);
	SSL *ssl = tls_ssl(tls);

	if (client->server_name != NULL)
		host = span_text(client->server_name);
	if (!name_expect(ssl, host, client->verifies)) {
		tls_free(tls);
		return NULL;
	}
	tls_session_attach(ssl, session);
	return tls;
}

static bool
is_offered(const struct tls_client *client, struct span protocol)
{
	struct span rest = span_make(client->alpn, client->alpn_len);

	while (rest.len > 0) {
		size_t len = (unsigned char)rest.at[0];

		if (span_equal(span_first(span_skip(rest, 1), len), protocol))
			return true;
		rest = span_skip(rest, 1 + len);
	}
	return false;
}

bool
tls_client_agreed(const struct tls_client *client, const struct tls *tls, struct err *err)
{
	struct tls_facts facts;

	tls_facts(tls, &facts);
	if (client->alpn_len == 0 || is_offered(client, facts.protocol))
		return true;
	if (facts.protocol.len > 0)
		return err_set(err, "it chose a protocol that was not offered (ALPN)");
	return is_offered(client, SPAN_OF("http/1.1")) ||
	    err_set(err, "it does not agree to %.*s (ALPN)", (int)client->alpn_len - 1, client->alpn + 1);
}

void
tls_client_explain(const struct tls *tls, struct err *err_out)
{
	const char *verdict = tls_verdict(tls_ssl(tls));

	if (verdict != NULL)
		err_set(err_out, "%s", verdict);
	else
		err_set(err_out, "TLS handshake failed: %s", tls_why(tls));
}
