/* PEM through a memory BIO of OpenSSL, until it finds no further beginning. */
#include "net/tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <limits.h>

const char *
tls_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return reason ? reason : "OpenSSL gives no reason";
}

/* Without one of ours OpenSSL would ask at the terminal. */
static int
pass_phrase_refuse(char *to, int size, int writing, void *owner)
{
	bool *asked = owner;

	(void)to;
	(void)size;
	(void)writing;
	if (asked)
		*asked = true;
	return -1;
}

static BIO *
pem_open(struct span pem, struct err *err)
{
	BIO *bio;

	ERR_clear_error();
	if (pem.len > INT_MAX) {
		err_set(err, "the file is too large");
		return NULL;
	}
	bio = BIO_new_mem_buf(pem.len > 0 ? pem.at : "", (int)pem.len);
	if (bio == NULL)
		err_set(err, "OpenSSL: %s", tls_reason());
	return bio;
}

/* The last reading found no further block, rather than a broken one. */
static bool
is_at_end(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static bool
pem_has(struct span pem, const char *label)
{
	return memmem(pem.at, pem.len, label, strlen(label)) != NULL;
}

static bool
refuse_without(struct span pem, const char *wanted, const char *label, struct err *err)
{
	const char *hint = "";

	ERR_clear_error();
	if (pem.len == 0)
		hint = ": it is empty";
	else if (pem.at[0] == 0x30)	/* a DER sequence */
		hint = ": it looks like DER, which `openssl` can convert with -inform DER";
	else if (pem_has(pem, "PRIVATE KEY-----"))
		hint = ", but it holds a private key: are the two files mixed up?";
	else if (pem_has(pem, "-----BEGIN CERTIFICATE-----"))
		hint = ", but it holds a certificate: are the two files mixed up?";
	return err_set(err, "the file has no %s in PEM form (-----BEGIN %s-----)%s", wanted, label, hint);
}

struct stack_st_X509 *
tls_pem_certificates(struct span pem, struct err *err)
{
	STACK_OF(X509) *found = sk_X509_new_null();
	BIO *bio = pem_open(pem, err);
	X509 *certificate = NULL;
	bool ok = found && bio;

	while (ok && (certificate = PEM_read_bio_X509(bio, NULL, pass_phrase_refuse, NULL)) != NULL)
		ok = sk_X509_push(found, certificate) > 0;
	if (ok && !is_at_end())
		ok = err_set(err, "certificate %d of the file is broken: %s", sk_X509_num(found) + 1, tls_reason());
	else if (ok && sk_X509_num(found) == 0)
		ok = refuse_without(pem, "certificate", "CERTIFICATE", err);
	ERR_clear_error();
	BIO_free(bio);
	if (ok)
		return found;
	sk_X509_pop_free(found, X509_free);
	return NULL;
}

struct stack_st_X509_CRL *
tls_pem_crls(struct span pem, struct err *err)
{
	STACK_OF(X509_CRL) *found = sk_X509_CRL_new_null();
	BIO *bio = pem_open(pem, err);
	X509_CRL *crl = NULL;
	bool ok = found && bio;

	while (ok && (crl = PEM_read_bio_X509_CRL(bio, NULL, pass_phrase_refuse, NULL)) != NULL)
		ok = sk_X509_CRL_push(found, crl) > 0;
	if (ok && !is_at_end())
		ok = err_set(err, "revocation list %d of the file is broken: %s", sk_X509_CRL_num(found) + 1,
		    tls_reason());
	else if (ok && sk_X509_CRL_num(found) == 0)
		ok = refuse_without(pem, "revocation list", "X509 CRL", err);
	ERR_clear_error();
	BIO_free(bio);
	if (ok)
		return found;
	sk_X509_CRL_pop_free(found, X509_CRL_free);
	return NULL;
}

struct evp_pkey_st *
tls_pem_key(struct span pem, struct err *err)
{
	BIO *bio = pem_open(pem, err);
	bool asked = false;
	EVP_PKEY *key;

	if (bio == NULL)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, pass_phrase_refuse, &asked);
	if (key == NULL && asked)
		err_set(err, "the key is encrypted, and nobody is there to type its pass phrase: store it decrypted "
		    "(`openssl pkey -in KEY -out NEWKEY`), readable by its owner only");
	else if (key == NULL && !pem_has(pem, "PRIVATE KEY-----"))
		refuse_without(pem, "private key", "PRIVATE KEY", err);
	else if (key == NULL)
		err_set(err, "the private key is broken: %s", tls_reason());
	ERR_clear_error();
	BIO_free(bio);
	return key;
}
