/*
 * pki: keys, certificates, revocation lists and OCSP responses of a test's own, made with OpenSSL in some milliseconds,
 * and a directory to put them in.
 */
#ifndef REEVE_UNIT_NET_PKI_H
#define REEVE_UNIT_NET_PKI_H

#include "base/fd.h"
#include "base/memory.h"
#include "base/text.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define DAY ((long)24 * 3600)

struct identity {
	X509		*certificate;
	EVP_PKEY	*key;
};

/* Zero: ECDSA P-256, SHA-256, for servers, from a day ago for 90 days, signed by itself. */
struct wish {
	const char		*name;	/* the common name; NULL: none */
	const char		*san;	/* "DNS:a.test,IP:192.0.2.1"; NULL: none */
	const struct identity	*issuer;
	EVP_PKEY		*key;	/* given away; NULL: a new one */
	const EVP_MD		*digest;
	bool			 is_authority;
	bool			 is_for_clients;
	bool			 is_must_staple;
	long			 from;	/* seconds from now; 0: a day ago */
	long			 until;	/* 0: in 90 days */
	long			 serial;
};

__attribute__((unused)) static EVP_PKEY *
ec_key(const char *curve)
{
	EVP_PKEY *key = EVP_EC_gen(curve);

	assert_non_null(key);
	return key;
}

/* Large ones take long to make: one of each size for a whole program. */
__attribute__((unused)) static EVP_PKEY *
rsa_key(unsigned bits)
{
	static EVP_PKEY *known[2];
	EVP_PKEY **kept = &known[bits >= 2048];

	if (*kept == NULL)
		*kept = EVP_RSA_gen(bits);
	assert_non_null(*kept);
	EVP_PKEY_up_ref(*kept);
	return *kept;
}

__attribute__((unused)) static void
extension_add(X509 *certificate, X509 *issuer, int id, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX around;

	X509V3_set_ctx(&around, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &around, id, value);
	assert_non_null(extension);
	assert_true(X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

__attribute__((unused)) static void
extensions_add(X509 *certificate, X509 *issuer, const struct wish *wish)
{
	extension_add(certificate, issuer, NID_subject_key_identifier, "hash");
	extension_add(certificate, issuer, NID_basic_constraints, wish->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
	if (wish->is_authority)
		extension_add(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
	else
		extension_add(certificate, issuer, NID_ext_key_usage, wish->is_for_clients ? "clientAuth" :
		    "serverAuth");
	if (wish->san)
		extension_add(certificate, issuer, NID_subject_alt_name, wish->san);
	if (wish->is_must_staple)
		extension_add(certificate, issuer, NID_tlsfeature, "status_request");
}

__attribute__((unused)) static struct identity
identity_make(const struct wish *wish)
{
	static long serials = 4096;
	struct identity made = { .certificate = X509_new(), .key = wish->key ? wish->key : ec_key("P-256") };
	X509 *issuer = wish->issuer ? wish->issuer->certificate : made.certificate;
	const EVP_MD *digest = wish->digest ? wish->digest : EVP_sha256();
	X509_NAME *name = X509_get_subject_name(made.certificate);

	X509_set_version(made.certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), wish->serial ? wish->serial : serials++);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), wish->from ? wish->from : -DAY);
	X509_gmtime_adj(X509_getm_notAfter(made.certificate), wish->until ? wish->until : 90 * DAY);
	if (wish->name)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->name, -1, -1, 0);
	X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer));
	X509_set_pubkey(made.certificate, made.key);
	extensions_add(made.certificate, issuer, wish);
	if (EVP_PKEY_get_base_id(made.key) == EVP_PKEY_ED25519 && wish->issuer == NULL)
		digest = NULL;
	assert_true(X509_sign(made.certificate, wish->issuer ? wish->issuer->key : made.key, digest));
	return made;
}

__attribute__((unused)) static void
identity_fini(struct identity *identity)
{
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	*identity = (struct identity){ 0 };
}

/* -- as files ------------------------------------------------------------------------------------------------------ */

__attribute__((unused)) static void
bio_add(BIO *bio, struct text *to)
{
	char *bytes;
	long count = BIO_get_mem_data(bio, &bytes);

	text_add(to, span_make(bytes, (size_t)count));
	BIO_free(bio);
}

