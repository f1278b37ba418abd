/*
 * OpenSSL shows the certificate in question to a callback only. It ends the handshake at the first reason: nothing is
 * ever let through here.
 */
#include "net/tls_verdict.h"

#include "base/memory.h"
#include "net/tls_text.h"

#include <assert.h>
#include <time.h>

#include <openssl/ssl.h>

enum { NAMES_MAX = 160 };	/* bytes */

static void
words_free(void *owner, void *words, CRYPTO_EX_DATA *all, int number, long argument, void *pointer)
{
	(void)owner, (void)all, (void)number, (void)argument, (void)pointer;
	memory_free(words);
}

static int
slot_number(void)
{
	static int number = -1;

	if (number < 0)
		number = SSL_get_ex_new_index(0, NULL, NULL, NULL, words_free);
	assert(number >= 0);
	return number;
}

/* -- what the certificate says of itself --------------------------------------------------------------------------- */

static void
add_date(struct text *text, const char *before, const ASN1_TIME *time)
{
	char day[16];
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) == 1 && strftime(day, sizeof(day), "%Y-%m-%d", &tm) > 0)
		text_format(text, ", %s %s", before, day);
}

static void
add_names(struct text *text, const X509 *certificate)
{
	size_t before = text->len + NAMES_MAX;

	text_add_text(text, ", it is for ");
	if (tls_text_alternatives(certificate, TLS_ALTERNATIVE_DNS | TLS_ALTERNATIVE_ADDRESS, text) == 0)
		text_add_text(text, "no name (a common name does not count: RFC 9110 section 4.3.4)");
	if (text->len > before) {
		text->len = before;
		text_add_text(text, " …");
	}
}

static void
add_issuer(struct text *text, const X509 *certificate)
{
	text_add_text(text, ", its issuer is ");
	tls_text_name(X509_get_issuer_name(certificate), text);
}

static void
add_particulars(struct text *text, int error, const X509 *certificate)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		add_date(text, "it ended on", X509_get0_notAfter(certificate));
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		add_date(text, "it begins on", X509_get0_notBefore(certificate));
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		add_names(text, certificate);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		add_issuer(text, certificate);
		break;
	}
}

/* -- the verdict --------------------------------------------------------------------------------------------------- */

static void
add_host(struct text *text, X509_STORE_CTX *verification)
{
	X509_VERIFY_PARAM *expected = X509_STORE_CTX_get0_param(verification);
	const char *host = X509_VERIFY_PARAM_get0_host(expected, 0);
	char *address = host ? NULL : X509_VERIFY_PARAM_get1_ip_asc(expected);

	if (host != NULL || address != NULL)
		text_format(text, "; host %s", host ? host : address);
	OPENSSL_free(address);
}

static int
on_verified(int is_good, X509_STORE_CTX *verification)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
	const X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
	int error = X509_STORE_CTX_get_error(verification);
	struct text text = { 0 };

	if (is_good)
		return 1;
	text_format(&text, "certificate verify failed: %s", X509_verify_cert_error_string(error));
	if (certificate != NULL)
		add_particulars(&text, error, certificate);
	add_host(&text, verification);
	if (SSL_set_ex_data(ssl, slot_number(), text.bytes) != 1)
		text_fini(&text);
	return 0;
}

void
tls_verdict_setup(SSL_CTX *context)
{
	slot_number();	/* before the first SSL: those made earlier would not free what lies there */
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verified);
}

const char *
tls_verdict(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, slot_number());
}
