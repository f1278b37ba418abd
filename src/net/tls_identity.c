/* What a client's certificate says, in one piece of memory: the struct, then its three texts. */
#include "net/tls_server.h"

#include "base/memory.h"
#include "net/tls.h"
#include "net/tls_text.h"

#include <openssl/ssl.h>

#define ALTERNATIVES \
	(TLS_ALTERNATIVE_DNS | TLS_ALTERNATIVE_URI | TLS_ALTERNATIVE_EMAIL | TLS_ALTERNATIVE_ADDRESS)

static X509 *
client_certificate(SSL *ssl)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);

	if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || SSL_get_verify_result(ssl) != X509_V_OK)
		return NULL;
	return certificate;
}

static struct span
text_put(struct text *from, char **at_io)
{
	struct span put = span_make(*at_io, from->len);

	memcpy(*at_io, from->len > 0 ? from->bytes : "", from->len + 1);
	*at_io += from->len + 1;
	text_fini(from);
	return put;
}

struct tls_client_identity *
tls_client_identity_create(const struct tls *tls)
{
	X509 *certificate = client_certificate(tls_ssl(tls));
	struct text subject = { 0 }, san = { 0 }, fingerprint = { 0 };
	struct tls_client_identity *identity;
	char *at;

	if (certificate == NULL)
		return NULL;
	tls_text_name(X509_get_subject_name(certificate), &subject);
	tls_text_alternatives(certificate, ALTERNATIVES, &san);
	tls_text_fingerprint(certificate, &fingerprint);
	identity = memory_alloc(sizeof(*identity) + subject.len + san.len + fingerprint.len + 3);
	at = (char *)(identity + 1);
	identity->subject = text_put(&subject, &at);
	identity->san = text_put(&san, &at);
	identity->fingerprint = text_put(&fingerprint, &at);
	return identity;
}