__attribute__((unused)) static void
pem_add_certificate(struct text *to, const struct identity *identity)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_X509(bio, identity->certificate));
	bio_add(bio, to);
}

/* phrase NULL: in the clear. */
__attribute__((unused)) static void
pem_add_key(struct text *to, const EVP_PKEY *key, const char *phrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, phrase ? EVP_aes_256_cbc() : NULL, phrase,
	    phrase ? (int)strlen(phrase) : 0, NULL, NULL));
	bio_add(bio, to);
}

/* The certificates of all, then NULL. */
#define pem_of(to, ...) pem_of_list(to, (const struct identity *const[]){ __VA_ARGS__, NULL })

__attribute__((unused)) static void
pem_of_list(struct text *to, const struct identity *const *list)
{
	text_clear(to);
	for (; *list; list++)
		pem_add_certificate(to, *list);
}

__attribute__((unused)) static void
put(const char *path, struct span bytes)
{
	struct err err;

	assert_true(file_write(path, bytes, 0600, &err));
}

__attribute__((unused)) static void
put_text(const char *path, const char *text)
{
	put(path, span_text(text));
}

/* NAME.pem with the certificate (and its issuer's when it is not the root itself), NAME.key. */
__attribute__((unused)) static void
put_identity(const char *name, const struct identity *identity, const struct identity *between)
{
	struct text pem = { 0 };
	char path[64];

	pem_add_certificate(&pem, identity);
	if (between)
		pem_add_certificate(&pem, between);
	snprintf(path, sizeof(path), "%s.pem", name);
	put(path, text_span(&pem));
	text_clear(&pem);
	pem_add_key(&pem, identity->key, NULL);
	snprintf(path, sizeof(path), "%s.key", name);
	put(path, text_span(&pem));
	text_fini(&pem);
}

/* A list of the issuer with these serial numbers, 0 ends; next update in `until` seconds. */
__attribute__((unused)) static void
put_crl(const char *path, const struct identity *issuer, const long *serials, long until)
{
	X509_CRL *list = X509_CRL_new();
	ASN1_TIME *time = X509_gmtime_adj(NULL, -2 * DAY);
	struct text pem = { 0 };
	BIO *bio = BIO_new(BIO_s_mem());

	X509_CRL_set_version(list, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate));
	X509_CRL_set1_lastUpdate(list, time);
	for (; *serials; serials++) {
		X509_REVOKED *row = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_INTEGER_set(serial, *serials);
		X509_REVOKED_set_serialNumber(row, serial);
		X509_REVOKED_set_revocationDate(row, time);
		X509_CRL_add0_revoked(list, row);
		ASN1_INTEGER_free(serial);
	}
	X509_gmtime_adj(time, until);
	X509_CRL_set1_nextUpdate(list, time);
	X509_CRL_sort(list);
	assert_true(X509_CRL_sign(list, issuer->key, EVP_sha256()));
	assert_true(PEM_write_bio_X509_CRL(bio, list));
	bio_add(bio, &pem);
	put(path, text_span(&pem));
	text_fini(&pem);
	ASN1_TIME_free(time);
	X509_CRL_free(list);
}

/* What a responder of the issuer says about the certificate, from `from` to `until` seconds from now. */
__attribute__((unused)) static void
put_ocsp(const char *path, const struct identity *about, const struct identity *issuer, int status, long from,
    long until)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), about->certificate, issuer->certificate);
	ASN1_TIME *begin = X509_gmtime_adj(NULL, from), *end = X509_gmtime_adj(NULL, until);
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;
	int len;

	assert_non_null(OCSP_basic_add1_status(basic, id, status, 0, status == V_OCSP_CERTSTATUS_REVOKED ? begin : NULL,
	    begin, end));
	assert_true(OCSP_basic_sign(basic, issuer->certificate, issuer->key, EVP_sha256(), NULL, 0));
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	assert_true(len > 0);
	put(path, span_make((const char *)der, (size_t)len));
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(begin);
	ASN1_TIME_free(end);
}

/* -- where --------------------------------------------------------------------------------------------------------- */

static char directory[64];

__attribute__((unused)) static void
directory_enter(void)
{
	snprintf(directory, sizeof(directory), "/tmp/reeve-net-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_return_code(chdir(directory), 0);
}

__attribute__((unused)) static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return remove(path);
}

__attribute__((unused)) static void
directory_leave(void)
{
	if (chdir("/") == 0)
		nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
