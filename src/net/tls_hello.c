/*
 * What happens while a client says hello. Its name is read before OpenSSL looks at tickets: the id that a ticket must
 * carry is made from the listener's rules about clients and that name. So a ticket opens no door that its own handshake
 * did not: not that of a listener which asks for more, not another name's (RFC 6066 §3).
 */
#include "net/tls_server_inside.h"

#include "base/clock.h"

#include <assert.h>

static_assert(TLS_SESSION_ID <= SSL_MAX_SID_CTX_LENGTH, "the id fits");

/*
 * A list of one name of type 0 (RFC 6066 §3); anything else is left for OpenSSL to refuse. Names have no final dot
 * there; who sends one means the same name.
 */
static struct span
hello_name(SSL *ssl)
{
	const unsigned char *at;
	size_t len, name_len;

	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &len) || len < 5 || at[2] != 0)
		return span_make(NULL, 0);
	name_len = (size_t)at[3] << 8 | at[4];
	if (name_len == 0 || name_len > TLS_NAME_MAX || name_len + 5 != len)
		return span_make(NULL, 0);
	return span_make((const char *)at + 5, name_len - (at[4 + name_len] == '.'));
}

static bool
session_id_set(struct tls_server *server, SSL *ssl, struct span name)
{
	unsigned char id[TLS_SESSION_ID];
	char lower[TLS_NAME_MAX];

	for (size_t i = 0; i < name.len; i++)
		lower[i] = byte_lower(name.at[i]);
	return EVP_DigestInit_ex(server->digesting, server->digest, NULL) &&
	    EVP_DigestUpdate(server->digesting, server->rules.digest, sizeof(server->rules.digest)) &&
	    EVP_DigestUpdate(server->digesting, lower, name.len) &&
	    EVP_DigestFinal_ex(server->digesting, id, NULL) &&
	    SSL_set_session_id_context(ssl, id, sizeof(id));
}

/* Also for the second ClientHello after a retry, which may say something else. */
static int
hello_hear(SSL *ssl, int *alert, void *owner)
{
	struct tls_server *server = tls_server_of(ssl);
	struct span host = hello_name(ssl);
	const struct tls_name *name = tls_names_find(&server->names, host);
	SSL_CTX *context = name ? name->context : server->fallback;

	(void)owner;
	if (SSL_set_SSL_CTX(ssl, context) == context && session_id_set(server, ssl, host))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

/* Acknowledged, so that OpenSSL keeps the name with the session. */
static int
name_acknowledge(SSL *ssl, int *alert, void *owner)
{
	(void)alert;
	(void)owner;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* RFC 9113 §9.2.2: of TLS 1.2 only what is ephemeral and AEAD. Others are there when `ciphers` asks for them. */
static bool
is_fit_for_http2(const SSL *ssl)
{
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);
	int exchange = cipher ? SSL_CIPHER_get_kx_nid(cipher) : NID_undef;

	return exchange == NID_kx_any || (exchange == NID_kx_ecdhe && SSL_CIPHER_is_aead(cipher));
}

/* Our order; without one in common the handshake ends with no_application_protocol (RFC 7301 §3.2). */
static int
protocol_choose(SSL *ssl, const unsigned char **to, unsigned char *to_len, const unsigned char *from,
    unsigned from_len, void *owner)
{
	const struct tls_server *server = tls_server_of(ssl);
	struct span ours = is_fit_for_http2(ssl) ? server->protocols : server->protocols_but_h2;
	unsigned char *chosen;

	(void)owner;
	if (SSL_select_next_proto(&chosen, to_len, (const unsigned char *)ours.at, (unsigned)ours.len, from,
	    from_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*to = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static const struct tls_staple *
staple_of(const struct tls_server *server, const X509 *leaf)
{
	for (size_t i = 0; leaf && i < server->count; i++)
		if (server->certificates[i].leaf == leaf)
			return &server->staples[i];
	return NULL;
}

static int
status_staple(SSL *ssl, void *owner)
{
	const struct tls_staple *staple = staple_of(tls_server_of(ssl), SSL_get_certificate(ssl));
	unsigned char *copy;

	(void)owner;
	if (staple == NULL || !tls_staple_is_fresh(staple, (int64_t)(clock_wall_ms() / 1000)))
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(staple->der.at, staple->der.len);
	if (copy == NULL || !SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->der.len))
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_OK;
}

void
tls_hello_apply(const struct tls_server *server, SSL_CTX *context)
{
	SSL_CTX_set_client_hello_cb(context, hello_hear, NULL);
	SSL_CTX_set_tlsext_servername_callback(context, name_acknowledge);
	SSL_CTX_set_tlsext_status_cb(context, status_staple);
	if (server->protocols.len > 0)
		SSL_CTX_set_alpn_select_cb(context, protocol_choose, NULL);
}
